import gc
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
from kafka import KafkaProducer

from streams.broker import EmbeddedBroker
from streams.dashboard.feed import Feed
from streams.dashboard.handles import Handles
from streams.dashboard.read_model import ReadModel
from streams.dashboard.records import Intake, Taken
from streams.settings import Settings
from streams.topics import TopicNames
from tests.streams.dashboard.samples import SECRET, alert, dump
from tests.streams.kafka_cluster import KafkaCluster

PATIENCE_S = 60

# kafka-python leaves the sockets of failed attempts to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


class Broker(Protocol):
    """What can be stopped and started."""

    def start(self) -> object: ...

    def stop(self) -> None: ...


class Reader:
    """A feed with its read model."""

    def __init__(self, settings: Settings, path: Path, stack: ExitStack) -> None:
        self.model = ReadModel(path)
        self._moved = threading.Condition()
        intake = Intake(TopicNames(**settings.topic_names()), Handles(SECRET))
        self.feed = Feed(settings, self.model, intake, self._tell)
        self.feed.start()
        self._stack = stack.enter_context(ExitStack())
        self._stack.callback(self.model.close)
        self._stack.callback(self.feed.stop)

    def alerts(self) -> list[str]:
        return [row["account"] for row in dump(self.model)["alerts"]]

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that the feed does."""
        with self._moved:
            assert self._moved.wait_for(condition, PATIENCE_S)

    def until_alerts(self, count: int) -> None:
        self.until(lambda: len(self.alerts()) == count)

    def close(self) -> None:
        self._stack.close()

    def _tell(self, _: Taken) -> None:
        with self._moved:
            self._moved.notify_all()


def put(settings: Settings, *numbers: int) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.brokers)
    sent = [
        producer.send(settings.alerts_topic, alert(number).encode(), partition=0)
        for number in numbers
    ]
    for each in sent:
        each.get(timeout=30)
    producer.close()


def play(broker: Broker, settings: Settings, folder: Path) -> None:
    """Stop and start reader and broker; every alert comes once, and a new reader finds the same."""
    with ExitStack() as stack:
        first = Reader(settings, folder / "one", stack)
        first.until(lambda: first.feed.pulse.reachable)
        put(settings, 1, 2)
        first.until_alerts(2)
        first.close()
        put(settings, 3)
        again = Reader(settings, folder / "one", stack)
        again.until_alerts(3)
        broker.stop()
        again.until(lambda: not again.feed.pulse.reachable)
        broker.start()
        again.until(lambda: again.feed.pulse.reachable)
        began = time.monotonic()
        put(settings, 4)
        again.until_alerts(4)
        assert time.monotonic() - began < PATIENCE_S / 4
        rebuilt = Reader(settings, folder / "two", stack)
        rebuilt.until_alerts(4)
        assert rebuilt.alerts() == again.alerts() == [f"account-{n}" for n in (1, 2, 3, 4)]
    gc.collect()


def test_alerts_come_once_whatever_is_stopped_and_started(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    play(broker, Settings(brokers=broker.address), tmp_path)


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_alerts_come_once_from_an_apache_kafka(
    kafka_cluster: KafkaCluster, kafka_settings: Settings, tmp_path: Path
) -> None:
    play(kafka_cluster, kafka_settings, tmp_path)
