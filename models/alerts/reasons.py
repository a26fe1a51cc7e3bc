"""Reasons in words: what is unusual about a fill, beside what is usual."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
import numpy as np

from models.alerts.envelope import Reason
from models.keys import state as k

CORROBORATION: Final = 0.05  # share of the score from which a reason counts as one of its kind
FURTHEST: Final = 80.0  # no logarithm is taken to be further from zero


class Finding(msgspec.Struct, frozen=True):
    """What a reason is written from: one fill, its features, and the key's past."""

    symbol: str
    app: str | None
    buys: bool
    features: list[float]  # (FEATURES,)
    values: list[float]  # (BASELINES,): what the key did, as logarithms
    usual: list[float]  # (BASELINES,): what it usually does
    median: list[float]  # (FEATURES,): what benign flow usually shows
    rogue_around: float = 0.0  # rogue buyers to expect among the others in this market
    rogue_fellows: float = 0.0  # and among the keys of this app
    persistence: float = 0.0  # log(1 + how many times more rogue the hour looks than usual ones)


@dataclass(frozen=True, slots=True)
class Words:
    """Value, typical value and sentence of one feature."""

    value: float
    typical: float
    text: str


def explain(name: str, finding: Finding) -> Words:
    """Say one feature of a fill, or one kind of evidence around it, in words."""
    return _WRITERS[name](finding)


def _exp(x: float) -> float:
    """Turn a logarithm back, within what can be written."""
    return float(np.exp(min(max(x, -FURTHEST), FURTHEST)))


def _expm1(x: float) -> float:
    return float(np.expm1(min(x, FURTHEST)))


def _money(usd: float) -> str:
    return f"{usd:,.0f} USD" if usd >= 10 else f"{usd:,.2f} USD"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def _share(part: float) -> str:
    return f"{100 * part:.0f} %" if part >= 0.1 else f"{100 * part:.2g} %"


def _about(count: float) -> str:
    whole = max(1, round(count))
    return "About 1 other buyer" if whole == 1 else f"About {whole} other buyers"


def _look(count: float) -> str:
    return "looks" if round(count) <= 1 else "look"


def _app(f: Finding) -> str:
    return f.app or "one program"


def _verb(f: Finding) -> str:
    return "bought" if f.buys else "sold"


def _past(f: Finding, which: int) -> tuple[float, float]:
    return _exp(f.values[which]), _exp(f.usual[which])


def _pair_novelty(f: Finding) -> Words:
    chance = _exp(-f.features[k.F_PAIR_NOVELTY])
    text = f"{f.symbol} is all but new to this key: it would be 1 order in {1 / chance:,.0f}."
    return Words(chance, _exp(-f.median[k.F_PAIR_NOVELTY]), text)


def _pair_youth(f: Finding) -> Words:
    ratio = _exp(f.features[k.F_PAIR_YOUTH])
    text = f"This key is {_times(ratio)} as old as its acquaintance with {f.symbol}."
    return Words(ratio, _exp(f.median[k.F_PAIR_YOUTH]), text)


def _size(f: Finding) -> Words:
    value, typical = _past(f, k.SIZE)
    text = f"An order of {_money(value)}, where this key usually places {_money(typical)}."
    return Words(value, typical, text)


def _accumulation(f: Finding) -> Words:
    value, typical = _past(f, k.ACCUMULATION)
    text = (
        f"Within a day the key gathered {_money(value)} of {f.symbol} beyond what it sold there, "
        f"where {_money(typical)} of one coin are usual for it."
    )
    return Words(value, typical, text)


def _rate(f: Finding) -> Words:
    value, typical = (max(0.0, x - 1.0) for x in _past(f, k.RATE))
    text = f"{value:.1f} orders within ten minutes, where this key usually places {typical:.1f}."
    return Words(value, typical, text)


