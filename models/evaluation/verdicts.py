"""Verdicts: what alerts were worth on one tape, theft by theft."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from models.evaluation.exposure import Exposure
from models.evaluation.labels import UNKNOWN, Labels
from models.orders.batch import Float64s, Int64s


@dataclass(frozen=True, slots=True)
class Theft:
    """One incident, and how its leaked keys were met."""

    kind: str
    keys: int
    caught: int = 0
    rogue: float = 0.0  # USD, of all its keys
    saved: float = 0.0  # of it, after the alert on its key
    delays_s: tuple[float, ...] = ()  # of each caught key, from its first rogue order to the alert
    orders_until: tuple[int, ...] = ()  # rogue orders of each, those that raised the alert included


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the alerts of one method were worth on one tape."""

    tape: str
    exposure: Exposure
    thefts: list[Theft]
    false: list[str]  # keys alerted that were not being misused


class Misuse(NamedTuple):
    """Rogue orders of one key, n of them, in order of time."""

    incident: int
    first: int  # ms
    times: Int64s  # (n,), ms
    spent: Float64s  # (n + 1,): USD before each, and in all


class Truth:
    """A tape's labels, made ready to judge many sets of alerts."""

    def __init__(self, tape: str, labels: Labels, exposure: Exposure) -> None:
        self.tape = tape
        self.labels = labels
        self.exposure = exposure
        self._misuse = {}
        for key, leak in labels.leaked.items():
            rogue = sorted(leak.rogue)
            times = np.array([ts for ts, _ in rogue], np.int64)
            spent = np.cumsum([0.0, *(usd for _, usd in rogue)])
            self._misuse[key] = Misuse(leak.incident, leak.first_rogue_ts, times, spent)
        self._kinds = {incident.id: incident.kind for incident in labels.incidents}

    def judge(self, alerted: Iterable[tuple[str, int]]) -> Verdict:
        """Hold alerts, each a key and its order's time (ms), to what truly happened."""
        caught, false = self.labels.caught(alerted)
        return Verdict(self.tape, self.exposure, self._thefts(caught), sorted(false))

    def _thefts(self, caught: dict[str, int]) -> list[Theft]:
        keys: dict[int, list[str]] = {}
        for key, misuse in self._misuse.items():
            keys.setdefault(misuse.incident, []).append(key)
        return [self._theft(number, keys[number], caught) for number in sorted(keys)]

    def _theft(self, number: int, keys: list[str], caught: dict[str, int]) -> Theft:
        met = [(self._misuse[key], caught[key]) for key in keys if key in caught]
        until = [int(np.searchsorted(misuse.times, at, "right")) for misuse, at in met]
        return Theft(
            kind=self._kinds.get(number, UNKNOWN),
            keys=len(keys),
            caught=len(met),
            rogue=sum(float(self._misuse[key].spent[-1]) for key in keys),
            saved=sum(
                float(misuse.spent[-1] - misuse.spent[count])
                for (misuse, _), count in zip(met, until, strict=True)
            ),
            delays_s=tuple((at - misuse.first) / 1000 for misuse, at in met),
            orders_until=tuple(until),
        )
