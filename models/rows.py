"""Orders between stages: events, their place in time, and what earlier stages said of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

import numpy as np

from models.orders.batch import NONE, Int64s, OrderBatch, UInt64s
from models.records import RecordArray, joined, taken

NEVER: Final = int(np.iinfo(np.int64).max)
LONG_AGO: Final = int(np.iinfo(np.int64).min)  # before any event


Told: TypeAlias = Any  # records, (n,); their fields as attributes no type checker sees
PLACE: Final[list[tuple[str, str]]] = [("time", "i8"), ("merge_time", "i8")]


@dataclass(frozen=True, slots=True)
class Rows:
    """n events in order, and what stages say of each."""

    orders: OrderBatch
    told: RecordArray  # shape (n,), records of whatever the stage tells, PLACE at least

    def __len__(self) -> int:
        return len(self.orders)

    @property
    def time(self) -> Int64s:
        """The clock of each event's market, ms."""
        time: Int64s = self.told["time"]
        return time

    @property
    def merge_time(self) -> Int64s:
        """The clock of the partition that each event came through, ms.

        It never goes back, unless the partition's first time is taken back.
        """
        time: Int64s = self.told["merge_time"]
        return time

    def take(self, rows: Int64s) -> Self:
        """Give the events at `rows`, in that order."""
        return type(self)(self.orders.take(rows), taken(self.told, rows))

    def select(self, rows: Int64s) -> Self:
        """Do so, but with all names: sooner done, for what is joined or taken from at once."""
        return type(self)(self.orders.select(rows), taken(self.told, rows))

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Put batches one after the other; all must come from stages of one kind."""
        if len(parts) == 1:
            return parts[0]
        orders = OrderBatch.concat([part.orders for part in parts])
        return cls(orders, joined([part.told for part in parts]))


def owners(rows: Rows) -> UInt64s:
    """Hash of each event's key, or of its account where it has none: its home after the markets."""
    orders = rows.orders
    accounts: UInt64s = orders.accounts.hashes[orders.account]
    keyed = orders.key != NONE
    if not keyed.any():
        return accounts
    return np.where(keyed, orders.keys.hashes[orders.key], accounts)
