"""What the key stage says of a fill, restated from all past fills of the key, without running sums.

`learned` says of each past fill whether it became part of what is usual: the stage's own verdict.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import exp, log, sqrt
from typing import Final

import numpy as np

from models.keys.state import (
    ALL_BUT,
    BASELINES,
    FEATURES,
    FEWEST_GAINS,
    GAINS_FOR_LOSS,
    OF_ROUND_TRIP,
    PRIORS,
    ROUND,
    TOKEN,
    USUAL_FILLS,
)
from tests.reference import DAY, HOUR, MINUTE, Context

MONTH: Final = 30 * DAY
OF_PURCHASES: Final = {"accumulation", "breadth"}  # quantities that a sale does not have
Weighted = list[tuple[float, float]]  # values and what each weighs


@dataclass(frozen=True)
class KeyFill:
    """A fill of the key, as it came."""

    market: str
    symbol: str
    buys: bool
    taker: bool
    price: float
    notional: float
    order: str | None
    app: str | None
    network: str | None
    counterparty: str | None
    context: Context
    company: frozenset[int] = frozenset()


@dataclass
class Past:
    """A fill with what was seen and decided at its time."""

    fill: KeyFill
    time: float  # the key's clock
    present: float  # the same, but of an unconfirmed leap no more than six hours
    learned: bool
    values: dict[str, float]
    chance: float


@dataclass
class NaiveKey:
    """Everything that one key ever did."""

    times: list[float] = field(default_factory=list)
    fills: list[Past] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)  # learned, oldest first

    def enter(self, time: float) -> None:
        """Note that something happened."""
        self.times.append(time)

    @property
    def now(self) -> float:
        return max(self.times)

    @property
    def present(self) -> float:
        before = max(self.times[:-1], default=self.now)
        return min(self.now, before + 6 * HOUR) if self.now > before + HOUR else self.now

    def total(self, window: float, amount: Callable[[Past], float]) -> float:
        """Decayed by the key's clock."""
        return sum(amount(p) * exp(-(self.now - p.time) / window) for p in self.fills)

    def settled_total(self, window: float, amount: Callable[[Past], float]) -> float:
        """Decayed as far as the clock is settled."""
        return sum(amount(p) * exp(-(self.present - p.present) / window) for p in self.fills)

    def here(self, market: str, window: float, amount: Callable[[KeyFill], float]) -> float:
        """Decayed sum over the key's fills of one market."""
        return self.settled_total(window, lambda p: amount(p.fill) * (p.fill.market == market))

    def hours(self) -> list[float]:
        """Beginnings of the key's hours: each at the first event after the last is over."""
        begun = [self.times[0]]
        latest = self.times[0]
        for time in self.times:
            latest = max(latest, time)
            if latest - begun[-1] > HOUR:
                begun.append(latest)
        return begun

    def days(self) -> list[float]:
        """Beginnings of the key's days: each ends in a pause of an hour, or a day later."""
        begun = [self.times[0]]
        latest = self.times[0]
        for time in self.times:
            age = time - begun[-1]
            if age > DAY and (time - latest > HOUR or age > 2 * DAY):
                begun.append(time)
            latest = max(latest, time)
        return begun

    def observations(self, which: str) -> tuple[Weighted, Weighted]:
        """Past and today: what had come by the start of the day, and by that of the hour since."""
        days, hours = self.days(), self.hours()
        past: Weighted = []
        taken = 0
        of_sales = which not in OF_PURCHASES
        learned = [p for p in self.fills if p.learned and (of_sales or p.fill.buys)]
        for day in days[1:]:
            hour = max(h for h in hours if h <= day)
            due = [p for p in learned[taken:] if p.time < hour]
            taken += len(due)
            past += [(p.values[which], 1.0) for p in due]
            weight = sum(w for _, w in past)
            if weight > 200:
                past = [(value, w * 200 / weight) for value, w in past]
        today = [(p.values[which], 1.0) for p in learned[taken:] if p.time < hours[-1]]
        return past, today

    def estimate(self, which: str) -> tuple[float, float]:
        """Mean and standard deviation, shrunk to the prior, which weighs two observations."""
        past, today = self.observations(which)
        if sum(w for _, w in past) < 5:
            past = past + today
        n = sum(w for _, w in past)
        mean = sum(v * w for v, w in past) / n if n else 0.0
        squares = sum(w * (v - mean) ** 2 for v, w in past)
        prior, between, within = PRIORS[BASELINES.index(which)].tolist()
        variance = (squares + 2 * within**2) / (n + 2) + 2 / (n + 2) * between**2
        return (n * mean + 2 * prior) / (n + 2), sqrt(variance)

    def activity(self) -> float:
        """Log of the fills a day before today, beside two days of a usual key."""
        began = self.hours()[-1]
        today = len(self.observations("size")[1])
        today += sum(p.learned and p.time >= began for p in self.fills)
        fills = max(0.0, self.settled_total(MONTH, lambda p: p.learned) - today)
        days = (1 - exp(-(self.days()[-1] - self.times[0]) / MONTH)) * MONTH / DAY
        return log((fills + 2 * USUAL_FILLS) / (days + 2))

    def persistence(self) -> float:
        """Log of one plus the evidence of an hour over that of usual hours.

        What the hour's window loses goes into the week's, where it fades from then on.
        """
        inside = older = 0.0
        latest = self.times[0]
        for now in sorted({*np.maximum.accumulate(self.times).tolist()}):
            kept = inside * exp(-(now - latest) / HOUR)
            older = older * exp(-(now - latest) / (7 * DAY)) + inside - kept
            inside = kept + sum(p.chance for p in self.fills if p.time == now)
            latest = now
        hours = min(max(self.now - self.times[0], 6 * HOUR), 7 * DAY) / HOUR
        return log(1 + inside / (0.3 + older / hours))

    def familiarity(self, fill: KeyFill) -> float:
        """How often those met were there at the key's learned orders in company before today.

        From a tenth of them on, up to 35 percent.
        """
        orders: list[Past] = []
        last: str | None = None
        for p in self.fills:
            if p.learned and p.fill.company and (p.fill.order is None or p.fill.order != last):
                orders.append(p)
            last = p.fill.order
        past = [p.fill.company for p in orders if p.time < self.days()[-1]]
        if not fill.company:
            return 0.0
        there = sum(name in company for name in fill.company for company in past)
        usual = there / len(fill.company) / (len(past) + 3)
        return min(1.0, max(0.0, (usual - 0.1) / 0.25))

    def told(self, fill: KeyFill) -> tuple[dict[str, float], dict[str, float]]:
        """Features and values of a fill, before it is learned; `enter` comes first."""
        out = dict.fromkeys(FEATURES, 0.0)
        values = self._values(fill)
        self._tell_novelty(fill, out)
        for which in ("size", "rate", "turnover", "slippage"):
            out[which] = self._beyond(which, values)
        self._tell_market(fill, out)
        if fill.buys:
            values["accumulation"] = log(fill.notional + self._gathered(fill.market))
            out["accumulation"] = max(0.0, self._beyond("accumulation", values))
            values["breadth"] = self._tell_sweep(fill, out)
            self._tell_app(fill.context, out)
            out["new_sellers"] = fill.context["new_seller_share"]
        self._tell_partners(fill, out)
        self._tell_round_trips(fill, out)
        self._tell_habits(fill, out)
        return out, values

    def _beyond(self, which: str, values: dict[str, float]) -> float:
        mean, deviation = self.estimate(which)
        return (values[which] - mean) / deviation

    def _gathered(self, market: str) -> float:
        """What is left of a day's purchases when each sale has taken from those before it."""
        flows: Weighted = []  # USD bought, or less than nothing where sold, and when
        for p in self.fills:
            if p.fill.market == market:
                left = sum(usd * exp(-(p.present - t) / DAY) for t, usd in flows)
                sold = min(p.fill.notional, max(0.0, left))
                flows.append((p.present, p.fill.notional if p.fill.buys else -sold))
        return max(0.0, sum(usd * exp(-(self.present - t) / DAY) for t, usd in flows))

    def _values(self, fill: KeyFill) -> dict[str, float]:
        c = fill.context
        adverse = max(0.0, c["adverse_move"]) if fill.taker else 0.0
        orders: list[float] = []
        last: str | None = None
        for p in self.fills:
            if p.fill.order is None or p.fill.order != last:
                orders.append(p.time)
            last = p.fill.order
        rate = sum(exp(-(self.now - t) / (10 * MINUTE)) for t in orders)
        day = self.total(DAY, lambda p: p.fill.notional)
        return {
            "size": log(c["order_notional"]),
            "accumulation": 0.0,
            "rate": log(2 + rate),
            "turnover": log(day + fill.notional),
            "slippage": log(1 + 1e4 * adverse),
            "breadth": 0.0,
        }

    def _same_side(self, fill: KeyFill) -> float:
        return self.here(fill.market, HOUR, lambda f: f.notional * (f.buys == fill.buys))

    def _tell_novelty(self, fill: KeyFill, out: dict[str, float]) -> None:
        in_pair = [p for p in self.fills if p.fill.market == fill.market]
        if not fill.buys:
            bought = self.here(fill.market, DAY, lambda f: f.notional * f.buys)
            if bought < fill.notional:
                return
        seen_markets: set[str] = set()
        openings = []
        for p in self.fills:
            if p.learned and p.fill.market not in seen_markets:
                seen_markets.add(p.fill.market)
                openings.append(p)
        opened = {id(p) for p in openings}
        n = self.settled_total(MONTH, lambda p: p.learned)
        new = self.settled_total(MONTH, lambda p: id(p) in opened)
        pair = self.settled_total(MONTH, lambda p: p.learned * (p.fill.market == fill.market))
        out["pair_novelty"] = -log(min(1, pair / (n + 2) + (1 + new) / (n + 2) / (1 + pair)))
        if pair < ALL_BUT * n:
            known_for = self.now - min([p.time for p in in_pair], default=self.now)
            out["pair_youth"] = log((self.now - self.times[0] + HOUR) / (known_for + HOUR))

    def _tell_market(self, fill: KeyFill, out: dict[str, float]) -> None:
        c, sign = fill.context, 1 if fill.buys else -1
        adverse = max(0.0, c["adverse_move"]) if fill.taker else 0.0
        pushed = self.here(
            fill.market,
            10 * MINUTE,
            lambda f: max(0.0, f.context["adverse_move"]) if f.taker else 0.0,
        )
        out["push"] = log(1 + (pushed + adverse) / (c["sigma"] * sqrt(1 / 144)))
        traded = self._same_side(fill) + fill.notional
        out["participation"] = log(traded / c["daily_volume"])
        out["surge"] = log((c["volume_10m"] + fill.notional) / c["daily_volume"] * 144)
        hourly = c["sigma"] * sqrt(1 / 24)
        out["pay_up"] = max(0.0, sign * c["from_reference_1h"]) / hourly

    def _tell_sweep(self, fill: KeyFill, out: dict[str, float]) -> float:
        sales = [p for p in self.fills if not p.fill.buys and p.fill.symbol != fill.symbol]
        recent = {p.fill.symbol for p in sales if self.now - p.time < HOUR}
        proceeds = sum(p.fill.notional * exp(-(self.now - p.time) / HOUR) for p in sales)
        breadth = log(1 + len(recent))
        mean, deviation = self.estimate("breadth")
        out["sweep_breadth"] = max(0.0, (breadth - mean) / deviation)
        into = self._same_side(fill) + fill.context["order_notional"]
        out["sweep_funding"] = log(1 + min(proceeds, into) / exp(self.estimate("size")[0]))
        return breadth

    @staticmethod
    def _tell_app(c: Context, out: dict[str, float]) -> None:
        n = c["app_newcomers"]
        out["app_share"] = log(1 + n) * n / max(c["newcomers"], n + 1e-3)

    def _tell_partners(self, fill: KeyFill, out: dict[str, float]) -> None:
        names = {p.fill.counterparty for p in self.fills} - {None}
        by_name = [self._filled_by(name, fill.market) for name in names]
        if sum(by_name) > 0:
            out["concentration"] = sum((usd / sum(by_name)) ** 2 for usd in by_name)

    def _filled_by(self, name: str | None, market: str) -> float:
        return self.here(market, DAY, lambda f: f.notional * (f.counterparty == name))

    def _closes(self, fill: KeyFill) -> Weighted:
        """Gains of all round trips in the fill's market, and what of each a day has left."""
        position = cost = 0.0
        gains: list[tuple[float, float]] = []
        here = [p for p in self.fills if p.fill.market == fill.market]
        for i, p in enumerate(here):
            qty = p.fill.notional / p.fill.price * (1 if p.fill.buys else -1)
            if position * qty >= 0:
                cost += (p.fill.price - cost) * (qty / (position + qty))
            else:
                closed = min(abs(qty), abs(position)) * (1 if position > 0 else -1)
                if self._closes_a_round_trip(here[: i + 1]):
                    gains.append((p.present, closed * (p.fill.price - cost)))
                cost = p.fill.price if abs(qty) > abs(position) else cost
            left = position + qty
            position = 0.0 if position * qty < 0 and abs(left) < 1e-9 * abs(qty) else left
        return [(gain, exp(-(self.present - t) / DAY)) for t, gain in gains]

    def _closes_a_round_trip(self, here: list[Past]) -> bool:
        """Whether enough was bought in the day before the last of these, where that is a sale."""
        last = here[-1]
        bought = sold = 0.0
        for p in here:
            past = last.present - p.present
            bought += p.fill.notional * p.fill.buys * exp(-past / DAY)
            sold += p.fill.notional * (not p.fill.buys) * exp(-past / HOUR)
        return last.fill.buys or bought >= ROUND * sold

    def wins(self, fill: KeyFill) -> bool:
        """Whether the key gains from its round trips, often and beside all that it trades."""
        faded = self._closes(fill)
        gains = sum(w for gain, w in faded if gain >= 0)
        losses = sum(w for gain, w in faded if gain < 0)
        steady = gains >= FEWEST_GAINS and gains >= GAINS_FOR_LOSS * losses
        bought = self.here(fill.market, HOUR, lambda f: f.notional * f.buys) + fill.notional
        sold = self.here(fill.market, HOUR, lambda f: f.notional * (not f.buys))
        traded = bought + sold
        closes = bought <= OF_ROUND_TRIP * sold
        return steady and closes and sum(gain * w for gain, w in faded) >= TOKEN * traded

    def _tell_round_trips(self, fill: KeyFill, out: dict[str, float]) -> None:
        faded = self._closes(fill)
        lost = max(0.0, -sum(gain * w for gain, w in faded))
        out["round_trip_loss"] = log(1 + lost / exp(self.estimate("size")[0]))
        streak = sum(w if gain < 0 else -w for gain, w in faded)
        bought = self.here(fill.market, HOUR, lambda f: f.notional * f.buys)
        sold = self.here(fill.market, HOUR, lambda f: f.notional * (not f.buys))
        if fill.buys or bought >= ROUND * (sold + fill.notional):
            out["losing_streak"] = max(0.0, streak) / sqrt(sum(w for _, w in faded) + 1)

    def _tell_habits(self, fill: KeyFill, out: dict[str, float]) -> None:
        if fill.network is not None:
            last_four = list(dict.fromkeys(reversed(self.networks)))[:4]
            if fill.network not in last_four:
                out["network_novelty"] = log(1 + min(len(self.networks), 200))
        app, loyalty = None, 0
        for p in self.fills:
            if p.learned and p.fill.buys:
                app = p.fill.app if loyalty <= 0 else app
                loyalty = min(loyalty + 1, 50) if p.fill.app == app else loyalty - 1
        if fill.app != app:
            out["app_change"] = log(1 + loyalty)
        taken = self.settled_total(MONTH, lambda p: p.learned * p.fill.taker * p.fill.notional)
        traded = self.settled_total(MONTH, lambda p: p.learned * p.fill.notional)
        hour = self.here(fill.market, HOUR, lambda f: f.notional) + fill.notional
        hour_taken = self.here(fill.market, HOUR, lambda f: f.notional * f.taker)
        share = (hour_taken + fill.notional * fill.taker) / hour
        out["taker_excess"] = max(0.0, share - (taken + 1) / (traded + 2))

    def remember(
        self, fill: KeyFill, values: Mapping[str, float], *, learned: bool, chance: float
    ) -> None:
        """Take the fill in, after `told`."""
        self.fills.append(Past(fill, self.now, self.present, learned, dict(values), chance))
        if learned and fill.buys and fill.network is not None:
            self.networks.append(fill.network)

    def hear(self, network: str | None) -> None:
        """Take in an event that is no fill: a young key's networks are learned from it, too."""
        if network is not None and len(self.networks) < 5:
            self.networks.append(network)
