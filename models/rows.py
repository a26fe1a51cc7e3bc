"""Orders between stages: events, their place in time, and what earlier stages said of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.orders.batch import NONE, Int64s, OrderBatch, UInt64s

NEVER: Final = int(np.iinfo(np.int64).max)
LONG_AGO: Final = int(np.iinfo(np.int64).min)  # before any event


@dataclass(frozen=True, slots=True)
class Rows:
    """n events in order; every column has shape (n, ...)."""

    orders: OrderBatch
    time: Int64s  # the clock of the event's market, ms
    merge_time: Int64s  # the clock of the partition that it came through, ms; it never goes back,
    # unless the partition's first time is taken back
    extra: dict[str, NDArray[Any]]  # columns that stages added

    def __len__(self) -> int:
        return len(self.orders)

    def take(self, rows: Int64s) -> Self:
        """Give the events at `rows`, in that order."""
        return type(self)(
            self.orders.take(rows),
            self.time[rows],
            self.merge_time[rows],
            {name: column[rows] for name, column in self.extra.items()},
        )

    def with_columns(self, **columns: NDArray[Any]) -> Self:
        """Give the same events with more said of them."""
        return type(self)(self.orders, self.time, self.merge_time, self.extra | columns)

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Put batches one after the other; all must have the same columns."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            OrderBatch.concat([part.orders for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.merge_time for part in parts]),
            {name: np.concatenate([p.extra[name] for p in parts]) for name in parts[0].extra},
        )


def owners(rows: Rows) -> UInt64s:
    """Hash of each event's key, or of its account where it has none: its home after the markets."""
    orders = rows.orders
    accounts: UInt64s = orders.accounts.hashes[orders.account]
    keyed = orders.key != NONE
    if not keyed.any():
        return accounts
    return np.where(keyed, orders.keys.hashes[orders.key], accounts)


class Merge:
    """One stream in order of time out of several, up to the time that all of them have passed.

    Events are ordered by (clock of the partition, clock of the market, hash of the market, hash of
    the owner), and as they came within one market and owner. Where the two clocks agree, which is
    where events come in order of time, no number of partitions can change that order, as long as
    each market's order is kept. An event behind the time already passed is late: it is used on
    arrival and counted.
    """

    def __init__(self, sources: int) -> None:
        self._passed = np.full(sources, LONG_AGO)  # NEVER while a source is idle
        self._held: list[_Part] = []
        self._released = LONG_AGO
        self.late = 0

    @property
    def watermark(self) -> int:
        """Time before which nothing is missing, ms; NEVER when every source is idle."""
        return int(self._passed.min())

    def add(self, source: int, rows: Rows | None, passed: int) -> None:
        """Take the next events of a source, which has been read up to the time `passed`."""
        if rows is not None and len(rows):
            self._held.append(_Part(rows))
        self._passed[source] = passed

    def idle(self, source: int) -> None:
        """Note that a source has been read to its end: nobody waits for it until it goes on."""
        self._passed[source] = NEVER

    def ready(self) -> Rows | None:
        """Give the events that nothing can come before any more, in order; None without any."""
        watermark = self.watermark
        due = [part.release(watermark) for part in self._held if part.earliest < watermark]
        if not due:
            return None
        self._held = [part for part in self._held if part.earliest < NEVER]
        rows = Rows.concat(due)
        self.late += int((rows.merge_time < self._released).sum())
        self._released = max(self._released, int(rows.merge_time.max()))
        return rows.take(_time_order(rows))


class _Part:
    """Events that came together, and which of them are still to be released."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._held: Int64s = np.arange(len(rows))
        self.earliest = int(rows.merge_time.min())  # of what is held, ms; NEVER without any

    def release(self, watermark: int) -> Rows:
        """Give the events before a time, and hold them no longer."""
        times = self._rows.merge_time[self._held]
        is_due = times < watermark
        due, self._held = self._held[is_due], self._held[~is_due]
        self.earliest = int(times[~is_due].min(initial=NEVER))
        return self._rows if len(due) == len(self._rows) else self._rows.take(due)


def _time_order(rows: Rows) -> Int64s:
    market: UInt64s = rows.orders.markets.hashes[rows.orders.market]
    order: Int64s = np.lexsort((owners(rows), market, rows.time, rows.merge_time))
    return order
