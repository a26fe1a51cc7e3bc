from models.evaluation.freezes import score_freezes
from models.evaluation.labels import Labels, LeakedKey

LABELS = Labels(
    {
        "a": LeakedKey(0, 100, [(100, 10.0), (200, 20.0), (300, 30.0)]),
        "b": LeakedKey(0, 100, [(100, 40.0)]),
    }
)


def test_what_comes_after_a_freeze_is_saved() -> None:
    score = score_freezes(LABELS, {"a": 200.0})
    assert (score.leaked, score.honest) == (["a"], [])
    assert (score.saved_notional, score.rogue_notional, score.saved) == (30.0, 100.0, 0.3)


def test_a_freeze_that_comes_late_saves_nothing() -> None:
    assert score_freezes(LABELS, {"a": 300.0, "b": 999.0}).saved_notional == 0


def test_an_honest_key_and_one_that_is_not_yet_misused_were_frozen_wrongly() -> None:
    score = score_freezes(LABELS, {"c": 500.0, "a": 99.0})
    assert (score.leaked, score.honest, score.saved_notional) == ([], ["a", "c"], 0)


def test_without_rogue_orders_there_is_no_share() -> None:
    assert score_freezes(Labels({}), {}).saved is None
