"""`roguekey simulate`: a labelled tape of order events from a simulated exchange."""

from pathlib import Path

import click

from models.simulation import SCENARIOS, regime_of, simulate
from streams.commands.options import OUTPUT_FILE, json_option, refuse_overwriting, show
from streams.tapes.files import TapeError
from streams.tapes.simulated import write_labels, write_orders


@click.command("simulate")
@click.option(
    "--out",
    type=OUTPUT_FILE,
    required=True,
    metavar="FILE",
    help="Order events, sorted by time (.jsonl, .jsonl.gz, .jsonl.zst).",
)
@click.option("--labels", type=OUTPUT_FILE, metavar="FILE", help="What truly happened, as JSON.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="The same seed gives the same tape.",
)
@click.option("--days", type=float, metavar="D", help="Length of the tape.  [default: scenario's]")
@click.option("--keys", type=int, metavar="K", help="Number of API keys.  [default: scenario's]")
@click.option(
    "--scenario",
    "scenarios",
    type=click.Choice(SCENARIOS),
    multiple=True,
    metavar="NAME",
    help=f"What happens; may be repeated. One of {', '.join(SCENARIOS)}.",
)
@json_option
def command(
    out: Path,
    labels: Path | None,
    seed: int,
    days: float | None,
    keys: int | None,
    scenarios: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write a simulated, labelled tape of order events.

    The same arguments give the same tape. The first scenario sets the world, further ones add their
    attacks and look-alikes to it; without one, a standard week.
    """
    try:
        regime = regime_of(scenarios, days, keys)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    refuse_overwriting({"--out": out, "--labels": labels})
    tape = simulate(regime, seed)
    try:
        write_orders(tape, out)
    except TapeError as error:
        raise click.ClickException(str(error)) from error
    if labels is not None:
        write_labels(tape, labels)
    events, truth = len(tape), tape.labels
    result = {
        "out": str(out),
        "labels": str(labels) if labels else None,
        "seed": seed,
        "events": events,
        "leaked_keys": len(truth["leaked"]),
        "incidents": len(truth["incidents"]),
        "hard_negatives": len(truth["hard_negatives"]),
    }
    text = (
        f"{events:,} events in {out}: {result['leaked_keys']} leaked keys in "
        f"{result['incidents']} incidents, {result['hard_negatives']} look-alikes"
    )
    show(result, text, as_json=as_json)
