from models.evaluation.labels import LabelledIncident, Labels, LeakedKey
from models.evaluation.scoreboard import KindScore, score_alerts

LABELS = Labels(
    {
        "k1": LeakedKey(0, 1000, [(1000, 10.0), (2000, 20.0), (3000, 30.0)]),
        "k2": LeakedKey(1, 5000, [(5000, 40.0)]),
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


def test_a_key_of_no_known_incident_is_of_unknown_kind() -> None:
    scores = score_alerts(Labels({"k": LeakedKey(7, 1, [(1, 2.5)])}), [("k", 1)])
    assert scores.by_kind == {"unknown": KindScore(1, 0)}


def test_apps_and_sellers_that_alerts_name_are_counted_beside_the_keys() -> None:
    incidents = [LabelledIncident(0, "blitz", app="app1", sellers=["u1", "u2"])]
    labels = Labels({"a": LeakedKey(0, 1), "b": LeakedKey(0, 1)}, incidents)
    scores = score_alerts(labels, [], ["app1", "app2"], ["u2"])
    assert (scores.apps.rightly, scores.apps.falsely) == (["app1"], ["app2"])
    assert (scores.sellers.rightly, scores.sellers.missed) == (["u2"], ["u1"])
