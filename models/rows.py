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
        return self._at(rows, self.orders.take(rows))

    def select(self, rows: Int64s) -> Self:
        """Do so, but with all names: sooner done, for what is joined or taken from at once."""
        return self._at(rows, self.orders.select(rows))

    def _at(self, rows: Int64s, orders: OrderBatch) -> Self:
        extra = {name: column[rows] for name, column in self.extra.items()}
        return type(self)(orders, self.time[rows], self.merge_time[rows], extra)

    def with_columns(self, **columns: NDArray[Any]) -> Self:
        """Give the same events with more said of them."""
        return type(self)(self.orders, self.time, self.merge_time, self.extra | columns)

    def without(self, name: str) -> Self:
        """Give the same events with one column less."""
        extra = {other: column for other, column in self.extra.items() if other != name}
        return type(self)(self.orders, self.time, self.merge_time, extra)

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
