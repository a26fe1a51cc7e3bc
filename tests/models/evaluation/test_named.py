from models.evaluation.labels import LabelledIncident, Labels, LeakedKey
from models.evaluation.named import Named, apps_named, sellers_named

LABELS = Labels(
    {"a": LeakedKey(0, 1), "b": LeakedKey(0, 1), "c": LeakedKey(1, 1), "d": LeakedKey(2, 1)},
    [
        LabelledIncident(0, app="app1", sellers=["u1", "u2"]),
        LabelledIncident(1, app="app2", sellers=["u2"]),
        LabelledIncident(2, sellers=None),
        LabelledIncident(9, app="app9", sellers=["u9"]),
    ],
)


def test_an_app_of_one_leaked_key_may_be_named_and_need_not() -> None:
    assert apps_named(LABELS, []) == Named([], ["app1"], [])
    assert apps_named(LABELS, ["app2", "app1"]) == Named(["app1", "app2"], [], [])


def test_an_app_of_which_no_key_was_misused_on_this_tape_is_named_falsely() -> None:
    assert apps_named(LABELS, ["app9", "app3"]).falsely == ["app3", "app9"]


def test_keys_of_one_app_add_up_over_incidents() -> None:
    incidents = [LabelledIncident(0, app="app1"), LabelledIncident(1, app="app1")]
    labels = Labels({"a": LeakedKey(0, 1), "b": LeakedKey(1, 1)}, incidents)
    assert apps_named(labels, []).missed == ["app1"]


def test_sellers_are_those_of_thefts_on_this_tape() -> None:
    assert sellers_named(LABELS, ["u1", "u9", "x"]) == Named(["u1"], ["u2"], ["u9", "x"])
