"""Decisions: what analysts found out about alerted keys, taken as labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from models.evaluation.labels import LabelledIncident, Labels, LeakedKey
from models.evaluation.sightings import Sightings

CONFIRMED: Final = "confirmed"  # kind of an incident of which no more is known
ROGUE: Final = 2.0  # rank from which a fill of a confirmed key is taken for rogue


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a key was being misused."""

    key: str
    leaked: bool
    since: int | None = None  # ms, the alert's first suspect order; None: not known
    at: int | None = None  # ms, the order that raised the alert; None: not known


def corrected(labels: Labels, decisions: Sequence[Decision], sightings: Sightings) -> Labels:
    """Labels as analysts correct them, who are believed where both speak of a key.

    A confirmed key that the labels do not know becomes a theft of its own. Its rogue orders are
    those that the detector found noteworthy since then: nobody else has told which they are.
    """
    confirmed = {decision.key: decision for decision in decisions if decision.leaked}
    refuted = [each for each in decisions if not each.leaked and each.key not in confirmed]
    kept = dict(labels.leaked)
    for each in refuted:
        leak = kept.get(each.key)
        if leak is not None and (each.at is None or each.at >= leak.first_rogue_ts):
            del kept[each.key]
    numbers = [leak.incident for leak in kept.values()] + [known.id for known in labels.incidents]
    fresh = enumerate(sorted(confirmed.keys() - kept.keys()), start=max(numbers, default=-1) + 1)
    found = {key: _leak(number, confirmed[key], sightings) for number, key in fresh}
    incidents = [LabelledIncident(leak.incident, CONFIRMED) for leak in found.values()]
    return msgspec.structs.replace(
        labels, leaked=kept | found, incidents=[*labels.incidents, *incidents]
    )


def _leak(number: int, decision: Decision, sightings: Sightings) -> LeakedKey:
    since = decision.since if decision.since is not None else decision.at
    rogue: list[tuple[int, float]] = []
    if decision.key in sightings.keys:
        own = sightings.key == sightings.keys.index(decision.key)
        chosen = np.flatnonzero(own & (sightings.rank >= ROGUE) & (sightings.ts >= (since or 0)))
        rogue = list(
            zip(sightings.ts[chosen].tolist(), sightings.notional[chosen].tolist(), strict=True)
        )
    first = since if since is not None else min((ts for ts, _ in rogue), default=0)
    return LeakedKey(number, first, rogue)
