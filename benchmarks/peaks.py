"""Peaks: what a method thought of each key at most, and the threshold that hindsight would set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from benchmarks.labelled_tape import NEVER, LabelledTape
from models.orders.batch import Float64s, Int64s


@dataclass(frozen=True, slots=True)
class Sightings:
    """What a method thinks of n fills: code of the key, time (ms) and score, each (n,)."""

    key: Int64s
    ts: Int64s
    score: Float64s

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Put the sightings of one method one after the other."""
        return cls(
            np.concatenate([part.key for part in parts]),
            np.concatenate([part.ts for part in parts]),
            np.concatenate([part.score for part in parts]),
        )


class Peaks:
    """Highest score of each key, before it was misused and since; each of shape (K,)."""

    def __init__(self, tape: LabelledTape, sightings: Sightings) -> None:
        self._tape = tape
        self._sightings = sightings
        self._rogue = sightings.ts >= tape.first_rogue[sightings.key]
        self.benign = np.full(len(tape.keys), -np.inf)
        self.rogue = np.full(len(tape.keys), -np.inf)
        for peaks, rows in ((self.benign, ~self._rogue), (self.rogue, self._rogue)):
            np.maximum.at(peaks, sightings.key[rows], sightings.score[rows])

    def limit(self, budget: float) -> float:
        """Score that just `budget` keys in 1,000 key-days exceed without cause: hindsight."""
        allowed = round(budget * self._tape.truth.exposure.key_days / 1000)
        ordered = np.sort(self.benign)[::-1]
        return float(ordered[allowed]) if allowed < len(ordered) else -np.inf

    def recall(self, budget: float) -> float:
        """Share of the leaked keys that exceed that score."""
        leaked = self._tape.first_rogue != NEVER
        return float((self.rogue[leaked] > self.limit(budget)).mean()) if leaked.any() else 0.0

    def alerts(self, budget: float) -> list[tuple[str, int]]:
        """Alert each key the first time it exceeds that score, before it was misused and since."""
        over = np.flatnonzero(self._sightings.score > self.limit(budget))
        first: dict[tuple[int, bool], int] = {}
        keys, times = self._sightings.key[over].tolist(), self._sightings.ts[over].tolist()
        for key, ts, rogue in zip(keys, times, self._rogue[over].tolist(), strict=True):
            first[key, rogue] = min(ts, first.get((key, rogue), ts))
        return [(self._tape.keys[key], ts) for (key, _), ts in first.items()]
