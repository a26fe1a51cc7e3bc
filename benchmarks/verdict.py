"""Verdicts: what the alerts of one method were worth on one tape, and on several together."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from benchmarks.labelled_tape import NEVER, LabelledTape
from models.evaluation.labels import UNKNOWN
from models.orders.batch import Float64s, Int64s

RESAMPLED: Final = 2_000  # times, for an interval
INTERVAL: Final = (0.05, 0.95)  # quantiles: 90 %
SEED: Final = 20221209


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


@dataclass(frozen=True, slots=True)
class Theft:
    """One incident: its leaked keys, and how many of them were caught."""

    kind: str
    keys: int
    caught: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the alerts of a method were worth on one tape."""

    tape: str
    orders: int
    key_days: float
    active_key_days: int
    thefts: list[Theft]
    false: list[str]  # keys alerted that were not being misused
    delays_s: list[float]  # of each caught key, from its first rogue fill to the alert
    rogue_before: list[int]  # rogue fills of each caught key up to the alert
    rogue: float  # USD, of all leaked keys
    saved: float  # of it, after the alert on its key


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
        allowed = round(budget * self._tape.key_days / 1000)
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


def judge(tape: LabelledTape, alerted: Iterable[tuple[str, int]]) -> Verdict:
    """Hold alerts, each a key and the time (ms) in its envelope, to what truly happened."""
    leaked = tape.labels.leaked
    caught: dict[str, int] = {}
    false = set()
    for key, ts in alerted:
        if key in leaked and ts >= leaked[key].first_rogue_ts:
            caught[key] = min(ts, caught.get(key, ts))
        else:
            false.add(key)
    return Verdict(
        tape=tape.name,
        orders=tape.orders,
        key_days=tape.key_days,
        active_key_days=tape.active_key_days,
        thefts=_thefts(tape, caught),
        false=sorted(false),
        delays_s=[(at - leaked[key].first_rogue_ts) / 1000 for key, at in caught.items()],
        rogue_before=[sum(ts <= at for ts, _ in leaked[key].rogue) for key, at in caught.items()],
        rogue=sum(usd for leak in leaked.values() for _, usd in leak.rogue),
        saved=sum(usd for key, at in caught.items() for ts, usd in leaked[key].rogue if ts > at),
    )


def _thefts(tape: LabelledTape, caught: dict[str, int]) -> list[Theft]:
    kinds = {incident.id: incident.kind for incident in tape.labels.incidents}
    keys: dict[int, list[bool]] = defaultdict(list)
    for key, leak in tape.labels.leaked.items():
        keys[leak.incident].append(key in caught)
    return [
        Theft(kinds.get(number, UNKNOWN), len(found), sum(found))
        for number, found in sorted(keys.items())
    ]


@dataclass(frozen=True, slots=True)
class Recall:
    """Share of the leaked keys that were caught, with its 90 % interval over incidents."""

    keys: int
    share: float
    low: float
    high: float


def recall_of(thefts: Sequence[Theft]) -> Recall:
    """Pool thefts; the interval comes from resampling whole thefts, whose keys share one fate."""
    if not thefts:
        return Recall(0, 0.0, 0.0, 0.0)
    keys = np.array([theft.keys for theft in thefts])
    caught = np.array([theft.caught for theft in thefts])
    drawn = np.random.default_rng(SEED).integers(0, len(keys), (RESAMPLED, len(keys)))
    shares = caught[drawn].sum(axis=1) / keys[drawn].sum(axis=1)
    low, high = np.quantile(shares, INTERVAL).tolist()
    return Recall(int(keys.sum()), float(caught.sum() / keys.sum()), low, high)
