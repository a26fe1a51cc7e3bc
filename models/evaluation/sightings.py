"""Sightings: every fill that any threshold could alert, from one pass of the detector."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.orders.batch import Float64s, Int64s, UInt64s
from models.rows import Rows

LOWEST_RANK: Final = 1.0  # of an alert: 100 falsely alerted keys in 1,000 key-days


@dataclass(frozen=True, slots=True)
class Sightings:
    """n fills of K keys, in the order in which they were judged."""

    keys: list[str]  # (K,)
    key: Int64s  # (n,), place in `keys`
    ts: Int64s  # (n,), ms
    rank: Float64s  # (n,), -log10 of the chance on a benign key-day
    notional: Float64s  # (n,), USD

    def alerts(self, rank: float, since: Int64s) -> list[tuple[str, int]]:
        """First fill of each key from a rank on, before a time (K,) and since: key and ms each.

        All others of the key would say nothing new of it.
        """
        over = self.rank >= rank
        later = self.ts >= since[self.key]
        found = []
        for chosen in (over & ~later, over & later):
            first = np.full(len(self.keys), np.iinfo(np.int64).max)
            np.minimum.at(first, self.key[chosen], self.ts[chosen])
            met = np.unique(self.key[chosen])
            found += [(self.keys[key], int(first[key])) for key in met.tolist()]
        return found


class Recorder:
    """Watches a detector and keeps what it saw."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._parts: list[tuple[UInt64s, Int64s, Float64s, Float64s]] = []

    def __call__(self, rows: Rows, ranks: Float64s) -> None:
        """Take in fills and their ranks."""
        seen = np.flatnonzero(ranks >= LOWEST_RANK)
        orders = rows.orders
        codes = orders.key[seen]
        for code in np.unique(codes).tolist():
            self._names[int(orders.keys.hashes[code])] = orders.keys.strings[code]
        hashes = orders.keys.hashes[codes]
        notional = orders.notional[seen].astype(np.float64)
        self._parts.append((hashes, orders.ts[seen], ranks[seen], notional))

    def sightings(self) -> Sightings:
        """Give what was seen."""
        known = sorted(self._names)
        empty = (np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0), np.empty(0))
        columns = zip(empty, *self._parts, strict=True)
        hashes, ts, rank, notional = (np.concatenate(column) for column in columns)
        key = np.searchsorted(np.array(known, np.uint64), hashes).astype(np.int64)
        return Sightings([self._names[name] for name in known], key, ts, rank, notional)
