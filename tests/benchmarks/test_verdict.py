from dataclasses import replace

import numpy as np
import pytest

from benchmarks.labelled_tape import NEVER, LabelledTape
from benchmarks.verdict import Peaks, Sightings, Theft, judge, recall_of
from models.evaluation.labels import LabelledIncident, Labels, Leak

LEAKED, HONEST, CALM = 0, 1, 2
LABELS = Labels(
    leaked={"leaked": Leak(0, 100, [(100, 10.0), (200, 30.0)])},
    incidents=[LabelledIncident(0, "blitz")],
)
TAPE = LabelledTape(
    name="tape",
    batches=[],
    labels=LABELS,
    keys=["leaked", "honest", "calm"],
    hashes=np.arange(3, dtype=np.uint64),
    first_rogue=np.array([100, NEVER, NEVER]),
    orders=1_000,
    key_days=1_000.0,
    active_key_days=500,
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


def test_a_verdict_counts_what_was_lost_before_the_alert() -> None:
    verdict = judge(TAPE, [("leaked", 150), ("leaked", 120), ("honest", 1)])
    assert verdict.thefts == [Theft("blitz", 1, 1)]
    assert verdict.false == ["honest"]
    assert verdict.delays_s == [0.02]
    assert verdict.rogue_before == [1]
    assert (verdict.rogue, verdict.saved) == (40.0, 30.0)


def test_an_alert_before_the_misuse_is_false_and_catches_nothing() -> None:
    verdict = judge(TAPE, [("leaked", 99)])
    assert verdict.false == ["leaked"]
    assert verdict.thefts == [Theft("blitz", 1, 0)]


def test_a_theft_without_its_incident_in_the_labels_is_of_unknown_kind() -> None:
    bare = replace(TAPE, labels=Labels(leaked=LABELS.leaked))
    assert judge(bare, []).thefts == [Theft("unknown", 1, 0)]


def test_the_interval_is_over_thefts_not_over_keys() -> None:
    few = recall_of([Theft("blitz", 50, 50), Theft("blitz", 50, 0)])
    many = recall_of([Theft("drip", 1, 1), Theft("drip", 1, 0)] * 50)
    assert few.share == many.share == pytest.approx(0.5)
    assert (few.low, few.high) == (0.0, 1.0)
    assert many.high - many.low < 0.25
