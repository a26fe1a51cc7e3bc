import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer

from streams.broker import EmbeddedBroker
from streams.dashboard.feed import Feed
from streams.dashboard.read_model import ReadModel
from streams.dashboard.records import Taken
from streams.settings import Settings
from tests.streams.dashboard.samples import alert, dump, intake


class Reader:
    """A feed with its read model; `until` waits for something it has done."""

    def __init__(self, broker: EmbeddedBroker, path: Path) -> None:
        self.model = ReadModel(path)
        self._moved = threading.Condition()
        settings = Settings(brokers=broker.address)
        self.feed = Feed(settings, self.model, intake(), self._tell)
        self.feed.start()

    def alerts(self) -> list[str]:
        return [row["account"] for row in dump(self.model)["alerts"]]

    def until(self, condition: Callable[[], bool]) -> None:
        with self._moved:
            assert self._moved.wait_for(condition, 20)

    def close(self) -> None:
        self.feed.stop()
        self.model.close()

    def _tell(self, _: Taken) -> None:
        with self._moved:
            self._moved.notify_all()


@pytest.fixture
def start(broker: EmbeddedBroker, tmp_path: Path) -> Iterator[Callable[[str], Reader]]:
    readers: list[Reader] = []

    def begin(name: str) -> Reader:
        readers.append(Reader(broker, tmp_path / name))
        return readers[-1]

    yield begin
    for reader in readers:
        if reader.feed.is_alive():
            reader.close()


def put(broker: EmbeddedBroker, *numbers: int) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.address)
    sent = [producer.send("alerts", alert(number).encode()) for number in numbers]
    for each in sent:
        each.get(timeout=10)
    producer.close()


def test_alerts_come_once_whatever_is_stopped_and_started(
    broker: EmbeddedBroker, start: Callable[[str], Reader]
) -> None:
    first = start("one")
    first.until(lambda: first.feed.pulse.reachable)
    put(broker, 1, 2)
    first.until(lambda: len(first.alerts()) == 2)
    first.close()
    put(broker, 3)
    again = start("one")
    again.until(lambda: len(again.alerts()) == 3)
    broker.stop()
    again.until(lambda: not again.feed.pulse.reachable)
    broker.start()
    again.until(lambda: again.feed.pulse.reachable)
    put(broker, 4)
    again.until(lambda: len(again.alerts()) == 4)
    rebuilt = start("two")
    rebuilt.until(lambda: len(rebuilt.alerts()) == 4)
    assert rebuilt.alerts() == again.alerts() == [f"account-{n}" for n in (1, 2, 3, 4)]
