import numpy as np

from models.evaluation.decisions import CONFIRMED, ROGUE, Decision, corrected
from models.evaluation.labels import LabelledIncident, Labels, LeakedKey
from models.evaluation.sightings import Sightings

LABELS = Labels({"a": LeakedKey(4, 100, [(100, 1.0)])}, [LabelledIncident(4, "blitz")])
SEEN = Sightings(
    keys=["b", "c"],
    key=np.array([0, 0, 0, 1]),
    ts=np.array([10, 20, 30, 40]),
    rank=np.array([5.0, ROGUE - 0.1, 4.0, 5.0]),
    notional=np.array([1.0, 2.0, 3.0, 4.0]),
)


def test_a_confirmed_key_becomes_a_theft_with_the_noteworthy_fills_since_then() -> None:
    labels = corrected(LABELS, [Decision("b", leaked=True, since=10)], SEEN)
    assert labels.leaked["b"] == LeakedKey(5, 10, [(10, 1.0), (30, 3.0)])
    assert labels.incidents[-1] == LabelledIncident(5, CONFIRMED)
    assert labels.leaked["a"] == LABELS.leaked["a"]


def test_a_confirmed_key_without_a_time_leaked_from_its_first_noteworthy_fill() -> None:
    assert corrected(LABELS, [Decision("b", leaked=True)], SEEN).leaked["b"].first_rogue_ts == 10
    unseen = corrected(LABELS, [Decision("z", leaked=True, at=7)], SEEN).leaked["z"]
    assert (unseen.first_rogue_ts, unseen.rogue) == (7, [])


def test_a_false_alarm_on_a_labelled_key_is_believed_unless_it_came_before_the_misuse() -> None:
    assert corrected(LABELS, [Decision("a", leaked=False)], SEEN).leaked == {}
    assert corrected(LABELS, [Decision("a", leaked=False, at=100)], SEEN).leaked == {}
    assert corrected(LABELS, [Decision("a", leaked=False, at=99)], SEEN) == LABELS


def test_a_key_that_was_confirmed_once_stays_so_whatever_other_alerts_on_it_were() -> None:
    both = [Decision("a", leaked=False, at=200), Decision("a", leaked=True, at=300)]
    assert corrected(LABELS, both, SEEN) == LABELS
