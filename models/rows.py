"""Orders between stages: events, their place in time, and what earlier stages said of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.orders.batch import Int64s, OrderBatch, UInt64s

NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Rows:
    """n events in order; every column has shape (n, ...)."""

    orders: OrderBatch
    time: Int64s  # the clock of the event's market, ms
    merge_time: Int64s  # the clock of the partition that it came through, ms: never decreases
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


class Merge:
    """One stream in order of time out of several, up to the time that all of them have passed.

    Events are ordered by (clock of the partition, clock of the market, hash of the market, hash of
    the key), and as they came within one market and key. Where the two clocks agree, which is where
    events come in order of time, no number of partitions can change that order, as long as each
    market's order is kept. An event behind the time already passed is late: it is used on arrival
    and counted.
    """

    def __init__(self, sources: int) -> None:
        self._passed = np.full(sources, np.iinfo(np.int64).min)  # NEVER while a source is idle
        self._held: list[Rows] = []
        self._released = np.iinfo(np.int64).min
        self.late = 0

    @property
    def watermark(self) -> int:
        """Time before which nothing is missing, ms; NEVER when every source is idle."""
        return int(self._passed.min())

    def add(self, source: int, rows: Rows | None, passed: int) -> None:
        """Take the next events of a source, which has been read up to the time `passed`."""
        if rows is not None and len(rows):
            self._held.append(rows)
        self._passed[source] = passed

    def idle(self, source: int) -> None:
        """Note that a source has been read to its end: nobody waits for it until it goes on."""
        self._passed[source] = NEVER

    def ready(self) -> Rows | None:
        """Give the events that nothing can come before any more, in order; None without any."""
        if not self._held:
            return None
        rows = Rows.concat(self._held)
        watermark = self.watermark
        due = rows.merge_time < watermark
        if not due.any():
            self._held = [rows]
            return None
        ready = np.flatnonzero(due)
        order = ready[_time_order(rows, ready)]
        self._held = [] if due.all() else [rows.take(np.flatnonzero(~due))]
        self.late += int((rows.merge_time[ready] < self._released).sum())
        self._released = max(self._released, int(rows.merge_time[ready].max()))
        return rows.take(order)


def _time_order(rows: Rows, chosen: Int64s) -> Int64s:
    market: UInt64s = rows.orders.markets.hashes[rows.orders.market[chosen]]
    key: UInt64s = rows.orders.keys.hashes[rows.orders.key[chosen]]
    order: Int64s = np.lexsort((key, market, rows.time[chosen], rows.merge_time[chosen]))
    return order
