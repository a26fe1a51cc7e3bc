"""Incidents of keys: what belongs together, and when it is worth another alert."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

import msgspec

from models.alerts.envelope import MAX_EVIDENCE, Evidence, Place, Severity
from models.snapshot import Remembering

QUIET_MS: Final = 30 * 60_000  # an incident is over when nothing was suspect for so long


class Sighting(msgspec.Struct, frozen=True):
    """One suspect fill."""

    rank: float
    ts: int
    event_id: str
    place: Place


@dataclass(slots=True)
class Incident:
    """What a key has been seen doing since it was last quiet."""

    since: int = 0  # event time of the first suspect fill, ms; 0: none yet
    last: int = 0  # time of the last suspect fill, ms
    alerted: Severity | None = None
    notional: float = 0.0  # USD of its suspect fills
    impact: float = 0.0  # sum of their adverse log moves, each times its notional
    sightings: list[Sighting] = field(default_factory=list)  # those that weigh most

    def add(self, sighting: Sighting, time: int, notional: float, impact: float) -> None:
        """Take in a suspect fill."""
        self.since = min(self.since or sighting.ts, sighting.ts)
        self.last = max(self.last, time)
        self.notional += notional
        self.impact += impact
        self.sightings.append(sighting)
        if len(self.sightings) > 2 * MAX_EVIDENCE:
            self.sightings = self.strongest()

    def strongest(self) -> list[Sighting]:
        """Give the fills that weigh most, at most MAX_EVIDENCE, strongest first."""
        ordered = sorted(self.sightings, key=lambda s: (-s.rank, s.ts, s.event_id))
        return ordered[:MAX_EVIDENCE]

    def is_news(self, severity: Severity) -> bool:
        """Whether an alert of this severity says something that none has said yet."""
        return self.alerted is None or severity > self.alerted


def evidence_of(sightings: Sequence[Sighting]) -> Evidence:
    """Name fills as evidence, in the order given."""
    return Evidence(
        min(s.ts for s in sightings),
        max(s.ts for s in sightings),
        [s.event_id for s in sightings],
    )


class Incidents(Remembering):
    """The open incident of each key; those of quiet keys are forgotten."""

    remembered: ClassVar = {"_open": dict[str, Incident], "_swept": int}

    def __init__(self) -> None:
        self._open: dict[str, Incident] = {}
        self._swept = 0

    def of(self, key: str, time: int) -> Incident:
        """Give the key's open incident, a new one if it has been quiet."""
        if abs(time - self._swept) > QUIET_MS:  # also after a time far ahead was taken back
            self._open = {k: i for k, i in self._open.items() if time - i.last <= QUIET_MS}
            self._swept = time
        incident = self._open.get(key)
        if incident is None or time - incident.last > QUIET_MS:
            incident = self._open[key] = Incident()
        return incident
