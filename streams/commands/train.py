"""`roguekey train`: a model from files of order events."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import click

from models.orders.batch import OrderBatch
from models.score.artifact import ArtifactError
from models.training import PASSES, train
from streams.commands.options import (
    inputs_option,
    json_option,
    refuse_pipes,
    show,
    with_settings,
)
from streams.settings import Settings
from streams.tapes.ahead import read_ahead
from streams.tapes.files import TapeError
from streams.tapes.intake import Intake, progress_bar, stored_bytes


@click.command("train")
@inputs_option(required=True)
@with_settings("model")
@json_option
def command(settings: Settings, inputs: tuple[Path, ...], as_json: bool) -> None:
    """Train a model on a tape of order events.

    The tape needs no labels, and a few leaked keys in it do little harm. Several files are read one
    after the other, so give them in order of time; each is read twice, so a pipe will not do.
    Events that the worker would refuse are left out and counted. The same tape gives the same
    model.
    """
    refuse_pipes("--input", inputs)
    started = time.monotonic()
    passes: list[Intake] = []
    digest = hashlib.sha256()
    try:
        with progress_bar() as bar:
            task = bar.add_task("train", total=PASSES * stored_bytes(inputs))

            def tape() -> Iterator[OrderBatch]:
                intake = Intake()
                passes.append(intake)
                fed = digest if len(passes) == 1 else None
                return read_ahead(intake.read(inputs, lambda done: bar.advance(task, done), fed))

            model = train(tape)
        intake = passes[0]
        manifest = model.save(settings.model, digest.hexdigest())
    except (TapeError, ArtifactError) as error:
        raise click.ClickException(str(error)) from error
    except ValueError as error:  # train says what the tape lacks
        raise click.ClickException(f"{', '.join(map(str, inputs))}: {error}") from error
    result = {
        "model": str(settings.model),
        "model_id": manifest.model_id,
        "events": intake.events,
        "refused": intake.refused,
        "training_data_sha256": manifest.training_data_sha256,
        "seconds": round(time.monotonic() - started, 3),
    }
    refused = f", {intake.refused:,} refused" if intake.refused else ""
    text = f"model {manifest.model_id} in {settings.model}, trained on {intake.events:,} events"
    show(result, f"{text}{refused} in {result['seconds']:.1f} s", as_json=as_json)
