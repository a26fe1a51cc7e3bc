"""`roguekey tune`: thresholds swept against labels."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from aiokafka.errors import KafkaError

from models.evaluation.decisions import Decision
from models.evaluation.labels import LabelsError
from models.evaluation.sweep import GRID, Choice, Costs, cheapest, held_out, sweep, within_budget
from models.score.model import Model
from models.training import PASSES
from streams.commands.options import (
    ORDER_FILE,
    Amount,
    inputs_option,
    json_option,
    refuse_pipes,
    show,
    with_settings,
)
from streams.commands.replay import load_model
from streams.dispositions import DispositionError, dispositions_on, read_dispositions
from streams.kafka.access import check_access
from streams.kafka.security import kafka_security
from streams.settings import Settings
from streams.tapes.files import TapeError
from streams.tapes.intake import progress_bar, stored_bytes
from streams.tapes.topic import TopicTape, TopicTapeError
from streams.tuning.files import write_report
from streams.tuning.report import Tuned, as_result, as_text
from streams.tuning.tuning import TapeFiles, decisions_of, train_on, try_tape

USD = Amount(min=0.0)


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be tuned, and for what."""

    inputs: tuple[Path, ...]
    labels: tuple[Path, ...]
    history: tuple[Path, ...]
    dispositions: str | None
    report: Path | None
    cost_false: float | None
    cost_missed: float | None
    cost_lost: float | None
    leaks: float | None

    def tapes(self) -> list[TapeFiles]:
        """Give the tapes: one of all files, or one of each file with labels of its own."""
        if not self.labels and self.dispositions is None:
            raise click.UsageError(
                "give --labels or --dispositions: tuning needs to know the truth"
            )
        if len(self.labels) <= 1:
            return [TapeFiles(self.inputs, self.labels[0] if self.labels else None)]
        if len(self.labels) != len(self.inputs):
            raise click.UsageError(
                f"{len(self.inputs)} --input and {len(self.labels)} --labels; "
                "give one --labels for all, or one for each --input"
            )
        pairs = zip(self.inputs, self.labels, strict=True)
        return [TapeFiles((orders,), labels) for orders, labels in pairs]

    def costs(self) -> Costs | None:
        """Give the stated costs; None where none is stated."""
        stated = (self.cost_false, self.cost_missed, self.cost_lost)
        if stated == (None, None, None):
            if self.leaks is not None:
                raise click.UsageError("--leaks only matters with costs; give --cost-false too")
            return None
        false, missed, lost = (cost or 0.0 for cost in stated)
        return Costs(false, missed, lost, self.leaks)


@click.command("tune")
@inputs_option(required=True)
@click.option(
    "--labels",
    type=ORDER_FILE,
    multiple=True,
    metavar="FILE",
    help="What truly happened; one for all --input, or one for each.",
)
@click.option(
    "--dispositions",
    metavar="FILE_OR_TOPIC",
    help="What analysts decided about alerts, as further labels: a file of lines, or a topic.",
)
@click.option(
    "--train",
    "history",
    type=ORDER_FILE,
    multiple=True,
    metavar="FILE",
    help="Train on this history instead of loading a model; may be repeated.",
)
@click.option("--cost-false", type=USD, metavar="USD", help="Cost of a falsely alerted key.")
@click.option(
    "--cost-missed", type=USD, metavar="USD", help="Cost of a leaked key that is never alerted."
)
@click.option(
    "--cost-lost", type=USD, metavar="USD", help="Cost of each USD of rogue orders before an alert."
)
@click.option(
    "--leaks",
    type=USD,
    metavar="N",
    help="Keys that leak in 1,000 key-days, for the costs.  [default: as many as on the tapes]",
)
@click.option(
    "--report",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    metavar="DIR",
    help="Write tuning.md, .json, .csv and .svg here.",
)
@with_settings("model", "false_keys_per_1000_key_days", "warmup", "brokers")
@json_option
def command(settings: Settings, as_json: bool, **flags: Any) -> None:
    """Sweep alert thresholds against labels, and recommend one.

    Every tape runs once through the whole detector, for all thresholds together. Recommended is
    the setting of least cost where costs are stated; else the one that finds most while falsely
    alerting no more keys than the setting in use allows, as measured. Several tapes, each with its
    labels, also tell what the choice is worth on a tape that had no say in it.
    """
    request = Request(**flags)
    refuse_pipes("--train", request.history)
    tapes, costs = request.tapes(), request.costs()
    with _failures(settings):
        decisions = _decisions(request.dispositions, settings)
        tuned = _tune(request, tapes, decisions, costs, settings)
    if request.report:
        write_report(request.report, tuned)
    show(as_result(tuned), as_text(tuned), as_json=as_json)


def _tune(
    request: Request,
    tapes: Sequence[TapeFiles],
    decisions: Sequence[Decision],
    costs: Costs | None,
    settings: Settings,
) -> Tuned:
    warmup, history = settings.warmup_files(), request.history
    if len(tapes) > 1:
        refuse_pipes("--warmup", warmup)  # each tape begins with it
    total = PASSES * stored_bytes(history) + len(tapes) * stored_bytes(warmup)
    with progress_bar() as bar:
        task = bar.add_task("tune", total=total + stored_bytes(request.inputs))

        def advance(read: int) -> None:
            bar.advance(task, read)

        model = train_on(history, advance) if history else load_model(settings)
        trials = [
            try_tape(tape, model, warmup=warmup, decisions=decisions, progress=advance)
            for tape in tapes
        ]
    budget = settings.false_keys_per_1000_key_days
    points = sweep(trials, (*GRID, budget))
    choose: Choice = cheapest(costs) if costs else within_budget(budget)
    aim = "least cost" if costs else f"at most {budget:g} falsely alerted keys per 1,000 key-days"
    return Tuned(
        trials, points, aim, costs, choose(points), held_out(trials, choose), _named(model)
    )


def _named(model: Model) -> str:
    return model.id or "trained for this"


def _decisions(source: str | None, settings: Settings) -> list[Decision]:
    if source is None:
        return []
    if Path(source).is_file():
        return decisions_of(read_dispositions(Path(source)))
    if not settings.brokers:
        raise click.UsageError(f"--dispositions {source} is no file; for a topic, give --brokers")
    servers, security = settings.bootstrap_servers(), kafka_security(settings)
    check_access(settings)
    with TopicTape(servers, source, client=security) as tape:
        found, refused = dispositions_on(tape)
    if refused:
        click.echo(f"{refused} records of {source} are no dispositions: left out", err=True)
    return decisions_of(found)


@contextmanager
def _failures(settings: Settings) -> Iterator[None]:
    """Tell in one line what went wrong."""
    try:
        yield
    except KafkaError as error:
        raise click.ClickException(f"brokers {settings.brokers}: {error}") from error
    except (TapeError, TopicTapeError, LabelsError, DispositionError) as error:
        raise click.ClickException(str(error)) from error
