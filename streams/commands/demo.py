"""`roguekey demo`: the whole system in some three minutes, on an embedded broker."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click
from kafka.errors import KafkaError

from models.evaluation.freezes import FreezeScore
from streams.commands.options import Amount, json_option, show, with_settings
from streams.demo.demo import DemoError, Plan, Result, Shown, held_against_labels, run_demo
from streams.demo.freezes import FreezeDemoError, Freezes, freezes_as_result
from streams.demo.screen import STAY_VARIABLE, DemoScreenError, stays
from streams.demo.view import View, duration, incident_table, look_alike_table
from streams.kafka.broker import BrokerError
from streams.settings import Settings
from streams.topics import TopicError

SEED: Final = 63
SECONDS: Final = 20.0

ABOUT: Final = """\
A simulated exchange: thieves use leaked API keys to pump coins, among honest traders who look much
like them. Its last day runs through Kafka and the detector; each alert appears as it is raised, and
a freeze hook has the accused keys frozen at a mock exchange."""


@click.command("demo")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=SEED,
    show_default=True,
    metavar="N",
    help="Another seed is another exchange.",
)
@click.option(
    "--seconds",
    type=Amount(min=0),
    default=SECONDS,
    show_default=True,
    metavar="S",
    help="How long the day takes; 0: as fast as it goes.",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    default=Path(".demo"),
    show_default=True,
    metavar="DIR",
    help="Tape, model, alerts and logs are written here.",
)
@with_settings("brokers")
@json_option
def command(settings: Settings, as_json: bool, seed: int, seconds: float, folder: Path) -> None:
    """Show the whole system at work, on an embedded broker.

    A broker, a model, a worker and a simulated exchange day, whose alerts appear as they are
    raised, then a scoreboard. Without brokers, an embedded one runs as long as the demo does. On
    brokers of yours, it makes topics of its own, whose names begin with roguekey-demo. A dashboard
    is up as long as the demo runs: with DEMO_STAY=1 in the environment, until Ctrl-C.
    """
    view = View(quiet=as_json)
    view.say(f"{ABOUT}\n")

    def tell(shown: Shown) -> None:
        result = held_against_labels(shown)
        if as_json:
            show(as_result(shown, result), "", as_json=True)
        else:
            _tell(view, shown, result)
            _tell_what_next(view, folder, seed)
        if stays():
            _stay(view, shown.dashboard)

    try:
        with _ended_by_signals():
            run_demo(Plan(folder, seed, seconds, stays=stays()), settings, view, tell)
    except (DemoError, DemoScreenError, FreezeDemoError, BrokerError, TopicError) as error:
        raise click.ClickException(str(error)) from error
    except KafkaError as error:
        raise click.ClickException(f"brokers {settings.brokers}: {error}") from error


def _stay(view: View, address: str) -> None:
    """Keep everything up until Ctrl-C, which ends the demo as if it were over."""
    view.say(f"\nThe dashboard is at {address}; Ctrl-C ends the demo.", "bold")
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def as_result(shown: Shown, result: Result) -> dict[str, Any]:
    """Give the scoreboard in plain values."""
    return {
        "events": shown.tape.events,
        "refused": shown.refused,
        "alerts": len(shown.alerts),
        "events_per_second": round(shown.events_per_second),
        "scores": asdict(result.scores),
        "incidents": [asdict(incident) for incident in result.incidents],
        "look_alikes": [asdict(found) for found in result.look_alikes],
        "worker_exit_code": shown.worker_exit_code,
        "freezes": freezes_as_result(shown.freezes, result.freezes),
        "seconds": shown.seconds,
    }


def _tell(view: View, shown: Shown, result: Result) -> None:
    scores = result.scores
    view.say(incident_table(result.incidents))
    view.say(look_alike_table(result.look_alikes))
    view.say(
        f"leaked keys    {len(scores.caught)} caught, {len(scores.missed)} missed; "
        f"honest keys falsely alerted: {len(scores.false)}",
        "bold",
    )
    if scores.median_delay_s is not None:
        orders = scores.median_rogue_orders_before
        view.say(
            f"alert          {duration(scores.median_delay_s)} after a key's first rogue order "
            f"in the median, at its rogue order {orders:g}"
        )
    if scores.loss_prevented is not None:
        view.say(
            f"loss           {scores.loss_prevented:.0%} of {scores.rogue_notional:,.0f} USD of "
            "rogue orders came after the alert, and fail once the key is frozen"
        )
    _tell_freezes(view, shown.freezes, result.freezes)
    view.say(
        f"events         {shown.tape.events:,} in {shown.seconds['day']:.1f} s; "
        f"{shown.refused} refused, kept byte for byte on {shown.dead_topic}"
    )


def _tell_freezes(view: View, freezes: Freezes, score: FreezeScore) -> None:
    after = freezes.median_after_s
    view.say(
        f"frozen         {len(score.leaked)} leaked keys and {len(score.honest)} honest ones"
        + (f", {after:.2f} s after the alert in the median" if after is not None else "")
        + f"; {freezes.pending} cases wait for people's approval",
        "bold",
    )
    if score.saved is not None:
        view.say(
            f"money saved    {score.saved_notional:,.0f} USD: {score.saved:.0%} of the rogue "
            "orders came after their key was frozen",
            "bold",
        )
    view.say(
        f"backlog        {freezes.backlog_alerts} alerts read again by a hook without memory: "
        f"{freezes.backlog_frozen} keys frozen, {freezes.backlog_too_old} alerts older than its "
        "age guard allows (120 s; the hook above was told to accept a tape of 2022)"
    )


def _tell_what_next(view: View, folder: Path, seed: int) -> None:
    program = Path(sys.argv[0])
    name = (
        str(program.relative_to(Path.cwd())) if program.is_relative_to(Path.cwd()) else "roguekey"
    )
    files = f"--model {folder}/model --warmup {folder}/history.jsonl --input {folder}/day.jsonl"
    view.say("\nWhat to try next", "bold")
    if not stays():
        view.say("  the dashboard, open until Ctrl-C:")
        view.say(f"    {STAY_VARIABLE}=1 {name} demo --seed {seed}")
    view.say("  the same day as a replay, scored by the same labels:")
    view.say(
        f"    {name} replay {files} --labels {folder}/labels.json --alerts {folder}/replayed.jsonl"
    )
    view.say("  what the freeze hook was allowed to do:")
    view.say(f"    {name} freeze-hook --explain --freeze-policy {folder}/freeze/policy.toml")
    view.say("  another exchange, and the worker at full speed:")
    view.say(f"    {name} demo --seed {seed + 1} --seconds 0")
    view.say("  a tape and a model of your own, then a worker on your brokers:")
    view.say(
        f"    {name} simulate --out {folder}/orders.jsonl --labels {folder}/truth.json --seed 1"
    )
    view.say(f"    {name} train --input {folder}/orders.jsonl --model model")
    view.say(f"    {name} worker --model model --brokers HOST:PORT")


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end this process the way Ctrl-C does, with all that it has started."""

    def leave(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    usual = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual)
