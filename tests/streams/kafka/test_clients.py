import asyncio
import gc
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import KafkaError

from streams.kafka import clients
from streams.kafka.broker import EmbeddedBroker
from streams.kafka.clients import connect, next_records, reading, start_reader
from tests.streams.conftest import Produce

KINDS = pytest.mark.parametrize("kind", [KafkaAdminClient, KafkaConsumer])
DESCRIPTORS = Path("/proc/self/fd")  # of Linux; elsewhere threads alone are counted


@pytest.fixture(params=["refuses", "is silent"])
def no_broker(request: pytest.FixtureRequest) -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        if request.param == "is silent":
            taken.listen()
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def held() -> tuple[set[threading.Thread], int]:
    """Threads and open files of this process."""
    gc.collect()  # the library leaves it to that to close a refused socket
    files = len(list(DESCRIPTORS.iterdir())) if DESCRIPTORS.exists() else 0
    return set(threading.enumerate()), files


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@KINDS
def test_a_client_that_cannot_connect_leaves_nothing_behind(
    kind: Any, no_broker: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "kafka")  # what is logged holds on to sockets
    before = held()
    for _ in range(3):
        with pytest.raises(KafkaError):
            connect(kind, bootstrap_servers=[no_broker], bootstrap_timeout_ms=50)
    assert held() == before


@KINDS
def test_a_setting_that_a_client_does_not_know_is_refused_as_ever(kind: Any) -> None:
    with pytest.raises(KafkaError, match="Unrecognized configs"):
        connect(kind, colour="blue")


@KINDS
def test_a_client_that_connects_is_closed_like_any_other(kind: Any, broker: EmbeddedBroker) -> None:
    before = held()
    with closing(connect(kind, bootstrap_servers=broker.address)):
        assert held() > before
    assert held() == before


def test_a_reader_that_cannot_connect_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(KafkaConnectionError):
            asyncio.run(start_reader([f"127.0.0.1:{taken.getsockname()[1]}"], {}))
    gc.collect()  # a reader that nobody stopped tells of it here, as a warning


def test_a_reader_that_is_cut_short_at_any_time_leaves_no_connection_open(
    broker: EmbeddedBroker, orders: str, produce: Produce
) -> None:
    produce(orders, 0, [b"a"])
    place = TopicPartition(orders, 0)

    async def read() -> None:
        async with reading([broker.address], {}) as reader:
            await reader.end_offsets([place])

    async def cut_short(turns: int) -> bool:
        reads = asyncio.create_task(read())
        for _ in range(turns):
            await asyncio.sleep(0)
            if reads.done():
                return False
        reads.cancel()
        await asyncio.gather(reads, return_exceptions=True)
        return reads.cancelled()

    cuts = [asyncio.run(cut_short(turns)) for turns in range(1, 400, 3)]
    assert sum(cuts) > len(cuts) // 10
    gc.collect()  # a connection that nobody closed tells of it here, as a warning


def test_a_reader_of_brokers_that_went_away_gives_up_and_closes(
    broker: EmbeddedBroker, orders: str, produce: Produce, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(orders, 0, [b"a"])

    async def read() -> None:
        place = TopicPartition(orders, 0)
        async with reading([broker.address], {}) as reader:
            reader.assign([place])
            reader.seek(place, 0)
            assert [record.value for record in await next_records(reader, place, 1)] == [b"a"]
            assert await next_records(reader, place, 1) == []
            broker.stop()
            monkeypatch.setattr(clients, "PATIENCE_S", 0.5)
            await next_records(reader, place, 2)

    with pytest.raises(KafkaTimeoutError, match=r"orders\[0\], which ends at offset 2, within 0.5"):
        asyncio.run(read())
