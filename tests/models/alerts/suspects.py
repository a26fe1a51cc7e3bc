"""Suspect fills as the alert stage gets them, each of a rank of one's choosing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from models.alerts.crowd import Around
from models.alerts.suspects import Suspect, suspects_at
from models.keys.state import FEATURES, TOLD
from models.market.state import ADVERSE_MOVE, CONTEXT, DEALING
from models.rows import Rows
from models.score.forest import fit_forest
from models.score.model import PER_DECADE, THRESHOLD, Model
from models.score.parts import ACTIVITY_WEIGHT, PARTS, parts_of
from models.score.surprise import PLACES
from tests.factories import TS, Event, at_home, bare_order, batch_of, rows_at

MINUTE: Final = 60_000
ODDS: Final = 4.0  # of a fill where nothing else is said
OWN: Final = 6.0  # evidence of its own that lifts such a fill to the threshold
QUIET: Final = -10.0  # log of its fills a day: so few that no evidence is lost
PERSISTENCE: Final = 5.0
SURPRISES: Final = {"surge": 3.0, "turnover": 3.0}
OF_STAGES: Final = (
    "odds",
    "persistence",
    "activity",
    "home",
    "stranger",
    "surprises",
    "move",
    "dealing",
    "offer",
)


ALONE = np.zeros((1, 2), np.float32), np.ones(1, np.float32)  # weight and share of one's company


def plain_model() -> Model:
    """A model whose forest finds all alike, so that rank grows with the sum of the parts."""
    scale = np.zeros((len(FEATURES), PLACES))
    forest = fit_forest(np.zeros((2, len(PARTS))), trees=2, sample_size=2, seed=0)
    model = Model(scale, forest, np.zeros(len(FEATURES)), 0.0, id="m-1")
    one = parts_of(rows_of([suspect(0, rank=THRESHOLD)]), *ALONE)
    critical = float(model.strength(one)[0]) - PER_DECADE * (THRESHOLD - 3.0)
    return replace(model, critical=critical)


def suspect(number: int, rank: float = THRESHOLD + 0.1, **changes: Any) -> Event:
    """A fill of a lonely key with a rank of at least 2, one a minute, surprising in two ways.

    `surprises` by feature, `move` (adverse log move), `home` (the key's usual app), `stranger`
    (nobody knows that), `dealing` (of the account that sells, as in DEALING) and `offer` stand in
    for what the earlier stages say.
    """
    surprises = changes.get("surprises", SURPRISES)
    held = parts_of(rows_of([_told(number, surprises=surprises)]), *ALONE)
    wanted = OWN + (rank - THRESHOLD) * PER_DECADE
    activity = QUIET + (float(held[0, PARTS.index("own")]) - wanted) / ACTIVITY_WEIGHT
    return _told(number, activity=activity) | changes


def _told(number: int, **changes: Any) -> Event:
    said: Event = {
        "odds": ODDS,
        "activity": QUIET,
        "persistence": PERSISTENCE,
        "surprises": SURPRISES,
        "move": 0.01,
        "home": changes.get("app"),
        "stranger": False,
        "dealing": (0.0, 0.0, 0.0),
        "offer": False,
    }
    event = bare_order(event_id=f"e-{number}", ts=TS + number * MINUTE)
    return event | said | changes


ALIKE: Final = ("odds", "activity", "persistence", "stranger", "offer")


def rows_of(tape: Sequence[Event]) -> Rows:
    """Suspects as rows; what is not said of them is zero."""
    n = len(tape)
    times = np.array([event["ts"] for event in tape])
    context = np.zeros((n, len(CONTEXT)), np.float32)
    context[:, ADVERSE_MOVE] = [event["move"] for event in tape]
    events = [{k: v for k, v in event.items() if k not in OF_STAGES} for event in tape]
    surprises = [[event["surprises"].get(name, 0.0) for name in FEATURES] for event in tape]
    return rows_at(
        at_home(batch_of(events, TS + 10**10), [event["home"] for event in tape]),
        times,
        TOLD,
        surprises=np.array(surprises).reshape(n, len(FEATURES)),
        context=context,
        dealer=np.array([event["dealing"] for event in tape]).reshape(n, len(DEALING)),
        **{name: [event[name] for event in tape] for name in ALIKE},
    )


def taken_out(
    rows: Rows, row: int, rank: float, *, parts: np.ndarray | None = None, share: float = 1.0
) -> Suspect:
    """One fill of a batch as the alert stage remembers it, with nobody around it."""
    nobody = np.zeros((len(rows), 2), np.float32)
    alone = Around(nobody, nobody, np.full(len(rows), share, np.float32), nobody, nobody[:, 0])
    held = np.zeros(len(PARTS)) if parts is None else parts
    n = len(rows)
    every, ranks = np.tile(held, (n, 1)), np.full(n, rank)
    (one,) = suspects_at(
        rows, np.array([row]), every, ranks, alone, np.zeros(n), np.zeros(len(FEATURES))
    )
    return one
