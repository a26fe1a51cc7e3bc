"""What kind of exchange is simulated: a regime, and the named ones.

A regime fixes averages only. Every tape draws its own world around them, so two seeds of one regime
differ in venues, coins, apps, fields, habits and attacks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

ATTACKS: Final = ("blitz", "drip", "stealth", "midcap")

# Share of the API keys that follow each strategy.
TRADERS: Final[dict[str, float]] = {
    "maker": 0.015,
    "grid": 0.13,
    "dca": 0.15,
    "trend": 0.13,
    "arbitrage": 0.02,
    "follower": 0.15,
    "copier": 0.07,
    "human": 0.17,
    "gambler": 0.02,
    "rebalancer": 0.03,
    "scalper": 0.015,
    "sleeper": 0.05,
    "unused": 0.05,
}

# Occurrences of each look-alike in a week among 2,800 keys.
LOOKALIKES: Final[dict[str, float]] = {
    "big-thin-buy": 45.0,
    "portfolio-switch": 25.0,
    "fresh-key-bot": 40.0,
    "signal-thin": 10.0,
    "organic-pump": 4.0,
    "listing": 2.0,
    "news-surge": 3.0,
    "telegram-pump": 4.0,
    "sleeper-wakes": 30.0,
    "whale-slices": 10.0,
    "maker-rotates": 8.0,
    "maker-bug": 1.0,
    "new-coin-usual-size": 80.0,
    "app-move": 25.0,
    "new-network": 40.0,
    "panic": 1.2,
    "losing-bot": 8.0,
    "volume-bot": 4.0,
    "cash-out": 25.0,
    "stop-loss-cascade": 2.0,
    "index-change": 2.5,
}


@dataclass(frozen=True, slots=True)
class Regime:
    """Averages of one simulated world; each seed varies around them."""

    days: float = 7.0
    n_keys: int = 2_800
    n_symbols: int = 140
    n_apps: int = 24
    n_venues: int = 3
    events: int = 600_000  # target number of order events, reached within some tens of per cent
    activity: float = 1.0  # multiplies how often savers, gamblers and channels act
    web_per_key: float = 2.5  # accounts without an API key, per key
    appless: float = 0.22  # share of keys that run their owner's own program
    # chance that a venue gives a field at all; a venue gives it on every event or on none
    gives_counterparty: float = 0.6
    gives_network: float = 0.6
    gives_arrival: float = 0.7
    gives_order_id: float = 0.8
    gives_status: float = 0.5  # also new, canceled and rejected orders
    gives_both_sides: float = 0.6  # the maker's fill too, whoever began the trade
    gives_strings: float = 0.2  # numbers written as strings
    volatility: float = 1.0  # multiplies every coin's
    liquidity: float = 1.0  # multiplies every market's daily volume
    thinness: float = 1.0  # above 1: more of the markets are thin
    app_skew: float = 1.0  # exponent of Zipf's law of the apps' sizes
    start: str = ""  # date of the first event, YYYY-MM-DD; empty: drawn
    traders: dict[str, float] = field(default_factory=lambda: dict(TRADERS))
    # expected number of incidents of each kind on the whole tape
    attacks: dict[str, float] = field(
        default_factory=lambda: {"blitz": 6.0, "drip": 16.0, "stealth": 10.0, "midcap": 3.0}
    )
    lookalikes: dict[str, float] = field(default_factory=lambda: dict(LOOKALIKES))
    lookalike_rate: float = 1.0  # multiplies every look-alike's
    drip_trades: tuple[int, int] = (150, 3_000)


def _traders(**changes: float) -> dict[str, float]:
    return TRADERS | changes


REGIMES: Final[dict[str, Regime]] = {
    "standard": Regime(),
    "calm": Regime(volatility=0.5, liquidity=2.0, lookalike_rate=0.6),
    "wild": Regime(
        volatility=2.2,
        n_symbols=220,
        lookalike_rate=1.6,
        lookalikes=LOOKALIKES | {"panic": 3.0, "organic-pump": 8.0, "telegram-pump": 8.0},
        attacks={"blitz": 9.0, "drip": 20.0, "stealth": 14.0, "midcap": 5.0},
    ),
    "thin": Regime(thinness=2.0, liquidity=0.3, n_symbols=260, events=350_000, n_venues=2),
    "copycats": Regime(
        traders=_traders(follower=0.45, copier=0.2, grid=0.05, dca=0.05),
        lookalikes=LOOKALIKES | {"signal-thin": 45.0},
    ),
    "fewfields": Regime(
        gives_counterparty=0.0,
        gives_network=0.0,
        gives_arrival=0.0,
        gives_order_id=0.0,
        gives_status=0.0,
        gives_both_sides=0.3,
    ),
    "bigapps": Regime(n_apps=6, app_skew=1.6, appless=0.05, n_venues=1, n_keys=4_000),
    "shorttape": Regime(
        days=1.0,
        n_keys=2_000,
        events=200_000,
        lookalike_rate=3.0,
        attacks={"blitz": 3.0, "drip": 6.0, "stealth": 4.0, "midcap": 2.0},
    ),
    "sparse": Regime(days=14.0, n_keys=5_000, events=300_000, n_symbols=300, activity=0.25),
    "busy": Regime(
        days=3.0,
        n_keys=1_200,
        events=900_000,
        n_symbols=60,
        attacks={"blitz": 4.0, "drip": 8.0, "stealth": 6.0, "midcap": 2.0},
    ),
    "demo": Regime(
        days=2.0,
        n_keys=900,
        n_symbols=60,
        n_apps=10,
        n_venues=2,
        events=120_000,
        attacks={"blitz": 2.0, "drip": 3.0, "stealth": 2.0, "midcap": 1.0},
        lookalike_rate=1.5,
    ),
}
_QUIET: Final = dict.fromkeys(ATTACKS, 0.0)


def _single(kind: str) -> Regime:
    """Give a world with attacks of one kind alone, or with no attack but many signal bots."""
    if kind == "signal-bot":
        return replace(REGIMES["copycats"], days=2.0, n_keys=900, events=120_000, attacks=_QUIET)
    if kind == "benign":
        return replace(REGIMES["standard"], attacks=_QUIET)
    return replace(REGIMES["demo"], attacks=_QUIET | {kind: 3.0})


SCENARIOS: Final = (*REGIMES, *ATTACKS, "signal-bot", "benign")


def regime_of(
    scenarios: Sequence[str] = (), days: float | None = None, keys: int | None = None
) -> Regime:
    """Give the regime that the scenarios name together; the first sets the world.

    Further scenarios add their attacks and their look-alikes to it. When `days` or `keys` differ
    from the regime's own, events, attacks and their kind are scaled with them.

    Raises
    ------
    ValueError
        If a scenario is unknown, or `days` or `keys` is out of range.
    """
    named = [_named(scenario) for scenario in scenarios] or [REGIMES["standard"]]
    regime = named[0]
    for other in named[1:]:
        attacks = {
            kind: regime.attacks.get(kind, 0.0) + rate for kind, rate in other.attacks.items()
        }
        lookalikes = {
            kind: max(rate, other.lookalikes.get(kind, 0.0))
            for kind, rate in regime.lookalikes.items()
        }
        regime = replace(regime, attacks=attacks, lookalikes=lookalikes)
    return _scaled(
        regime,
        regime.days if days is None else days,
        regime.n_keys if keys is None else keys,
    )


def _named(scenario: str) -> Regime:
    if scenario in REGIMES:
        return REGIMES[scenario]
    if scenario not in SCENARIOS:
        raise ValueError(f"scenario is {scenario!r}; must be one of {', '.join(SCENARIOS)}")
    return _single(scenario)


def _scaled(regime: Regime, days: float, keys: int) -> Regime:
    if not 0.02 <= days <= 400:
        raise ValueError(f"days is {days}; must be between 0.02 and 400")
    if not 50 <= keys <= 2_000_000:
        raise ValueError(f"keys is {keys}; must be between 50 and 2000000")
    volume = (days / regime.days) * (keys / regime.n_keys)
    hit = min(1.0, volume) if volume < 1 else volume**0.5
    attacks = {kind: rate * hit for kind, rate in regime.attacks.items()}
    if 0 < sum(attacks.values()) < 1:  # a small world still shows what was asked for
        attacks = {kind: float(rate > 0) for kind, rate in attacks.items()}
    events = max(2_000, int(regime.events * volume))
    return replace(regime, days=days, n_keys=keys, events=events, attacks=attacks)
