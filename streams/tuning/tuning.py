"""Tuning: the whole detector over labelled tapes, once each, for every threshold together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.alerts.envelope import AlertType
from models.evaluation.decisions import Decision, corrected
from models.evaluation.exposure import Watched
from models.evaluation.labels import Labels
from models.evaluation.sightings import LOWEST_RANK, Recorder
from models.evaluation.sweep import Trial
from models.evaluation.verdicts import Truth
from models.score.model import Model
from models.training import train
from streams.dispositions import Disposition, Outcome, standing
from streams.replay.replay import warmed_detector
from streams.tapes.ahead import read_ahead
from streams.tapes.files import TapeError
from streams.tapes.intake import Intake, Progress


@dataclass(frozen=True, slots=True)
class TapeFiles:
    """Files of one tape, in order of time, and its labels."""

    orders: tuple[Path, ...]
    labels: Path | None  # None: analysts' decisions alone say what happened

    @property
    def name(self) -> str:
        """What the report calls it."""
        return self.orders[0].name


def try_tape(
    files: TapeFiles,
    model: Model,
    *,
    warmup: Sequence[Path] = (),
    decisions: Sequence[Decision] = (),
    progress: Progress = lambda _: None,
) -> Trial:
    """Run a tape through the detector and keep what every threshold would make of it.

    Raises
    ------
    TapeError
        If a file cannot be read or breaks off.
    LabelsError
        If the labels cannot be read.
    """
    labels = Labels.load(files.labels) if files.labels else Labels({})
    intake, recorder, watched = Intake(), Recorder(), Watched()
    lowest = replace(model, threshold=LOWEST_RANK)  # so that it tells of all that any would alert
    detector = warmed_detector(lowest, 1, warmup, intake.now_ms, progress)
    detector.watch(recorder)
    for batch in read_ahead(intake.read(files.orders, progress)):
        watched.add(batch)
        detector.observe(batch)
    detector.idle()
    sightings = recorder.sightings()
    first, last = watched.first_ts or 0, watched.last_ts or 0
    here = [each for each in decisions if each.at is None or first <= each.at <= last]
    truth = corrected(labels.within(first, last), here, sightings)
    return Trial(Truth(files.name, truth, watched.exposure()), sightings)


def train_on(history: Sequence[Path], progress: Progress = lambda _: None) -> Model:
    """Train a model that is not kept; a `TapeError` says what the history lacks."""
    try:
        return train(lambda: read_ahead(Intake().read(history, progress)))
    except ValueError as error:
        raise TapeError(f"{', '.join(map(str, history))}: {error}") from error


def decisions_of(dispositions: Iterable[Disposition]) -> list[Decision]:
    """Give what stands of analysts' dispositions on keys."""
    return [
        Decision(each.subject, each.disposition is Outcome.CONFIRMED, each.from_ts, each.event_ts)
        for each in standing(dispositions)
        if each.type is AlertType.LEAKED_KEY
    ]
