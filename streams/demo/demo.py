"""The demo: a simulated exchange day through a real broker, producer and worker.

Nothing in here detects anything. The commands run as processes of their own, as an operator would
start them; this process reads the alerts topic and waits until the worker is done with the day.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from pydantic import SecretStr

from models.alerts.envelope import AlertType, Envelope, decode_alert
from models.evaluation.freezes import FreezeScore
from models.evaluation.incidents import IncidentScore, LookAlikeScore, by_incident, by_look_alike
from models.evaluation.labels import Labels
from models.evaluation.scoreboard import Scoreboard, score_alerts
from streams.demo.freezes import FreezeDemo, Freezes, alert_times
from streams.demo.screen import DemoScreen
from streams.demo.tape import DAYS, DemoTape, write_demo_tape
from streams.demo.topics import CONNECT_MS, DemoTopics
from streams.demo.view import View, alert_text
from streams.kafka.broker import HOST, TOPIC_LIMITS, EmbeddedBroker, free_port
from streams.kafka.children import Command
from streams.settings import PREFIX, Settings
from streams.topics import ensure_topics, topic_specs

LOOK_S: Final = 0.1  # between two looks at the brokers
PATIENCE_S: Final = 600.0  # without any progress, on however slow a machine

# At an hour a second, what two partitions show at the same moment lies minutes apart: the worker
# has to wait for the slower one, or alerts would depend on the machine.
IDLE_MS: Final = 2000


class DemoError(Exception):
    """A part of the demo failed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be shown."""

    folder: Path  # for all files; they stay
    seed: int
    seconds: float  # that the day takes; 0: as fast as it goes
    stays: bool = False  # whether the worker runs on while people look at what is shown


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown, and how long its steps took."""

    tape: DemoTape
    alerts: list[Envelope]
    refused: int
    worker_exit_code: int | None  # None: it still runs
    seconds: dict[str, float]
    dead_topic: str
    freezes: Freezes
    dashboard: str  # its address

    @property
    def events_per_second(self) -> float:
        """Mean rate, from the first event on the topic until all were judged."""
        return self.tape.events / self.seconds["day"]


@dataclass(frozen=True, slots=True)
class Result:
    """The alerts held against the labels."""

    scores: Scoreboard
    incidents: list[IncidentScore]
    look_alikes: list[LookAlikeScore]
    freezes: FreezeScore


def run_demo(
    plan: Plan, settings: Settings, view: View, then: Callable[[Shown], None] | None = None
) -> Shown:
    """Run the demo, and `then` while all of it is still up.

    Raises
    ------
    DemoError
        If a command fails, or nothing moves any more.
    DemoScreenError
        If the dashboard does not come up.
    FreezeDemoError
        If the freeze hook or the exchange before it fails.
    kafka.errors.KafkaError
        If the brokers cannot be reached.
    """
    watch = _Stopwatch(view)
    plan.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with watch.step("broker", "starting a broker"):
            settings = _stand(plan, settings, stack)
            topics = stack.enter_context(DemoTopics(settings))
        watch.tell(f"broker at {settings.brokers}, topics {topics.names.orders} and others")
        with watch.step("tape", "simulating an exchange"):
            tape = write_demo_tape(plan.folder, plan.seed)
        watch.tell(f"{DAYS - 1} simulated days of history, {tape.history_events:,} events")
        environment = as_environment(settings)
        with watch.step("model", "training a model (the first time also compiles)"):
            _train(tape, environment, plan.folder)
        watch.tell(f"model in {settings.model}, trained on the history, without labels")
        with watch.step("freeze hook", "starting a freeze hook and a mock exchange"):
            demo = FreezeDemo(settings, environment, plan.folder, PATIENCE_S)
            freezing = stack.enter_context(demo)
        watch.tell("freeze hook in auto mode, before a mock exchange")
        screen = stack.enter_context(DemoScreen(settings, environment, plan.folder, PATIENCE_S))
        environment |= {f"{PREFIX}WARMUP": str(tape.history)}
        with ExitStack() as working:
            command = Command(["worker"], environment, plan.folder / "worker.log")
            worker = working.enter_context(command)
            with watch.step("worker", "starting a worker (the first time also compiles)"):
                _wait_for_worker(worker, topics)
            watch.tell("worker, warmed up with the history")
            with watch.step("dashboard", "starting a dashboard"):
                screen.wait()
            watch.tell(f"dashboard at {screen.address}")
            view.say()
            day = _Day(tape, topics, worker, view)
            day.play(plan, environment)
            if not plan.stays:
                working.close()
            watch.seconds["day"] = round(day.seconds, 2)
            with watch.step("freezes", "waiting for the freezes; reading the backlog again"):
                freezes = _freezes(freezing, day, settings)
            shown = Shown(
                tape,
                day.alerts,
                day.refused,
                worker.exit_code,
                watch.seconds,
                topics.names.dead,
                freezes,
                screen.address,
            )
            if then:
                then(shown)
    return shown


