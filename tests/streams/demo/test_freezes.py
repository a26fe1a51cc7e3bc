from pathlib import Path

from models.evaluation.labels import Labels, LeakedKey
from streams.demo.freezes import BACKLOG, DAY, Freeze, Freezes, freezes_as_result
from streams.freeze.actions import Mode
from streams.freeze.policy import Policy, load_policy


def freezes(*frozen: Freeze) -> Freezes:
    return Freezes(list(frozen), 0, {}, 3, 0, 3)


def test_a_freeze_takes_effect_as_long_after_its_alert_as_it_truly_took() -> None:
    labels = Labels({"k": LeakedKey(0, 1000, [(1000, 10.0), (1200, 20.0), (1300, 30.0)])})
    score = freezes(Freeze("k", 1000, 0.25)).score(labels)
    assert score.saved_notional == 30.0


def test_the_result_is_plain_values() -> None:
    told = freezes(Freeze("k", 1000, 0.25), Freeze("j", 1000, 0.75))
    result = freezes_as_result(told, told.score(Labels({})))
    assert result["median_after_s"] == 0.5
    assert result["honest"] == ["j", "k"]
    assert result["backlog_too_old"] == 3


def test_without_freezes_there_is_no_median() -> None:
    assert freezes().median_after_s is None


def test_the_demos_policy_differs_from_the_defaults_in_ages_and_budgets_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "day.toml").write_text(DAY)
    (tmp_path / "backlog.toml").write_text(BACKLOG)
    day = load_policy(tmp_path / "day.toml")
    usual = Policy(mode=Mode.AUTO)
    assert load_policy(tmp_path / "backlog.toml") == usual
    changed = ("max_event_age_s", "approval_expires_s", "budget")
    assert day.model_copy(update={name: getattr(usual, name) for name in changed}) == usual
    assert day.budget.per_day == usual.budget.per_day
