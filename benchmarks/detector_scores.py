"""The detector's own scores, whole and with something taken out of it."""

from dataclasses import replace
from typing import Final

import numpy as np

from benchmarks.labelled_tape import LabelledTape, assessed_fills
from benchmarks.verdict import Sightings
from models.alerts.crowd import Crowd
from models.alerts.envelope import AlertType
from models.detector import Detector, suspects_of
from models.keys import state as k
from models.orders.batch import Float64s
from models.rows import Rows
from models.score.evidence import Scale
from models.score.model import PARTS, Model, parts_of

WHOLE: Final = "detector, threshold in hindsight"
WITHOUT_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "the same, without crowd": ("crowd", "app_crowd"),
    "the same, without persistence": ("persistence",),
}
WITHOUT_FOREST: Final = "the same, without forest"

FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "novelty": ("pair_novelty", "pair_youth"),
    "conduct: size, turnover, burst": ("size", "turnover", "burst"),
    "rate": ("rate",),
    "market: surge, pay-up": ("surge", "pay_up"),
    "participation": ("participation", "depth"),
    "push": ("push", "impact", "slippage"),
    "sweep": ("sweep_breadth", "sweep_funding"),
    "app share": ("app_share", "synchrony"),
    "losing streak": ("losing_streak", "round_trip_loss"),
    "network and app change": ("network_novelty", "app_change"),
    "taker excess": ("taker_excess",),
    "concentration": ("concentration", "new_sellers"),
}


def alerts_of(model: Model, tape: LabelledTape) -> list[tuple[str, int]]:
    """Replay a tape; gives the key and the time (ms) of every alert that is raised."""
    detector = Detector(model)
    alerts = [alert for batch in tape.batches for alert in detector.observe(batch)]
    alerts += detector.idle()
    return [
        (alert.subject, alert.data.event_ts)
        for alert in alerts
        if alert.type is AlertType.LEAKED_KEY
    ]


def detector_sightings(model: Model, tape: LabelledTape, rows: list[Rows]) -> dict[str, Sightings]:
    """Score the notable fills of a tape by the whole detector, and without each of its parts."""
    crowd, given = Crowd(), []
    for fills in assessed_fills(rows, model.scale):
        notable = suspects_of(fills)
        around = crowd.meet(notable).weight
        parts = parts_of(notable.extra["odds"], around, notable.extra["persistence"])
        given.append((tape.codes(notable), notable.orders.ts, parts))
    key, ts, parts = (np.concatenate(column) for column in zip(*given, strict=True))
    scores = {WHOLE: model.strength(parts), WITHOUT_FOREST: parts.sum(axis=1)}
    for name, dropped in WITHOUT_PARTS.items():
        scores[name] = model.strength(_without(parts, dropped))
    return {name: Sightings(key, ts, score) for name, score in scores.items()}


def family_sightings(model: Model, tape: LabelledTape, rows: list[Rows]) -> dict[str, Sightings]:
    """Score a tape as if the features of one family never surprised, for each family.

    Everything downstream follows: what is learned, whom the crowd suspects, what persists. Only the
    forest stays the one that was grown on all features.
    """
    return {
        family: detector_sightings(blinded(model, features), tape, rows)[WHOLE]
        for family, features in FAMILIES.items()
    }


def blinded(model: Model, features: tuple[str, ...]) -> Model:
    """Model to which some features never surprise."""
    tables = model.scale.tables.copy()
    tables[[k.FEATURES.index(name) for name in features]] = np.inf
    return replace(model, scale=Scale(tables))


def _without(parts: Float64s, names: tuple[str, ...]) -> Float64s:
    kept = parts.copy()
    kept[:, [PARTS.index(name) for name in names]] = 0.0
    return kept