def held_against_labels(shown: Shown) -> Result:
    """Score what was shown by what truly happened."""
    labels = Labels.load(shown.tape.labels)
    alerted = [
        (alert.subject, alert.data.event_ts)
        for alert in shown.alerts
        if alert.type == AlertType.LEAKED_KEY
    ]
    apps = [alert.subject for alert in shown.alerts if alert.type == AlertType.APP_LEAK]
    accounts = [alert.subject for alert in shown.alerts if alert.type == AlertType.PROFITEER]
    scores = score_alerts(labels, alerted, apps, accounts)
    return Result(
        scores,
        by_incident(labels, alerted),
        by_look_alike(labels, scores.false),
        shown.freezes.score(labels),
    )


def as_environment(settings: Settings) -> dict[str, str]:
    """Give the environment of a child that is to have these settings, and no file of its own."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)
    }
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    return inherited | {
        f"{PREFIX}{name.upper()}": _as_text(value) for name, value in values.items()
    }


def _as_text(value: object) -> str:
    """Write a setting as a variable holds it; an empty one counts as not set."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def _stand(plan: Plan, settings: Settings, stack: ExitStack) -> Settings:
    """Give settings with brokers, topics and a group of the demo's own; the topics are made."""
    changes: dict[str, object] = {"model": plan.folder / "model", "warmup": ()}
    changes |= {"auto_offset_reset": "earliest", "idle_heartbeat_ms": IDLE_MS}
    port = free_port()  # another worker may have the usual one
    changes |= {"http_port": port, "dashboard_metrics": f"http://{HOST}:{port}/metrics"}
    limits = None
    if settings.brokers:  # somebody else's: keep out of the way of what is there
        own = f"roguekey-demo-{secrets.token_hex(4)}"
        topics = {f"{kind}_topic": f"{own}.{name}" for kind, name in settings.topic_names().items()}
        changes |= topics | {"app_id": own}
    else:
        broker = stack.enter_context(EmbeddedBroker())
        changes |= {"brokers": broker.address, "replication_factor": 1}
        limits = TOPIC_LIMITS
    ours = settings.model_copy(update=changes)
    ensure_topics(
        ours.bootstrap_servers(),
        topic_specs(ours.topics, ours.partitions),
        replication=ours.replication_factor,
        limits=limits,
        client={"bootstrap_timeout_ms": CONNECT_MS},
    )
    return ours


def _train(tape: DemoTape, environment: Mapping[str, str], folder: Path) -> None:
    arguments = ["train", "--input", str(tape.history)]
    with Command(arguments, environment, folder / "train.log") as training:
        while training.exit_code is None:  # as long as it takes: it may have to compile first
            time.sleep(LOOK_S)
        if training.exit_code:
            raise DemoError(f"{training.name}: {training.last_words()}")


def _wait_for_worker(worker: Command, topics: DemoTopics) -> None:
    deadline = time.monotonic() + PATIENCE_S
    _must_run(worker)
    while not topics.has_worker():
        if time.monotonic() > deadline:
            raise DemoError(f"{worker.name} is not ready after {PATIENCE_S:.0f} s")
        time.sleep(LOOK_S)
        _must_run(worker)