def _turnover(f: Finding) -> Words:
    value, typical = _past(f, k.TURNOVER)
    text = f"{_money(value)} traded within a day, where {_money(typical)} are usual for this key."
    return Words(value, typical, text)


def _slippage(f: Finding) -> Words:
    value, typical = (max(0.0, x - 1.0) for x in _past(f, k.SLIPPAGE))
    text = (
        f"Filled {value:,.0f} basis points worse than the arrival price, "
        f"where this key usually accepts {typical:,.0f}."
    )
    return Words(value, typical, text)


def _push(f: Finding) -> Words:
    value, typical = (_expm1(x) for x in (f.features[k.F_PUSH], f.median[k.F_PUSH]))
    text = f"In ten minutes the key's own orders pushed {f.symbol} by {value:.1f} usual moves."
    return Words(float(value), float(typical), text)


def _participation(f: Finding) -> Words:
    value, typical = (_exp(x) for x in (f.features[k.F_PARTICIPATION], f.median[k.F_PARTICIPATION]))
    text = f"Within an hour {_verb(f)} {_share(value)} of what {f.symbol} trades in a day."
    return Words(value, typical, text)


def _surge(f: Finding) -> Words:
    value, typical = (_exp(x) for x in (f.features[k.F_SURGE], f.median[k.F_SURGE]))
    text = f"{f.symbol} trades {_times(value)} its usual volume in these ten minutes."
    return Words(value, typical, text)


def _pay_up(f: Finding) -> Words:
    value, where = f.features[k.F_PAY_UP], "above" if f.buys else "below"
    text = f"{f.symbol} was {_verb(f)} {value:.1f} usual hourly moves {where} its hour's average."
    return Words(value, f.median[k.F_PAY_UP], text)


def _sweep_breadth(f: Finding) -> Words:
    value, typical = (max(0.0, x - 1.0) for x in _past(f, k.BREADTH))
    text = f"The key sold {value:.0f} other symbols within the hour before; usual: {typical:.1f}."
    return Words(value, typical, text)


def _sweep_funding(f: Finding) -> Words:
    value = _expm1(f.features[k.F_SWEEP_FUNDING])
    text = f"What other coins just fetched, {_times(value)} a usual order, went into {f.symbol}."
    return Words(value, _expm1(f.median[k.F_SWEEP_FUNDING]), text)


def _app_share(f: Finding) -> Words:
    value = f.features[k.F_APP_SHARE]
    text = f"Those who newly come to {f.symbol} now are mostly keys of {_app(f)}."
    return Words(value, f.median[k.F_APP_SHARE], text)


def _new_sellers(f: Finding) -> Words:
    value = f.features[k.F_NEW_SELLERS]
    text = (
        f"{_share(value)} of what was sold in {f.symbol} in ten minutes "
        "came from accounts that do not usually sell it."
    )
    return Words(value, f.median[k.F_NEW_SELLERS], text)


def _concentration(f: Finding) -> Words:
    value = f.features[k.F_CONCENTRATION]
    text = f"Very few accounts stand on the other side of this key's trades in {f.symbol}."
    return Words(value, f.median[k.F_CONCENTRATION], text)


def _round_trip_loss(f: Finding) -> Words:
    value = _expm1(f.features[k.F_ROUND_TRIP_LOSS])
    text = f"Round trips in {f.symbol} lost {_times(value)} a usual order of this key within a day."
    return Words(value, _expm1(f.median[k.F_ROUND_TRIP_LOSS]), text)


def _losing_streak(f: Finding) -> Words:
    value = f.features[k.F_LOSING_STREAK]
    text = f"It keeps losing in {f.symbol}: {value:.1f} standard deviations more losses than gains."
    return Words(value, f.median[k.F_LOSING_STREAK], text)


def _network_novelty(f: Finding) -> Words:
    value = _expm1(f.features[k.F_NETWORK_NOVELTY])
    text = f"The request came from a network not seen in this key's {value:.0f} requests before."
    return Words(value, 0.0, text)


