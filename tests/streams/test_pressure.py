"""Topics that cannot be written, and a broker that does not answer, on a real Apache Kafka.

A topic that asks for more copies than are alive takes no record, and can still be read.
"""

import json
import os
import random
import re
import signal
import time
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Self

import httpx
import pytest
from aiokafka.errors import KafkaError
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from streams.kafka.broker import free_port
from streams.kafka.children import Command
from streams.kafka.security import kafka_security
from streams.replay.replay import AlertFile, replay
from streams.settings import Settings
from streams.tapes.intake import Intake
from tests.factories import encode, order
from tests.patience import wait_until
from tests.streams.aftermath import alerts_on, make_topics, put
from tests.streams.conftest import Trained, as_values, variables
from tests.streams.kafka.cluster import KafkaCluster

LARGE = 40_000  # events, of 180 MB in all: far more than may wait in memory
PADDING = 4096
LONG = 240  # characters of a name
VICTIMS = 3000  # keys that are misused at once: more alerts than may be on their way
STILL_S = 3.0
PATIENT_MS = 2000
SESSION_S = 6.0
MOST_GROWN = 160e6  # bytes; 115-131 were seen, and the events and their columns are far more

pytestmark = pytest.mark.kafka


def noise(seed: int, size: int) -> str:
    """Give so many characters, which compress by no more than a quarter."""
    return b64encode(random.Random(seed).randbytes(size * 3 // 4)).decode()


@pytest.fixture(scope="module")
def flood(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What follows on the small tape: a market maker's large events, and many keys buy one coin."""
    ts = json.loads(trained.tape.read_bytes().splitlines()[-1])["ts"]
    maker = {"api_key": "maker", "account": "maker", "maker": True}
    events = [maker | {"symbol": f"L{n % 50}USDT", "note": noise(n, PADDING)} for n in range(LARGE)]
    coin = {"symbol": "THINUSDT", "qty": 400.0, "notional": 3300.0}
    victims = [{"api_key": noise(n, LONG), "account": noise(n, LONG)} for n in range(VICTIMS)]
    events += [coin | victim for victim in 3 * victims]
    lines = [
        encode(order(**event, event_id=noise(n, LONG), ts=ts + 20 * n))
        for n, event in enumerate(events)
    ]
    path = tmp_path_factory.mktemp("pressure") / "flood.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


@pytest.fixture(scope="module")
def undisturbed(trained: Trained, flood: Path) -> list[bytes]:
    """The alerts of a replay of both, in order of their bytes."""
    out = flood.with_name("alerts.jsonl")
    with AlertFile(out) as alerts:
        replay([trained.tape, flood], trained.model, alerts, Intake())
    return sorted(out.read_bytes().splitlines())


@pytest.fixture
def settings(kafka_settings: Settings) -> Settings:
    # A busy machine may hold a producer up between two partitions: that makes nothing late here.
    changes = {"http_port": free_port(), "checkpoint_interval_ms": 500, "batch_events": 500}
    changes |= {"idle_heartbeat_ms": PATIENT_MS}
    return Settings.model_validate(as_values(kafka_settings) | changes)


class Watched:
    """A worker, looked at through its metrics."""

    def __init__(self, settings: Settings, trained: Trained, log: Path) -> None:
        self._at = f"http://127.0.0.1:{settings.http_port}/metrics"
        arguments = ["worker", "--model", str(trained.model_dir)]
        self._running = Command(arguments, variables(as_values(settings)), log)
        self.memory = 0.0  # most bytes that it was seen to hold

    def __enter__(self) -> Self:
        self._running.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._running.__exit__(*exception)

    def count(self) -> tuple[int, int]:
        """Give the events that it has read, and the alerts that it has raised."""
        assert self._running.exit_code is None, self._running.last_words()
        found: defaultdict[str, float] = defaultdict(float)
        try:
            metrics = httpx.get(self._at, timeout=60).text
        except httpx.TransportError:  # it does not listen yet
            return 0, 0
        for name, value in re.findall(r"^roguekey_(\w+)(?:{.*})? (\S+)$", metrics, re.MULTILINE):
            found[name] += float(value)
        self.memory = max(self.memory, found["process_resident_memory_bytes"])
        return int(found["events_total"]), int(found["alerts_total"])

    def until_warm(self, events: int) -> float:
        """Wait until the first events are read; gives the most memory until then."""
        self.until(lambda: self.count()[0] == events)
        return self.memory

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something that the worker brings about."""
        wait_until(is_so, lambda: self._running.log.read_text()[-2000:])

    def until_still(self) -> tuple[int, int]:
        """Wait until it does not get on any more; gives its counts."""
        at, since = (0, 0), time.monotonic()

        def is_still() -> bool:
            nonlocal at, since
            before, at = at, self.count()
            since = since if at == before else time.monotonic()
            return time.monotonic() - since > STILL_S

        self.until(is_still)
        return at


def let_write(settings: Settings, topic: str, *, allowed: bool) -> None:
    servers, security = settings.bootstrap_servers(), kafka_security(settings)
    copies = {"min.insync.replicas": "1" if allowed else "2"}
    with closing(KafkaAdminClient(bootstrap_servers=servers, **security)) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=copies)])


def test_a_topic_that_cannot_be_written_holds_up_who_writes_it_and_nothing_is_lost_or_doubled(
    own_cluster: KafkaCluster,
    settings: Settings,
    trained: Trained,
    flood: Path,
    undisturbed: list[bytes],
    tmp_path: Path,
) -> None:
    with KafkaCluster(beside=own_cluster):  # which leaves the first with one copy of each
        make_topics(settings, replication=2)
    with Watched(settings, trained, tmp_path / "log") as worker:
        events = put(settings, trained.tape)
        before = worker.until_warm(events)
        closed = [settings.keys_topic, settings.suspects_topic, settings.alerts_topic]
        for topic in closed:
            let_write(settings, topic, allowed=False)
        events += put(settings, flood)
        told = set(alerts_on(settings))
        for topic in closed:
            if topic == settings.alerts_topic:
                # One last portion may hold all alerts that are left: they are raised, and wait.
                worker.until(lambda: worker.count()[0] == events)
                worker.until_still()
            else:
                read, raised = worker.until_still()
                assert read < events
                assert raised < len(undisturbed)
            assert set(alerts_on(settings)) == told
            assert worker.memory < before + MOST_GROWN
            let_write(settings, topic, allowed=True)
        worker.until(lambda: len(alerts_on(settings)) >= len(undisturbed))
        assert worker.until_still() == (events, len(undisturbed))
    assert sorted(alerts_on(settings)) == undisturbed


def test_a_broker_that_does_not_answer_for_longer_than_a_session_loses_and_doubles_nothing(
    own_cluster: KafkaCluster,
    settings: Settings,
    trained: Trained,
    flood: Path,
    undisturbed: list[bytes],
    tmp_path: Path,
) -> None:
    assert own_cluster.pid is not None
    settings = settings.model_copy(update={"session_timeout_ms": int(1000 * SESSION_S)})
    make_topics(settings)
    with Watched(settings, trained, tmp_path / "log") as worker:
        events = put(settings, trained.tape)
        before = worker.until_warm(events)
        put(settings, flood)
        worker.until(lambda: worker.count()[0] > events)
        os.kill(own_cluster.pid, signal.SIGSTOP)
        try:
            time.sleep(2.5 * SESSION_S)  # what is waited for is the time itself
            assert len(undisturbed) > worker.count()[1]
            assert worker.memory < before + MOST_GROWN
        finally:
            os.kill(own_cluster.pid, signal.SIGCONT)

        def all_told() -> bool:
            try:
                return len(alerts_on(settings)) >= len(undisturbed)
            except KafkaError:  # its controller does not count it as alive yet
                return False

        worker.until(all_told)
        worker.until_still()
    assert sorted(alerts_on(settings)) == undisturbed
