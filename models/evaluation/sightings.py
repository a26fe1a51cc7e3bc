"""Sightings: every fill that any threshold could alert, from one pass of the detector."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.alerts.suspects import Suspect
from models.orders.batch import Float64s, Int64s

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
        self._places: dict[str, int] = {}  # of the keys, in the order in which they came
        self._seen: list[tuple[int, int, float, float]] = []

    def __call__(self, suspect: Suspect, ts: int) -> None:
        """Take in a fill whose rank was known at the time `ts`, ms."""
        if suspect.rank >= LOWEST_RANK:
            place = self._places.setdefault(suspect.key, len(self._places))
            self._seen.append((place, ts, suspect.rank, suspect.notional))

    def sightings(self) -> Sightings:
        """Give what was seen."""
        key, ts, rank, notional = zip(*self._seen, strict=True) if self._seen else [()] * 4
        return Sightings(
            list(self._places),
            np.array(key, np.int64),
            np.array(ts, np.int64),
            np.array(rank, np.float64),
            np.array(notional, np.float64),
        )
