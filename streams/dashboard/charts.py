"""Charts: the market around an alert, read once from the orders topic and kept in the read model.

A chart is some hundred bars and the fills that matter, so that yesterday's alerts have theirs after
the orders are gone. While its window is still open, a chart that somebody looks at is read again.
"""

import logging
import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from aiokafka.errors import KafkaError
from typing_extensions import override

from models.alerts.envelope import PLACES_HEADER, Envelope
from streams.clock import now_ms
from streams.dashboard.alert_rows import read_alert
from streams.dashboard.read_model import DAY_MS, ReadModel
from streams.evidence.order_window import (
    OrdersTopic,
    OrderWindow,
    OrderWindowError,
    WindowOrder,
    places_of,
)
from streams.settings import Settings

# What is shown around the evidence grows with it: a blitz takes a minute, a drip hours.
BEFORE_MS: Final = (10 * 60_000, 60 * 60_000)  # least and most
AFTER_MS: Final = (5 * 60_000, 30 * 60_000)
BARS: Final = 240
MOST_FILLS: Final = 1000  # of each kind; the largest are kept
MOST_SELLERS: Final = 12  # whose sells are marked
WAITING: Final = 500  # charts in the queue; what does not fit is made when somebody looks
REMEMBERED: Final = 10_000
AGAIN_MS: Final = 4000  # between two readings of one chart
SHORTER: Final = (1.0, 0.25, 0.05)  # shares of the window, where a busy market overflows it

log = logging.getLogger(__name__)

Fill = tuple[int, float, float, int]  # ms, price, USD, seller (-1: the key itself)


class Chart(msgspec.Struct, frozen=True):
    """What the page draws; bars that nothing traded in are left out."""

    from_ts: int
    to_ts: int
    width: int  # of a bar, ms
    bars: list[tuple[int, float, float, float, float]]  # start, low, high, last price, USD
    buys: list[Fill]  # of the suspect keys
    sells: list[Fill]  # of the suspect keys: what they part with
    sellers: list[str]  # accounts that sold to the suspect keys, the largest first
    taken: list[Fill]  # sells of these accounts
    complete: bool  # no bound cut it short


@dataclass(frozen=True, slots=True, order=True)
class Job:
    """A chart to be made; what comes first is made first."""

    rank: int  # 0: somebody looks at it
    number: int  # of the alert, negated: newest first


class Charts(threading.Thread):
    """Makes charts, one at a time, while it is alive."""

    def __init__(
        self, settings: Settings, model: ReadModel, client: dict[str, Any] | None = None
    ) -> None:
        super().__init__(name="charts", daemon=True)
        self._settings = settings
        self._model = model
        self._client = client or {}
        self._jobs: queue.PriorityQueue[Job] = queue.PriorityQueue()
        self._ended = threading.Event()
        self._topic: OrdersTopic | None = None
        self.made = threading.Condition()
        self._tried: dict[int, int] = {}  # when the chart of an alert was last made, or not, ms

    def want(self, numbers: Iterable[int]) -> None:
        """Ask for the charts of new alerts."""
        for number in numbers:
            if self._jobs.qsize() >= WAITING:
                log.debug("too many charts wait; the others are left until somebody looks at them")
                return
            self._jobs.put(Job(1, -number))

    def look_at(self, number: int, raised_ts: int, patience_s: float) -> Chart | None:
        """Give the chart of an alert that somebody looks at; None where it cannot be had."""
        kept = self._kept(number)
        now = now_ms()
        if kept and (kept[0] > raised_ts + AFTER_MS[1] or now - kept[0] < AGAIN_MS):
            return kept[1]
        self._jobs.put(Job(0, -number))  # whatever waits: as many look as there are threads
        with self.made:
            self.made.wait_for(lambda: self._tried.get(number, 0) >= now, patience_s)
        kept = self._kept(number)
        return kept[1] if kept else None

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._ended.set()
        if self.is_alive():
            self.join(10)

    @override
    def run(self) -> None:
        while not self._ended.is_set():
            try:
                job = self._jobs.get(timeout=0.5)
            except queue.Empty:
                continue
            try:
                self._make(-job.number)
            except (KafkaError, OrderWindowError, OSError, sqlite3.Error) as error:
                log.warning("chart: %s", type(error).__name__)
                self._leave()
                self._ended.wait(0.5)
            with self.made:
                if len(self._tried) > REMEMBERED:
                    self._tried.clear()
                self._tried[-job.number] = now_ms()
                self.made.notify_all()
        self._leave()

    def _kept(self, number: int) -> tuple[int, Chart] | None:
        with self._model.reading() as db:
            row = db.execute(
                "SELECT made_ts, body FROM charts WHERE alert = ?", (number,)
            ).fetchone()
        return (row["made_ts"], msgspec.json.decode(row["body"], type=Chart)) if row else None

    def _make(self, number: int) -> None:
        with self._model.reading() as db:
            row = db.execute(
                "SELECT a.body, a.places, a.raised_ts, c.made_ts FROM alerts a"
                " LEFT JOIN charts c ON c.alert = a.n WHERE a.n = ?",
                (number,),
            ).fetchone()
            known = _profiteers(db, number)
        if row is None or (row["made_ts"] and now_ms() - row["made_ts"] < AGAIN_MS):
            return
        chart = self._read(read_alert(row["body"]), row["places"], known)
        if not chart.bars:  # the orders are gone, or not there yet: what is kept stays
            return
        with self._model.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO charts VALUES (?, ?, ?, ?)",
                (number, now_ms(), chart.complete, msgspec.json.encode(chart)),
            )

    def _read(self, alert: Envelope, places: bytes, profiteers: set[str]) -> Chart:
        if self._topic is None:
            servers = self._settings.bootstrap_servers()
            self._topic = OrdersTopic(servers, self._settings.orders_topic, self._client)
        data, near = alert.data, places_of([(PLACES_HEADER, places)])
        first, last = data.evidence.from_ts, data.event_ts
        window, from_ts, to_ts = OrderWindow(), first, last
        for share in SHORTER:
            from_ts = first - int(share * within(BEFORE_MS, 6 * (last - first)))
            to_ts = last + int(share * within(AFTER_MS, 3 * (last - first)))
            window = self._topic.window(from_ts, to_ts, symbol=data.symbol, near=near)
            if window.complete:
                break
        orders = [one.order for one in window.found if one.order.is_fill]
        orders = [order for order in orders if order.venue == data.venue]
        return draw(alert, orders, profiteers, from_ts, to_ts, complete=window.complete)

    def _leave(self) -> None:
        topic, self._topic = self._topic, None
        if topic is not None:
            topic.close()


