import asyncio
import gc

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError, OffsetOutOfRangeError
from kafka import KafkaAdminClient, KafkaProducer
from kafka import TopicPartition as AdminsPartition

from streams.kafka import clients
from streams.kafka.broker import EmbeddedBroker
from streams.settings import Settings
from streams.tapes.topic import TopicTape, TopicTapeError
from streams.topics import TopicSpec, ensure_topics
from tests.streams.conftest import Produce, everything_on
from tests.streams.kafka.cluster import KafkaCluster


def test_every_partition_is_read_to_its_end_with_its_offsets(
    broker: EmbeddedBroker, orders: str, produce: Produce
) -> None:
    produce(orders, 0, [b"%d" % number for number in range(5000)])
    produce(orders, 3, [b"x"])
    with TopicTape([broker.address], orders) as tape:
        assert (tape.partitions, tape.offsets) == (4, 5001)
        first, second = tape.next(0), tape.next(0)
        assert first is not None
        assert second is not None
        assert [*first[1], *second[1]] == list(range(5000))
        assert first[0] + second[0] == [b"%d" % number for number in range(5000)]
        assert tape.next(0) is tape.next(1) is None
        assert tape.next(3) is not None


def test_what_comes_after_it_was_opened_is_left_out(
    broker: EmbeddedBroker, orders: str, produce: Produce
) -> None:
    produce(orders, 0, [b"a"])
    with TopicTape([broker.address], orders) as tape:
        produce(orders, 0, [b"b"])
        found = tape.next(0)
        assert found is not None
        assert found[0] == [b"a"]
        assert tape.next(0) is None
    assert everything_on(broker.address, orders) == [b"a", b"b"]


def test_a_span_of_time_leaves_out_the_rest(
    broker: EmbeddedBroker, orders: str, produce: Produce
) -> None:
    produce(orders, 0, [b"a"])
    with TopicTape([broker.address], orders, since=2**42) as tape:
        assert (tape.offsets, tape.next(0)) == (0, None)
    with TopicTape([broker.address], orders, until=0) as tape:
        assert (tape.offsets, tape.next(0)) == (0, None)
    with TopicTape([broker.address], orders, since=0, until=2**42) as tape:
        assert tape.next(0) is not None


def test_a_topic_that_does_not_exist_is_not_made(broker: EmbeddedBroker) -> None:
    for _ in range(2):
        with pytest.raises(TopicTapeError, match="topic orders does not exist"):
            TopicTape([broker.address], "orders")


def test_brokers_out_of_reach_leave_no_event_loop_open() -> None:
    before = open_loops()
    with pytest.raises(KafkaError):
        TopicTape(["127.0.0.1:1"], "orders")
    assert open_loops() == before


def test_brokers_that_go_away_meanwhile_end_the_reading(
    broker: EmbeddedBroker, orders: str, produce: Produce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "PATIENCE_S", 0.5)
    produce(orders, 0, [b"a"])
    with TopicTape([broker.address], orders) as tape:
        broker.stop()
        with pytest.raises(KafkaTimeoutError, match=r"more of orders\[0\], which ends at offset"):
            tape.next(0)


def test_records_that_are_gone_are_no_end_of_the_topic(
    broker: EmbeddedBroker, orders: str, produce: Produce
) -> None:
    produce(orders, 0, [b"a"])
    with TopicTape([broker.address], orders) as tape:
        place = TopicPartition(orders, 0)
        tape._consumer.seek(place, 7)  # the brokers know such an offset as little as a deleted one
        tape._end[place] = 8
        with pytest.raises(OffsetOutOfRangeError):
            tape.next(0)


@pytest.mark.kafka
def test_records_that_are_deleted_while_it_is_read_are_missed(
    own_cluster: KafkaCluster, kafka_settings: Settings
) -> None:
    name, brokers = kafka_settings.orders_topic, [own_cluster.address]
    ensure_topics(brokers, [TopicSpec(name, 1, "", "")])
    put(brokers, name, [b"a", b"b", b"c"])
    with TopicTape(brokers, name) as tape:
        delete_before(brokers, name, 2)
        with pytest.raises(OffsetOutOfRangeError):
            tape.next(0)
    assert everything_on(own_cluster.address, name) == [b"c"]


def put(brokers: list[str], topic: str, values: list[bytes]) -> None:
    producer = KafkaProducer(bootstrap_servers=brokers)
    for value in values:
        producer.send(topic, value, partition=0)
    producer.close()


def delete_before(brokers: list[str], topic: str, offset: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=brokers)
    admin.delete_records({AdminsPartition(topic, 0): offset})
    admin.close()


def open_loops() -> int:
    made = (each for each in gc.get_objects() if issubclass(type(each), asyncio.BaseEventLoop))
    return sum(not loop.is_closed() for loop in made)
