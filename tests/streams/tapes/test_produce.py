import asyncio
import gzip
import json
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaError
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaConsumer, TopicPartition

from streams.kafka.broker import EmbeddedBroker
from streams.settings import Settings
from streams.tapes.files import TapeError
from streams.tapes.produce import Produced, produce, symbol_of
from tests.factories import NESTED
from tests.streams.aftermath import make_topics
from tests.streams.conftest import values_on
from tests.streams.kafka.cluster import KafkaCluster

AWAY_S = 15.0

Record = tuple[int, bytes | None, bytes]  # partition, key, value


def event(number: int, symbol: str) -> bytes:
    return json.dumps({"event_id": f"e{number}", "symbol": symbol, "pad": "x" * 200}).encode()


def records(broker: EmbeddedBroker, topic: str) -> list[Record]:
    consumer = KafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest")
    try:
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        wanted = sum(consumer.end_offsets(partitions).values())
        found: list[Record] = []
        while len(found) < wanted:
            for batch in consumer.poll(timeout_ms=100).values():
                found += [(record.partition, record.key, record.value) for record in batch]
        return found
    finally:
        consumer.close()


def put(
    broker: EmbeddedBroker, topic: str, lines: list[bytes], path: Path, rate: float | None = None
) -> Produced:
    path.write_bytes(b"\n".join(lines))
    return asyncio.run(produce([path], [broker.address], topic, rate))


def test_every_symbol_keeps_the_order_of_the_file(
    broker: EmbeddedBroker, orders: str, tmp_path: Path
) -> None:
    """Enough events for several batches of each partition."""
    lines = [event(number, f"S{number % 7}") for number in range(20_000)]
    assert put(broker, orders, lines, tmp_path / "orders.jsonl").events == len(lines)
    found = defaultdict(list)
    for _, key, value in records(broker, orders):
        found[key].append(value)
    assert found == {f"S{symbol}".encode(): lines[symbol::7] for symbol in range(7)}


def test_a_symbol_lies_on_the_partition_where_other_producers_put_it(
    broker: EmbeddedBroker, orders: str, tmp_path: Path
) -> None:
    """Kafka's own partitioner: murmur2 of the key gives 21 -> -973932308 (from its test suite)."""
    put(broker, orders, [event(0, "21")], tmp_path / "orders.jsonl")
    assert records(broker, orders)[0][0] == (-973932308 & 0x7FFFFFFF) % 4


def test_what_cannot_be_read_is_sent_unchanged_without_a_key(
    broker: EmbeddedBroker, orders: str, tmp_path: Path
) -> None:
    bad = [b"no JSON", b'{"symbol":7}', b"\xff\xfe", b"[]", NESTED]
    produced = put(broker, orders, [*bad, event(0, "A")], tmp_path / "orders.jsonl")
    assert (produced.events, produced.unkeyed) == (6, 5)
    found = records(broker, orders)
    assert sorted(value for _, key, value in found if key is None) == sorted(bad)
    assert [value for _, key, value in found if key == b"A"] == [event(0, "A")]


def test_an_empty_file_is_no_error(broker: EmbeddedBroker, orders: str, tmp_path: Path) -> None:
    assert put(broker, orders, [], tmp_path / "orders.jsonl").events == 0


def test_a_rate_is_kept(
    broker: EmbeddedBroker, orders: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0  # of a clock that only the producer's own waiting moves

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    waiting = SimpleNamespace(sleep=sleep, timeout=asyncio.timeout)
    monkeypatch.setattr("streams.tapes.produce.asyncio", waiting)
    monkeypatch.setattr("streams.tapes.produce.time", SimpleNamespace(monotonic=lambda: now))
    lines = [event(number, "A") for number in range(200)]
    produced = put(broker, orders, lines, tmp_path / "orders.jsonl", rate=500.0)
    assert produced.seconds == pytest.approx(0.4)
    assert produced.events_per_second == pytest.approx(500)


def test_files_follow_one_another_and_progress_adds_up_to_their_sizes(
    broker: EmbeddedBroker, orders: str, tmp_path: Path
) -> None:
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for number, path in enumerate(paths):
        path.write_bytes(event(number, "A") + b"\n")
    read: list[int] = []
    asyncio.run(produce(paths, [broker.address], orders, progress=read.append))
    assert [value for _, _, value in records(broker, orders)] == [event(0, "A"), event(1, "A")]
    assert sum(read) == sum(path.stat().st_size for path in paths)


def test_whole_lines_of_a_file_that_breaks_off_are_delivered(
    broker: EmbeddedBroker, orders: str, tmp_path: Path
) -> None:
    path = tmp_path / "orders.jsonl.gz"
    path.write_bytes(gzip.compress(event(0, "A") + b"\n") + b"not compressed")
    with pytest.raises(TapeError, match=r"orders\.jsonl\.gz cannot be read"):
        asyncio.run(produce([path], [broker.address], orders))
    assert [value for _, _, value in records(broker, orders)] == [event(0, "A")]


def test_a_broker_that_is_not_there_is_an_error_of_kafka(tmp_path: Path) -> None:
    (tmp_path / "orders.jsonl").touch()
    with pytest.raises(KafkaError):
        asyncio.run(produce([tmp_path / "orders.jsonl"], ["127.0.0.1:1"], "orders"))


@pytest.mark.kafka
def test_what_a_dead_broker_led_waits_for_it_and_comes_once(
    own_cluster: KafkaCluster, kafka_settings: Settings, tmp_path: Path
) -> None:
    """Of two nodes one dies, and leaves partitions that nobody leads."""
    settings, topic = kafka_settings, kafka_settings.orders_topic
    lines = [event(number, f"S{number % 7}") for number in range(3000)]
    path = tmp_path / "orders.jsonl"
    path.write_bytes(b"\n".join(lines))

    async def fall_and_rise(second: KafkaCluster) -> None:
        while not await asyncio.to_thread(values_on, settings, topic):
            pass
        await asyncio.to_thread(second.kill)
        await asyncio.sleep(AWAY_S)  # what is waited for is the time itself
        await asyncio.to_thread(second.start)

    async def both(second: KafkaCluster) -> None:
        producing = produce([path], settings.bootstrap_servers(), topic, rate=500.0)
        await asyncio.gather(producing, fall_and_rise(second))

    with KafkaCluster(beside=own_cluster) as second:
        make_topics(settings)
        asyncio.run(both(second))
        assert sorted(values_on(settings, topic)) == sorted(lines)


@given(st.text(min_size=1).filter(str.isprintable))
def test_any_symbol_is_its_own_key(symbol: str) -> None:
    assert symbol_of(event(0, symbol)) == symbol.encode()


@given(st.binary())
def test_reading_a_symbol_never_fails(noise: bytes) -> None:
    assert symbol_of(noise) is None or b"symbol" in noise
