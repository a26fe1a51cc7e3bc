"""Exposure: how much was watched, against which false alerts are counted."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.market.state import DAY
from models.orders.batch import NONE, OrderBatch

_MIX: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a tape holds."""

    orders: int  # events
    key_days: float  # keys times days, from the first event to the last
    active_key_days: int  # of them, those on which the key did anything


class Watched:
    """Counts exposure while a tape goes by."""

    def __init__(self) -> None:
        self.first_ts: int | None = None  # ms
        self.last_ts: int | None = None
        self._orders = 0
        self._keys: set[int] = set()
        self._key_days: set[int] = set()

    def add(self, batch: OrderBatch) -> None:
        """Take in the next events."""
        if not len(batch):
            return
        first, last = int(batch.ts.min()), int(batch.ts.max())
        self.first_ts = first if self.first_ts is None else min(first, self.first_ts)
        self.last_ts = last if self.last_ts is None else max(last, self.last_ts)
        self._orders += len(batch)
        keyed = np.flatnonzero(batch.key != NONE)
        keys, days = batch.keys.hashes[batch.key[keyed]], batch.ts[keyed] // DAY
        self._keys.update(np.unique(keys).tolist())
        # Two key-days of one number among 2^64 would do no harm.
        self._key_days.update(np.unique(keys ^ (days.astype(np.uint64) * _MIX)).tolist())

    def exposure(self) -> Exposure:
        """Give what was counted so far."""
        days = ((self.last_ts or 0) - (self.first_ts or 0)) / DAY
        return Exposure(self._orders, len(self._keys) * days, len(self._key_days))