def _app_change(f: Finding) -> Words:
    value = _expm1(f.features[k.F_APP_CHANGE])
    text = "The order came through another app than this key uses."
    return Words(value, 0.0, text)


def _taker_excess(f: Finding) -> Words:
    value = f.features[k.F_TAKER_EXCESS]
    text = f"The key takes {_share(value)} more of its volume from the book than it usually does."
    return Words(value, f.median[k.F_TAKER_EXCESS], text)


def _crowd(f: Finding) -> Words:
    look = _look(f.rogue_around)
    text = f"{_about(f.rogue_around)} of {f.symbol} {look} rogue, too, at this time."
    return Words(f.rogue_around, 0.0, text)


def _app_crowd(f: Finding) -> Words:
    look = _look(f.rogue_fellows)
    text = f"{_about(f.rogue_fellows)} of {f.symbol} with keys of {_app(f)} {look} rogue, too."
    return Words(f.rogue_fellows, 0.0, text)


def _persistence(f: Finding) -> Words:
    value = _expm1(f.persistence)
    text = f"For an hour this key has looked {_times(value)} as rogue as it usually does."
    return Words(value, 1.0, text)


# Kinds of evidence: two reasons of one kind do not corroborate each other.
KINDS: Final[dict[str, str]] = {
    "pair_novelty": "novelty",
    "pair_youth": "novelty",
    "size": "conduct",
    "accumulation": "conduct",
    "rate": "conduct",
    "turnover": "conduct",
    "taker_excess": "conduct",
    "persistence": "conduct",
    "slippage": "market",
    "push": "market",
    "participation": "market",
    "surge": "market",
    "pay_up": "market",
    "sweep_breadth": "sweep",
    "sweep_funding": "sweep",
    "app_share": "crowd",
    "crowd": "crowd",
    "app_crowd": "crowd",
    "new_sellers": "counterparties",
    "concentration": "counterparties",
    "round_trip_loss": "loss",
    "losing_streak": "loss",
    "network_novelty": "access",
    "app_change": "access",
}

_WRITERS: Final[dict[str, Callable[[Finding], Words]]] = {
    "pair_novelty": _pair_novelty,
    "pair_youth": _pair_youth,
    "size": _size,
    "accumulation": _accumulation,
    "rate": _rate,
    "turnover": _turnover,
    "slippage": _slippage,
    "push": _push,
    "participation": _participation,
    "surge": _surge,
    "pay_up": _pay_up,
    "sweep_breadth": _sweep_breadth,
    "sweep_funding": _sweep_funding,
    "app_share": _app_share,
    "new_sellers": _new_sellers,
    "concentration": _concentration,
    "round_trip_loss": _round_trip_loss,
    "losing_streak": _losing_streak,
    "network_novelty": _network_novelty,
    "app_change": _app_change,
    "taker_excess": _taker_excess,
    "crowd": _crowd,
    "app_crowd": _app_crowd,
    "persistence": _persistence,
}


class Ground(Protocol):
    """What a reason must tell for its kind of evidence to count."""

    @property
    def feature(self) -> str:
        """What is unusual."""

    @property
    def contribution(self) -> float:
        """Share of the score."""


def kind_of(feature: str) -> str:
    """Give the kind of evidence that a feature is; what is not known is a kind of its own."""
    return KINDS.get(feature, feature)


def kinds_of(reasons: Iterable[Ground]) -> set[str]:
    """Give the kinds of evidence that carry weight."""
    return {kind_of(one.feature) for one in reasons if one.contribution >= CORROBORATION}


def varied(reasons: Iterable[Reason]) -> list[Reason]:
    """Give the strongest reason of each kind of evidence, of reasons that come strongest first."""
    kinds: dict[str, Reason] = {}
    for reason in reasons:
        kinds.setdefault(kind_of(reason.feature), reason)
    return list(kinds.values())
