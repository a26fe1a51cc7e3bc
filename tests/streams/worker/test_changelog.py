"""Changelogs as the worker writes them: many partitions at once, from its first moment on."""

import asyncio
from typing import Final

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from streams.kafka.broker import EmbeddedBroker
from streams.topics import MEBIBYTE
from streams.worker.changelog import Changelog
from tests.patience import PATIENCE_S

TOPICS: Final = 12
LARGE: Final = b"x" * (MEBIBYTE * 2 // 3)  # no two fit into one batch
RECORDS: Final = 3


async def _write_at_once(broker: str, topics: list[str]) -> list[int | None]:
    """Write to topic after topic, each a moment later than the one before."""
    changelog = Changelog([broker], {})
    writing = []
    for topic in topics:
        messages = [(b"key", LARGE)] * RECORDS
        writing.append(asyncio.create_task(changelog.write(TopicPartition(topic, 0), messages)))
        await asyncio.sleep(0.001)  # so that some begin while the producer connects
    try:
        return await asyncio.wait_for(asyncio.gather(*writing), PATIENCE_S)
    finally:
        await changelog.stop()


def test_first_writes_to_several_topics_do_not_wait_for_one_another() -> None:
    topics = [f"changelog-{number}" for number in range(TOPICS)]
    with EmbeddedBroker() as broker:
        admin = KafkaAdminClient(bootstrap_servers=broker.address)
        admin.create_topics([NewTopic(topic, 1, 1) for topic in topics])
        admin.close()
        ends = asyncio.run(_write_at_once(broker.address, topics))
    assert ends == [RECORDS] * TOPICS


async def _write_twice(broker: str) -> None:
    changelog = Changelog([broker], {})
    try:
        for _ in range(2):
            with pytest.raises(KafkaConnectionError):
                await changelog.write(TopicPartition("changelog", 0), [(b"key", b"value")])
    finally:
        await changelog.stop()


def test_a_write_without_brokers_fails_each_time() -> None:
    asyncio.run(asyncio.wait_for(_write_twice("127.0.0.1:9"), PATIENCE_S))