def within(bounds: tuple[int, int], value: int) -> int:
    """Give the value, or the bound that it exceeds.

    >>> within((5, 30), 1), within((5, 30), 7), within((5, 30), 99)
    (5, 7, 30)
    """
    return min(bounds[1], max(bounds[0], value))


def _profiteers(db: sqlite3.Connection, number: int) -> set[str]:
    """Accounts that alerts of this market and day call profiteers."""
    rows = db.execute(
        "SELECT DISTINCT p.account FROM alerts a JOIN alerts p ON p.kind = 'profiteer'"
        " AND p.symbol = a.symbol AND p.venue = a.venue"
        " AND abs(p.event_ts - a.event_ts) < ? WHERE a.n = ?",
        (DAY_MS, number),
    )
    return {row["account"] for row in rows if row["account"]}


def draw(
    alert: Envelope,
    orders: list[WindowOrder],
    profiteers: set[str],
    from_ts: int,
    to_ts: int,
    *,
    complete: bool,
) -> Chart:
    """Make the chart of an alert from the fills of its market, in order of time."""
    keys = set(alert.named_keys())
    bought = [o for o in orders if o.api_key in keys and o.side == "buy"]
    sold = [o for o in orders if o.api_key in keys and o.side == "sell"]
    sellers = _sellers(orders, bought, profiteers)
    number = {account: place for place, account in enumerate(sellers)}
    taken = [o for o in orders if o.account in number and o.side == "sell"]
    width = max(1, (to_ts - from_ts + BARS - 1) // BARS)
    return Chart(
        from_ts,
        to_ts,
        width,
        _bars(orders, from_ts, width),
        _largest([_fill(o, -1) for o in bought]),
        _largest([_fill(o, -1) for o in sold]),
        sellers,
        _largest([_fill(o, number[o.account]) for o in taken]),
        complete,
    )


def _sellers(
    orders: list[WindowOrder], bought: list[WindowOrder], profiteers: set[str]
) -> list[str]:
    """Name who sold to the suspect keys, the largest first; profiteers before all."""
    received: dict[str, float] = defaultdict(float)
    own = {order.account for order in bought}
    for order in bought:
        if order.counterparty and order.counterparty not in own:
            received[order.counterparty] += usd(order)
    received |= dict.fromkeys(profiteers, float("inf"))
    present = {order.account for order in orders if order.side == "sell"}
    ordered = sorted(received.keys() & present, key=lambda account: (-received[account], account))
    return ordered[:MOST_SELLERS]


def usd(order: WindowOrder) -> float:
    """Value of a fill."""
    return order.notional or (order.price or 0.0) * (order.qty or 0.0)


def _fill(order: WindowOrder, seller: int) -> Fill:
    return (order.ts, order.price or 0.0, round(usd(order), 2), seller)


def _largest(fills: list[Fill]) -> list[Fill]:
    kept = sorted(fills, key=lambda fill: -fill[2])[:MOST_FILLS]
    return sorted(kept)


def _bars(
    orders: list[WindowOrder], from_ts: int, width: int
) -> list[tuple[int, float, float, float, float]]:
    bars: dict[int, list[float]] = {}
    for order in orders:
        price = order.price or 0.0
        start = from_ts + (order.ts - from_ts) // width * width
        bar = bars.setdefault(start, [price, price, price, 0.0])
        bar[0], bar[1], bar[2] = min(bar[0], price), max(bar[1], price), price
        bar[3] += usd(order)
    return [
        (start, low, high, last, round(value, 2))
        for start, (low, high, last, value) in sorted(bars.items())
    ]
