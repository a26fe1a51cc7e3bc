import json
import threading
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from streams.dashboard.feed import Feed
from streams.dashboard.handles import Handles
from streams.dashboard.read_model import ReadModel
from streams.dashboard.records import Intake, Taken
from streams.demo.demo import as_environment
from streams.kafka.broker import EmbeddedBroker, free_port
from streams.kafka.children import Command
from streams.settings import Settings
from tests.patience import PATIENCE_S, wait_until
from tests.streams.dashboard.samples import SECRET, alert, dump
from tests.streams.kafka.cluster import KafkaCluster


class Reader:
    """A feed with its read model."""

    def __init__(self, settings: Settings, path: Path, stack: ExitStack) -> None:
        self.model = ReadModel(path)
        self._moved = threading.Condition()
        intake = Intake(settings.topics, Handles(SECRET))
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
        each.get(timeout=PATIENCE_S)
    producer.close()


def test_alerts_come_once_whoever_reads_them_and_again_to_a_new_read_model(
    broker: EmbeddedBroker, tmp_path: Path
) -> None:
    settings = Settings(brokers=broker.address)
    with ExitStack() as stack:
        first = Reader(settings, tmp_path / "one", stack)
        first.until(lambda: first.feed.pulse.reachable)
        put(settings, 1, 2)
        first.until_alerts(2)
        first.close()
        put(settings, 3)
        again = Reader(settings, tmp_path / "one", stack)
        again.until_alerts(3)
        rebuilt = Reader(settings, tmp_path / "two", stack)
        rebuilt.until_alerts(3)
        assert rebuilt.alerts() == again.alerts() == [f"account-{n}" for n in (1, 2, 3)]


@pytest.mark.kafka
def test_an_apache_kafka_may_go_away_and_come_back(
    kafka_cluster: KafkaCluster, kafka_settings: Settings, tmp_path: Path
) -> None:
    port = free_port()
    ours = {"dashboard_port": port, "dashboard_data": tmp_path / "data"}
    environment = as_environment(kafka_settings.model_copy(update=ours))

    def ask(path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return {}

    def until(condition: Callable[[], object]) -> None:
        wait_until(condition, (tmp_path / "log").read_text)

    with Command(["dashboard"], environment, tmp_path / "log"):
        until(lambda: ask("/api/pulse").get("reachable"))
        put(kafka_settings, 1)
        until(lambda: ask("/api/alerts").get("total") == 1)
        kafka_cluster.stop()
        until(lambda: ask("/api/pulse").get("reachable") is False)
        kafka_cluster.start()
        until(lambda: ask("/api/pulse").get("reachable"))
        put(kafka_settings, 2)
        until(lambda: ask("/api/alerts").get("total") == 2)