def _must_run(worker: Command) -> None:
    if worker.exit_code is not None:
        raise DemoError(f"{worker.name} ended by itself: {worker.last_words()}")


class _Stopwatch:
    """Steps of the set-up: what is going on, and how long it took."""

    def __init__(self, view: View) -> None:
        self.seconds: dict[str, float] = {}
        self._view = view
        self._last = ""

    @contextmanager
    def step(self, name: str, doing: str) -> Iterator[None]:
        """Time a step, and say what it does while it lasts."""
        started, self._last = time.monotonic(), name
        with self._view.moving():
            self._view.progress(f"{doing} …")
            yield
        self.seconds[name] = round(time.monotonic() - started, 2)

    def tell(self, what: str) -> None:
        """Say what there is after the last step."""
        self._view.say(f"{self.seconds[self._last]:6.1f} s  {what}")


class _Day:
    """The day as it is played, until the worker is done with it."""

    def __init__(self, tape: DemoTape, topics: DemoTopics, worker: Command, view: View) -> None:
        self.alerts: list[Envelope] = []
        self.refused = 0
        self.seconds = 0.0
        self._tape = tape
        self._topics = topics
        self._worker = worker
        self._view = view
        self._sent = 0
        self._moved = time.monotonic()  # when anything last did

    def play(self, plan: Plan, environment: Mapping[str, str]) -> None:
        """Produce the day, and show each alert as it comes."""
        topics, names = self._topics, self._topics.names
        arguments = ["produce", "--input", str(self._tape.day)]
        if plan.seconds:
            arguments += ["--rate", f"{self._tape.events / plan.seconds:.3f}"]
        producer = Command(arguments, environment, plan.folder / "produce.log")
        file = (plan.folder / "alerts.jsonl").open("wb")
        with file, producer, self._view.moving():
            self._look_until(lambda: self._sent > 0 or producer.exit_code is not None, file)
            started = time.monotonic()
            self._look_until(lambda: producer.exit_code is not None, file)
            if producer.exit_code:
                raise DemoError(f"{producer.name}: {producer.last_words()}")
            # What the worker has committed of a topic lies, with all that came of it, on the next.
            for topic in (names.orders, names.keys, names.suspects):
                self._look_until(partial(topics.is_done, topic, topics.ends(topic)), file)
            raised = sum(topics.ends(names.alerts).values())
            self._look_until(lambda: len(self.alerts) >= raised, file)
            self.seconds = time.monotonic() - started

    def _look_until(self, condition: Callable[[], bool], file: BinaryIO) -> None:
        while True:
            self._look(file)
            if condition():
                return
            if time.monotonic() - self._moved > PATIENCE_S:
                raise DemoError(f"nothing moves any more: {self._worker.last_words()}")
            time.sleep(LOOK_S)

    def _look(self, file: BinaryIO) -> None:
        """Show new alerts, and how things stand."""
        _must_run(self._worker)
        for value in self._topics.new_alerts():
            file.write(value + b"\n")
            alert = decode_alert(value)
            self.alerts.append(alert)
            self._view.say(alert_text(alert))
        names = self._topics.names
        before = self._sent, len(self.alerts)
        self._sent = sum(self._topics.ends(names.orders).values())
        self.refused = sum(self._topics.ends(names.dead).values())
        if before != (self._sent, len(self.alerts)):
            self._moved = time.monotonic()
        self._view.progress(
            f"{self._sent:,} of {self._tape.events:,} events in · {len(self.alerts)} alerts"
            f" · {self.refused} refused"
        )


def _freezes(freezing: FreezeDemo, day: _Day, settings: Settings) -> Freezes:
    """Say what the hook did, and what a hook without memory does with the same alerts."""
    entries = freezing.settle({alert.id for alert in day.alerts})
    backlog = freezing.replay_backlog()
    return freezing.told(entries, backlog, alert_times(settings))
