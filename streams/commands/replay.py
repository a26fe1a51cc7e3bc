"""`roguekey replay`: events of the past through the detector."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from aiokafka.errors import KafkaError

from models.evaluation.labels import Labels, LabelsError
from models.score.artifact import ArtifactError
from models.score.model import Model
from streams.commands.options import (
    ORDER_FILE,
    OUTPUT_FILE,
    Time,
    inputs_option,
    json_option,
    refuse_overwriting,
    show,
    with_settings,
)
from streams.kafka.access import check_access
from streams.kafka.security import kafka_security
from streams.replay.replay import AlertFile, Replayed, replay, replay_topic
from streams.replay.report import as_result, as_text, score, write_report
from streams.settings import ConfigError, Settings
from streams.tapes.files import DeadLetterFile, TapeError
from streams.tapes.intake import Intake, progress_bar, stored_bytes
from streams.tapes.topic import TopicTape, TopicTapeError


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be replayed, and where what comes of it goes."""

    inputs: tuple[Path, ...]
    topic: str | None
    since: int | None  # ms
    until: int | None  # ms
    alerts: Path
    dead: Path | None
    labels: Path | None
    report: Path | None
    warmup: tuple[Path, ...]

    def check(self) -> None:
        """Refuse flags that do not go together."""
        if bool(self.inputs) == bool(self.topic):
            raise click.UsageError("give either --input or --from-topic")
        if self.topic is None and (self.since, self.until) != (None, None):
            raise click.UsageError("--since and --until need --from-topic")
        read = [*self.warmup, *self.inputs, *([self.labels] if self.labels else [])]
        refuse_overwriting({"--alerts": self.alerts, "--dead": self.dead}, read)


@click.command("replay")
@inputs_option(required=False)
@click.option("--from-topic", "topic", metavar="TOPIC", help="Replay this topic instead of files.")
@click.option("--since", type=Time(), help="Of a topic: what the brokers got at T or later.")
@click.option("--until", type=Time(), help="Of a topic: what the brokers got before T.")
@click.option(
    "--alerts",
    type=OUTPUT_FILE,
    required=True,
    metavar="FILE",
    help="Alerts (.jsonl, .jsonl.gz, .jsonl.zst).",
)
@click.option(
    "--dead",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Refused events (.jsonl, .jsonl.gz, .jsonl.zst); the reasons lie beside it.",
)
@click.option(
    "--labels", type=ORDER_FILE, metavar="FILE", help="What truly happened, to score the alerts by."
)
@click.option(
    "--report",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    metavar="DIR",
    help="Write report.json and report.md here.",
)
@with_settings("model", "false_keys_per_1000_key_days", "warmup", "brokers")
@json_option
def command(settings: Settings, as_json: bool, **flags: Any) -> None:
    """Run events of the past through the detector.

    Files are taken one after the other, so give them in order of time; a topic is read up to where
    it ends at the start. The same input gives the same alerts, byte for byte. A history given with
    --warmup is run first, to build the baselines of keys and symbols, without alerting.
    """
    request = Request(**flags, warmup=settings.warmup_files())
    request.check()
    model = load_model(settings)
    truth, replayed = _run(request, model, settings)
    _warn_of_refusals(replayed, settings.dead_letter_ratio)
    scores = score(truth, replayed) if truth else None
    result = as_result(replayed, model, scores)
    if request.report:
        write_report(request.report, result, scores)
    show(result, as_text(replayed, scores), as_json=as_json)


def load_model(settings: Settings) -> Model:
    """Load the model, set to alert as the settings say; a `ConfigError` says what does not fit."""
    try:
        return Model.load(settings.model).at_budget(settings.false_keys_per_1000_key_days)
    except ArtifactError as error:
        raise ConfigError(f"model: {error} (roguekey train makes one)") from error


def _run(request: Request, model: Model, settings: Settings) -> tuple[Labels | None, Replayed]:
    with _failures(settings, request.topic), ExitStack() as stack:
        truth = Labels.load(request.labels) if request.labels else None
        topic = request.topic
        tape = stack.enter_context(_open(topic, request, settings)) if topic else None
        # Only now, so that brokers out of reach empty no file of an earlier replay.
        letters = stack.enter_context(DeadLetterFile(request.dead)) if request.dead else None
        alerts, intake = stack.enter_context(AlertFile(request.alerts)), Intake(letters)
        if tape is None:
            return truth, _replay_files(request, model, alerts, intake)
        return truth, _replay_topic(tape, request, model, alerts, intake)


def _warn_of_refusals(replayed: Replayed, ratio: float) -> None:
    """Say where a worker would have stopped: what lies in the past is replayed to its end."""
    if replayed.refused > ratio * replayed.events:
        told = f"{replayed.refused:,} of {replayed.events:,} events were refused"
        click.echo(f"warning: {told}; dead_letter_ratio is {ratio:g} (--dead keeps them)", err=True)


@contextmanager
def _failures(settings: Settings, topic: str | None) -> Iterator[None]:
    """Tell in one line what went wrong."""
    try:
        yield
    except KafkaError as error:
        where = f"topic {topic} on {settings.brokers}"
        raise click.ClickException(f"{where}: {error}") from error
    except (TapeError, TopicTapeError, LabelsError) as error:
        raise click.ClickException(str(error)) from error


def _open(topic: str, request: Request, settings: Settings) -> TopicTape:
    servers, security = settings.bootstrap_servers(), kafka_security(settings)
    check_access(settings)
    return TopicTape(servers, topic, request.since, request.until, security)


def _replay_files(request: Request, model: Model, alerts: AlertFile, intake: Intake) -> Replayed:
    with progress_bar() as bar:
        task = bar.add_task("replay", total=stored_bytes([*request.warmup, *request.inputs]))
        return replay(
            request.inputs,
            model,
            alerts,
            intake,
            warmup=request.warmup,
            progress=lambda read: bar.advance(task, read),
        )


def _replay_topic(
    tape: TopicTape, request: Request, model: Model, alerts: AlertFile, intake: Intake
) -> Replayed:
    with progress_bar() as bar:
        task = bar.add_task("replay", total=tape.offsets)
        return replay_topic(
            tape,
            model,
            alerts,
            intake,
            warmup=request.warmup,
            progress=lambda read: bar.advance(task, read),
        )
