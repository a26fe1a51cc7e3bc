from pathlib import Path

import pytest

from models.evaluation.scoreboard import (
    KindScore,
    LabelledIncident,
    Labels,
    LabelsError,
    Leak,
    score_alerts,
)

LABELS = Labels(
    {
        "k1": Leak(0, 1000, [(1000, 10.0), (2000, 20.0), (3000, 30.0)]),
        "k2": Leak(1, 5000, [(5000, 40.0)]),
    },
    [LabelledIncident(0, "blitz"), LabelledIncident(1, "drip")],
)


def test_a_key_is_caught_by_its_first_alert_after_its_first_rogue_order() -> None:
    scores = score_alerts(LABELS, [("k1", 3000), ("k1", 2000)])
    assert (scores.caught, scores.missed, scores.false) == (["k1"], ["k2"], [])
    assert scores.median_delay_s == 1.0
    assert scores.median_rogue_orders_before == 2


def test_what_came_after_the_alert_counts_as_prevented() -> None:
    assert score_alerts(LABELS, [("k1", 2000)]).loss_prevented == 30 / 100
    assert score_alerts(LABELS, [("k1", 3000)]).loss_prevented == 0.0
    assert score_alerts(LABELS, []).loss_prevented == 0.0


def test_an_alert_on_a_key_that_is_not_misused_yet_is_false() -> None:
    scores = score_alerts(LABELS, [("k3", 1), ("k2", 4999), ("k1", 999), ("k1", 1000)])
    assert scores.false == ["k1", "k2", "k3"]
    assert scores.caught == ["k1"]


def test_each_kind_of_incident_is_counted_by_itself() -> None:
    scores = score_alerts(LABELS, [("k2", 5000)])
    assert scores.by_kind == {"blitz": KindScore(0, 1), "drip": KindScore(1, 0)}


def test_without_leaks_there_is_no_loss_to_prevent() -> None:
    scores = score_alerts(Labels({}), [("k1", 1)])
    assert (scores.leaked_keys, scores.loss_prevented, scores.median_delay_s) == (0, None, None)
    assert scores.false == ["k1"]


def test_keys_misused_at_another_time_are_left_out() -> None:
    assert LABELS.within(2500, 4000).leaked.keys() == {"k1"}
    assert LABELS.within(3001, 4000).leaked == {}


def test_labels_of_ones_own_need_only_the_leaked_keys(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text('{"leaked":{"k":{"incident":7,"first_rogue_ts":1,"rogue":[[1,2.5]]}}}')
    scores = score_alerts(Labels.load(path), [("k", 1)])
    assert scores.by_kind == {"unknown": KindScore(1, 0)}


@pytest.mark.parametrize("content", [b"", b"{}", b'{"leaked":[]}', b"\xff"])
def test_a_file_without_labels_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.json"
    path.write_bytes(content)
    with pytest.raises(LabelsError, match=r"labels\.json holds no labels"):
        Labels.load(path)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"labels\.json cannot be read: No such file"):
        Labels.load(tmp_path / "labels.json")
