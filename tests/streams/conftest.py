"""What the tests against a real broker share."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import faust
import pytest
from kafka import KafkaAdminClient, KafkaProducer

from streams.broker import EmbeddedBroker
from streams.runtime import DEFAULT_GROUP
from streams.topics import TopicSpec, ensure_topics

Running = Callable[[faust.App], AbstractAsyncContextManager[None]]
Produce = Callable[..., None]
Committed = Callable[[], dict[int, int]]


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """A broker per test, since it starts in 50 ms and serves only one worker."""
    with EmbeddedBroker() as started:
        yield started


@pytest.fixture
def orders(broker: EmbeddedBroker) -> str:
    """Name of an empty topic of four partitions."""
    ensure_topics([broker.address], [TopicSpec("orders", 4, "", "")])
    return "orders"


@pytest.fixture
def produce(broker: EmbeddedBroker) -> Produce:
    """Put values on a partition; with `commit_every`, in transactions, which leave holes."""

    def send(topic: str, partition: int, values: list[bytes], commit_every: int = 0) -> None:
        options = {"transactional_id": f"{topic}-{partition}"} if commit_every else {}
        producer = KafkaProducer(
            bootstrap_servers=broker.address, max_request_size=1 << 24, **options
        )
        if commit_every:
            producer.init_transactions()
        for start in range(0, len(values), commit_every or len(values)):
            if commit_every:
                producer.begin_transaction()
            chunk = values[start : start + (commit_every or len(values))]
            for sent in [producer.send(topic, value, partition=partition) for value in chunk]:
                sent.get(timeout=10)
            if commit_every:
                producer.commit_transaction()
        producer.close()

    return send


@pytest.fixture
def committed(broker: EmbeddedBroker) -> Committed:
    """Offsets that the worker's group has committed, by partition of `orders`."""

    def ask() -> dict[int, int]:
        admin = KafkaAdminClient(bootstrap_servers=broker.address)
        try:
            offsets = admin.list_group_offsets(DEFAULT_GROUP)[DEFAULT_GROUP]
        finally:
            admin.close()
        return {
            tp.partition: found.offset
            for tp, found in offsets.items()
            if tp.topic == "orders" and found.offset >= 0
        }

    return ask


@pytest.fixture
def running() -> Running:
    """Run an app while the block runs."""

    @asynccontextmanager
    async def run(app: faust.App) -> AsyncIterator[None]:
        async with asyncio.timeout(20):
            await app.start()
            try:
                yield
            finally:
                await app.stop()

    return run
