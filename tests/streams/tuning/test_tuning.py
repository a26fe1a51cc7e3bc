from dataclasses import replace
from pathlib import Path

import pytest

from models.alerts.envelope import AlertType
from models.evaluation.decisions import Decision
from models.evaluation.labels import Labels, LabelsError
from models.evaluation.sweep import Trial
from streams.dispositions import Disposition, Outcome
from streams.replay.replay import AlertFile, replay
from streams.replay.report import score
from streams.tapes.files import TapeError
from streams.tapes.intake import Intake
from streams.tuning.tuning import TapeFiles, decisions_of, train_on, try_tape
from tests.streams.conftest import Trained


@pytest.fixture(scope="module")
def trial(trained: Trained) -> Trial:
    return try_tape(TapeFiles((trained.tape,), trained.labels), trained.model)


@pytest.mark.parametrize("setting", [0.1, 1.0, 30.0])
def test_one_pass_tells_of_every_setting_what_a_replay_with_it_finds(
    trained: Trained, trial: Trial, tmp_path: Path, setting: float
) -> None:
    with AlertFile(tmp_path / "alerts.jsonl") as alerts:
        replayed = replay([trained.tape], trained.model.at_budget(setting), alerts, Intake())
    board = score(Labels.load(trained.labels), replayed)
    verdict = trial.verdict(setting)
    assert verdict.false == board.false
    assert sum(theft.caught for theft in verdict.thefts) == len(board.caught)
    saved, rogue = (sum(getattr(t, name) for t in verdict.thefts) for name in ("saved", "rogue"))
    # An incident that was alerted just before its key was misused is not alerted again at once.
    assert saved / rogue == pytest.approx(board.loss_prevented, abs=1e-3)


def test_what_is_seen_does_not_depend_on_the_setting_in_use(trained: Trained, trial: Trial) -> None:
    strict = replace(trained.model, threshold=9.0)
    again = try_tape(TapeFiles((trained.tape,), trained.labels), strict)
    assert again.sightings.rank.tobytes() == trial.sightings.rank.tobytes()
    assert again.sightings.ts.tobytes() == trial.sightings.ts.tobytes()


def test_a_warm_up_is_neither_judged_nor_counted(trained: Trained, trial: Trial) -> None:
    files = TapeFiles((trained.tape,), trained.labels)
    warmed = try_tape(files, trained.model, warmup=[trained.tape])
    assert warmed.truth.exposure == trial.truth.exposure
    assert warmed.sightings.rank.size == 0  # every event was seen before


def test_decisions_are_labels_as_far_as_their_alerts_lie_on_the_tape(
    trained: Trained, trial: Trial
) -> None:
    first = int(trial.sightings.ts[0])
    key = trial.sightings.keys[trial.sightings.key[0]]
    decisions = [
        Decision(key, leaked=True, since=first, at=first),
        Decision("elsewhere", leaked=True, at=1),
    ]
    files = TapeFiles((trained.tape,), None)
    labels = try_tape(files, trained.model, decisions=decisions).truth.labels
    assert labels.leaked.keys() == {key}
    assert labels.leaked[key].first_rogue_ts == first


def test_only_what_stands_about_keys_is_a_decision() -> None:
    def said(outcome: Outcome, subject: str = "k", **others: object) -> Disposition:
        values = {"alert_id": f"a-{subject}", "subject": subject, "disposition": outcome, **others}
        return Disposition(**values)  # type: ignore[arg-type]  # others are of several types

    dispositions = [
        said(Outcome.CONFIRMED, from_ts=3, event_ts=5),
        said(Outcome.FALSE_ALARM, "w"),
        said(Outcome.WITHDRAWN, "w"),
        said(Outcome.CONFIRMED, "app7", type=AlertType.APP_LEAK),
        said(Outcome.FALSE_ALARM, "f"),
    ]
    assert decisions_of(dispositions) == [
        Decision("k", leaked=True, since=3, at=5),
        Decision("f", leaked=False),
    ]


def test_a_history_that_says_too_little_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "short.jsonl"
    path.write_text("")
    with pytest.raises(TapeError, match=r"short\.jsonl: the tape holds 0 fills"):
        train_on([path])


def test_labels_that_cannot_be_read_are_refused(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"absent\.json cannot be read"):
        try_tape(TapeFiles((trained.tape,), tmp_path / "absent.json"), trained.model)


def test_a_model_trained_on_a_history_is_that_of_the_train_command(trained: Trained) -> None:
    model = train_on([trained.tape])
    assert model.scale.tobytes() == trained.model.scale.tobytes()
