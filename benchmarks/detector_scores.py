"""The detector's own scores, whole and with something taken out of it."""

from typing import Final

import numpy as np

from benchmarks.labelled_tape import LabelledTape, assessed_fills
from benchmarks.peaks import Sightings
from models.alerts.crowd import Crowd
from models.alerts.envelope import Alert
from models.detector import Detector
from models.orders.batch import Float64s
from models.rows import Rows
from models.score.evidence import NOTABLE
from models.score.model import Model
from models.score.parts import PARTS, parts_of

WHOLE: Final = "detector, threshold in hindsight"
WITHOUT_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "the same, without crowd": ("crowd", "app_crowd"),
    "the same, without persistence": ("persistence",),
}
WITHOUT_FOREST: Final = "the same, without forest"


def alerts_of(model: Model, tape: LabelledTape) -> list[Alert]:
    """Replay a tape; gives every alert that is raised."""
    detector = Detector(model)
    alerts = [alert for batch in tape.batches for alert in detector.observe(batch)]
    return alerts + detector.idle()


def detector_sightings(model: Model, tape: LabelledTape, rows: list[Rows]) -> dict[str, Sightings]:
    """Score the notable fills of a tape by the whole detector, and without each of its parts."""
    crowd, given = Crowd(), []
    for fills in assessed_fills(rows, model.scale):
        notable = fills.take(np.flatnonzero(fills.told["odds"] > NOTABLE))
        around = crowd.meet(notable)
        parts = parts_of(notable, around.weight, around.share)
        given.append((tape.codes(notable), notable.orders.ts, parts))
    key, ts, parts = (np.concatenate(column) for column in zip(*given, strict=True))
    scores = {WHOLE: model.strength(parts), WITHOUT_FOREST: parts.sum(axis=1)}
    for name, dropped in WITHOUT_PARTS.items():
        scores[name] = model.strength(_without(parts, dropped))
    return {name: Sightings(key, ts, score) for name, score in scores.items()}


def _without(parts: Float64s, names: tuple[str, ...]) -> Float64s:
    kept = parts.copy()
    kept[:, [PARTS.index(name) for name in names]] = 0.0
    return kept
