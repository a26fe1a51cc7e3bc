import gc
import socket
from collections.abc import Iterator

import pytest
from aiokafka.errors import KafkaConnectionError
from kafka import KafkaAdminClient, KafkaProducer

from streams.kafka.broker import EmbeddedBroker
from streams.lifecycle.feed import FeedError, KafkaFeed
from streams.lifecycle.store import Place
from streams.topics import TopicSpec, ensure_topics
from tests.patience import PATIENCE_S


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with EmbeddedBroker() as broker:
        specs = [TopicSpec("orders", 2, "", ""), TopicSpec("key.lifecycle", 1, "", "")]
        ensure_topics([broker.address], specs)
        yield broker.address


def put(address: str, topic: str, partition: int, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=address)
    for value in values:
        producer.send(topic, value, partition=partition, timestamp_ms=77).get(timeout=PATIENCE_S)
    producer.close()


def test_every_partition_is_read_from_where_it_is_told_to_its_end(address: str) -> None:
    put(address, "orders", 0, b"a", b"b", b"c")
    put(address, "orders", 1, b"d")
    first, second = Place("orders", 0), Place("orders", 1)
    with KafkaFeed([address], ["orders"], "test.lifecycle") as feed:
        assert feed.bounds() == {first: (0, 3), second: (0, 1)}
        feed.seek(first, 1)
        feed.seek(second, 0)
        found: dict[Place, list[bytes | None]] = {first: [], second: []}
        while feed.position(first) < 3 or feed.position(second) < 1:
            for chunk in feed.poll([first, second]):
                found[chunk.place] += chunk.values
                assert set(chunk.timestamps) == {77}
        assert found == {first: [b"b", b"c"], second: [b"d"]}
        feed.show({first: 3, second: 1})
    admin = KafkaAdminClient(bootstrap_servers=address)
    shown = admin.list_group_offsets("test.lifecycle")["test.lifecycle"]
    admin.close()
    assert {tp.partition: at.offset for tp, at in shown.items()} == {0: 3, 1: 1}


def test_what_is_told_lies_with_the_brokers_keyed_and_in_order(address: str) -> None:
    place = Place("key.lifecycle", 0)
    with KafkaFeed([address], ["key.lifecycle"], "test.lifecycle") as feed:
        feed.tell("key.lifecycle", [(b"k1", b"one"), (b"", b"two")])
        assert feed.bounds() == {place: (0, 2)}
        feed.seek(place, 0)
        values: list[bytes | None] = []
        while len(values) < 2:
            values += [value for chunk in feed.poll([place]) for value in chunk.values]
    assert values == [b"one", b"two"]


def test_a_topic_that_does_not_exist_is_named(address: str) -> None:
    with (
        KafkaFeed([address], ["absent"], "test.lifecycle") as feed,
        pytest.raises(FeedError, match="topic absent does not exist"),
    ):
        feed.bounds()


def test_a_feed_that_cannot_connect_leaves_no_client_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(KafkaConnectionError):
            KafkaFeed([f"127.0.0.1:{taken.getsockname()[1]}"], ["orders"], "test.lifecycle")
    gc.collect()  # a client that nobody stopped tells of it here
    assert not [record for record in caplog.records if "Unclosed" in record.getMessage()]
