import numpy as np

from benchmarks.labelled_tape import NEVER, LabelledTape
from benchmarks.peaks import Peaks, Sightings
from models.evaluation.exposure import Exposure
from models.evaluation.labels import LabelledIncident, Labels, LeakedKey
from models.evaluation.verdicts import Truth

LEAKED, HONEST, CALM = 0, 1, 2
LABELS = Labels(
    leaked={"leaked": LeakedKey(0, 100, [(100, 10.0), (200, 30.0)])},
    incidents=[LabelledIncident(0, "blitz")],
)
TAPE = LabelledTape(
    name="tape",
    batches=[],
    truth=Truth("tape", LABELS, Exposure(orders=1_000, key_days=1_000.0, active_key_days=500)),
    keys=["leaked", "honest", "calm"],
    hashes=np.arange(3, dtype=np.uint64),
    first_rogue=np.array([100, NEVER, NEVER]),
)


def seen(*fills: tuple[int, int, float]) -> Sightings:
    key, ts, score = zip(*fills, strict=True)
    return Sightings(np.array(key), np.array(ts), np.array(score, np.float64))


def test_the_limit_in_hindsight_lets_just_the_budget_of_keys_be_alerted_falsely() -> None:
    peaks = Peaks(TAPE, seen((HONEST, 1, 5.0), (CALM, 2, 3.0), (LEAKED, 150, 4.0)))
    assert peaks.limit(0.0) == 5.0
    assert peaks.limit(1.0) == 3.0
    assert peaks.recall(0.0) == 0.0
    assert peaks.recall(1.0) == 1.0
    assert sorted(peaks.alerts(1.0)) == [("honest", 1), ("leaked", 150)]


def test_what_a_key_did_before_it_was_misused_counts_as_honest() -> None:
    peaks = Peaks(TAPE, seen((LEAKED, 50, 9.0), (LEAKED, 150, 8.0), (HONEST, 1, 5.0)))
    assert peaks.limit(0.0) == 9.0
    assert peaks.recall(0.0) == 0.0
    assert sorted(peaks.alerts(1.0)) == [("leaked", 50), ("leaked", 150)]
