import pytest

from models.evaluation.exposure import Exposure
from models.evaluation.figures import ALL, figures_of
from models.evaluation.labels import UNKNOWN, LabelledIncident, Labels, LeakedKey
from models.evaluation.scoreboard import score_alerts
from models.evaluation.verdicts import Theft, Truth

EXPOSURE = Exposure(orders=1_000, key_days=2_000.0, active_key_days=500)
LABELS = Labels(
    {
        "a": LeakedKey(0, 1000, [(3000, 30.0), (1000, 10.0), (3000, 5.0)]),
        "b": LeakedKey(0, 2000, [(2000, 20.0)]),
        "c": LeakedKey(1, 500, [(500, 5.0)]),
    },
    [LabelledIncident(0, "blitz"), LabelledIncident(1, "drip")],
)
ALERTED = [("a", 3000), ("a", 2500), ("b", 1999), ("x", 1)]


def truth(labels: Labels = LABELS) -> Truth:
    return Truth("tape", labels, EXPOSURE)


def test_a_theft_says_how_each_of_its_keys_was_met() -> None:
    verdict = truth().judge(ALERTED)
    blitz, drip = verdict.thefts
    assert blitz == Theft("blitz", 2, 1, 65.0, 35.0, (1.5,), (1,))
    assert drip == Theft("drip", 1, rogue=5.0)
    assert verdict.false == ["b", "x"]


def test_what_is_spent_in_the_instant_of_the_alert_is_lost() -> None:
    assert truth().judge([("a", 3000)]).thefts[0].saved == 0.0
    assert truth().judge([("a", 2999)]).thefts[0].saved == 35.0


def test_a_verdict_agrees_with_the_scoreboard() -> None:
    board, verdict = score_alerts(LABELS, ALERTED), truth().judge(ALERTED)
    met = figures_of([verdict]).met[ALL]
    assert (met.caught, verdict.false) == (len(board.caught), board.false)
    assert met.loss_prevented.value == pytest.approx(board.loss_prevented)
    assert met.median_seconds == board.median_delay_s
    assert met.median_orders == board.median_rogue_orders_before


def test_a_theft_without_its_incident_in_the_labels_is_of_unknown_kind() -> None:
    assert truth(Labels({"a": LeakedKey(7, 1)})).judge([]).thefts == [Theft(UNKNOWN, 1)]
