"""What the market stage says of a fill, restated from all past events, without any running sum."""

from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from math import exp, log, sqrt
from typing import Final

from models.market.company import NAME_BITS, NAMES
from models.market.state import CONTEXT
from models.orders.hashing import stable_hashes
from tests.factories import Event

MINUTE: Final = 60_000.0
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY
CROWD: Final = 15 * MINUTE
WINDOWS: Final = (10 * MINUTE, WEEK)

SAMPLED: Final = 4  # of an app's buyers in a market

Context = dict[str, float]


@dataclass
class Fill:
    """A fill as it was seen."""

    time: float  # `present`, when it was seen
    late: bool
    price: float
    notional: float
    order: str | None
    maker: bool
    given_arrival: float | None


@dataclass
class NaiveMarket:
    """Everything that ever happened in one market."""

    times: list[int] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    sales: list[tuple[float, str, float]] = field(default_factory=list)  # time, account, USD
    purchases: list[tuple[float, str, str | None]] = field(default_factory=list)  # time, key, app
    newcomers: list[tuple[float, str | None]] = field(default_factory=list)  # time, app
    met: list[set[int]] = field(default_factory=list)  # by event: who else of its app buys

    def observe(self, event: Event) -> Context | None:
        """Give the context of a fill, or None of what is no fill, and then remember the event."""
        self.times.append(event["ts"])
        self.met.append(self.company(event))
        if event.get("status", "filled") not in ("filled", "partially_filled"):
            return None
        notional = event.get("notional", event["price"] * event["qty"])
        late = event["ts"] < self.now - MINUTE
        arrival = event.get("arrival_price")
        order, maker = event.get("order_id"), event.get("maker", False)
        fill = Fill(self.present, late, event["price"], notional, order, maker, arrival)
        told = self._told(event, fill)
        self._remember(event, fill)
        return told

    @property
    def now(self) -> float:
        return float(max(self.times))

    @property
    def present(self) -> float:
        """Time up to which sums decay: 6 h after an event at most, until another agrees."""
        before = max(self.times[:-1], default=self.now)
        return min(self.now, before + 6 * HOUR) if self.now > before + HOUR else self.now

    @property
    def age(self) -> float:
        return self.now - self.times[0]

    def decayed(self, times_and_amounts: list[tuple[float, float]], window: float) -> float:
        return sum(amount * exp(-(self.present - t) / window) for t, amount in times_and_amounts)

    def volume(self, window: float) -> float:
        return self.decayed([(fill.time, fill.notional) for fill in self.fills], window)

    def usual_daily_volume(self) -> float:
        share = 1 - exp(-max(self.age, HOUR) / WEEK)
        return self.volume(WEEK) / 7 / share

    def moves(self) -> list[tuple[float, float]]:
        """Time and size of each move of the price from fill to fill."""
        told = [fill for fill in self.fills if not fill.late]
        return [
            (after.time, min(abs(log(after.price / before.price)), 0.1))
            for before, after in pairwise(told)
        ]

    def daily_sigma(self) -> float:
        squares = self.decayed([(t, move**2) for t, move in self.moves()], DAY)
        return max(sqrt(squares / (1 - exp(-max(self.age, HOUR) / DAY))), 0.01)

    def reference(self, window: float) -> float:
        """Mean log price, each moment weighing exp(-age / window), before the first the first."""
        levels = [(fill.time, log(fill.price)) for fill in self.fills if not fill.late]
        starts = [float("-inf"), *(t for t, _ in levels[1:])]
        ends = [*starts[1:], self.present]
        return sum(
            level * (exp(-(self.present - end) / window) - exp(-(self.present - start) / window))
            for (_, level), start, end in zip(levels, starts, ends, strict=True)
        )

    def price(self) -> float | None:
        return next((fill.price for fill in reversed(self.fills) if not fill.late), None)

    def _order_so_far(self, fill: Fill) -> list[int]:
        """Places of the order's fills, up to now, without another's of its role between them."""
        same_role = [n for n, earlier in enumerate(self.fills) if earlier.maker == fill.maker]
        orders = [self.fills[n].order for n in same_role]
        run = len(list(takewhile(lambda order: order == fill.order, reversed(orders))))
        return same_role[len(same_role) - run :] if fill.order is not None else []

    def _arrival(self, fill: Fill) -> float:
        """Given with the order's first fill, or the price before it, or else its own."""
        place = next(iter(self._order_so_far(fill)), len(self.fills))
        first = [*self.fills, fill][place]
        before = NaiveMarket(self.times, self.fills[:place])
        return first.given_arrival or before.price() or first.price

    def new_seller_share(self) -> float:
        sold = self.decayed([(t, usd) for t, _, usd in self.sales], 10 * MINUTE)
        new = 0.0
        for account in {account for _, account, _ in self.sales}:
            flow = [(t, usd) for t, name, usd in self.sales if name == account]
            recent, usual = self.decayed(flow, 10 * MINUTE), self.decayed(flow, WEEK)
            explained = 50 * (usual - recent) * (10 * MINUTE / WEEK)
            new += max(0.0, recent - explained)
        known = 1 - exp(-self.age / DAY)
        return min(1.0, new / sold) * known if sold else 0.0

    def came(self, app: str | None, window: float) -> float:
        """Newcomers of an app, or with None of all, decayed."""
        return self.decayed([(t, 1.0) for t, of in self.newcomers if app in (None, of)], window)

    def others_buying(self, key: str, app: str | None) -> float:
        """Other keys that bought, of an app or with None of all, each counting from its last."""
        last = {name: t for t, name, of in self.purchases if name != key and app in (None, of)}
        return self.decayed([(t, 1.0) for t in last.values()], CROWD)

    def company(self, event: Event) -> set[int]:
        """Names of those of its app that bought before it: of the least, who has come by now."""
        key, app = event["api_key"], event.get("app")
        is_fill = event.get("status", "filled") in ("filled", "partially_filled")
        if event["side"] == "sell" or key is None or app is None or not is_fill:
            return set()
        held: dict[int, float] = {}
        for time, name in [*self._bought(app), (self.present, _name(key))]:
            held = {n: t for n, t in held.items() if n != name and time - t <= CROWD}
            others = set(held)
            if len(held) == SAMPLED and name < max(held):
                del held[max(held)]
            if len(held) < SAMPLED:
                held[name] = time
        return others

    def _bought(self, app: str) -> list[tuple[float, int]]:
        return [(t, _name(key)) for t, key, of in self.purchases if of == app]

    def _told(self, event: Event, fill: Fill) -> Context:
        told = dict.fromkeys(CONTEXT, 0.0)
        filled = fill.notional + sum(self.fills[n].notional for n in self._order_so_far(fill))
        volume = max(self.usual_daily_volume(), fill.notional)
        told["sigma"] = self.daily_sigma()
        told["daily_volume"] = volume
        told["volume_10m"] = self.volume(10 * MINUTE)
        told["order_notional"] = filled
        told["newcomers"] = self.came(None, 10 * MINUTE)
        told["new_seller_share"] = self.new_seller_share()
        self._tell_buyer(event, told)
        if not fill.late:
            sign = 1 if event["side"] == "buy" else -1
            told["adverse_move"] = sign * log(fill.price / self._arrival(fill))
            if self.price() is not None:
                told["from_reference_1h"] = log(fill.price) - self.reference(HOUR)
        return told

    def _tell_buyer(self, event: Event, told: Context) -> None:
        key, app = event["api_key"], event.get("app")
        if event["side"] == "sell" or key is None:
            return
        told["buyers"] = self.others_buying(key, None)
        if app is not None:
            told["app_buyers"] = self.others_buying(key, app)
            told["app_newcomers"] = self.came(app, 10 * MINUTE)

    def _remember(self, event: Event, fill: Fill) -> None:
        self.fills.append(fill)
        key, counterparty = event["api_key"], event.get("counterparty")
        if event["side"] == "sell":
            self.sales.append((fill.time, event["account"], fill.notional))
        elif counterparty is not None:
            self.sales.append((fill.time, counterparty, fill.notional))
        if event["side"] == "buy" and key is not None:
            if key not in {name for _, name, _ in self.purchases}:
                self.newcomers.append((fill.time, event.get("app")))
            self.purchases.append((fill.time, key, event.get("app")))


def names_in(packed: int) -> set[int]:
    """Take the names out of what an event is told of its company."""
    shifts = range(0, SAMPLED * NAME_BITS, NAME_BITS)
    return {packed >> shift & NAMES for shift in shifts} - {0}


def _name(key: str) -> int:
    return int(stable_hashes([key])[0]) % 65_535 + 1


def restate(tape: list[Event]) -> tuple[dict[str, NaiveMarket], list[Context | None]]:
    """Give the markets after a tape of distinct events, and the context of each fill on it."""
    markets: dict[str, NaiveMarket] = {}
    told = [markets.setdefault(e["symbol"], NaiveMarket()).observe(e) for e in tape]
    return markets, told
