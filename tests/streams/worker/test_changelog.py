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

LARGE: Final = b"x" * (MEBIBYTE * 2 // 3)  # no two fit into one batch
RECORDS: Final = 4


def _create(broker: str, *topics: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics([NewTopic(topic, 1, 1) for topic in topics])
    admin.close()


async def _write_beside_a_new_topic(broker: str) -> list[int | None]:
    """Write to three topics at once, of which the producer learns of one only now."""
    changelog = Changelog([broker], {})
    try:
        await changelog.write(TopicPartition("first", 0), [(b"key", b"value")])
        await asyncio.to_thread(_create, broker, "new")
        large = [(b"key", LARGE)] * RECORDS
        writing = [
            changelog.write(TopicPartition("known", 0), large),
            changelog.write(TopicPartition("new", 0), large),
            changelog.write(TopicPartition("first", 0), large),
        ]
        return await asyncio.wait_for(asyncio.gather(*writing), PATIENCE_S)
    finally:
        await asyncio.wait_for(changelog.stop(), PATIENCE_S)


def test_writes_to_several_topics_do_not_wait_for_one_another() -> None:
    with EmbeddedBroker() as broker:
        _create(broker.address, "first", "known")
        ends = asyncio.run(_write_beside_a_new_topic(broker.address))
    assert ends == [RECORDS, RECORDS, RECORDS + 1]


async def _stop_while_it_starts(broker: str) -> None:
    changelog = Changelog([broker], {})
    writing = asyncio.create_task(changelog.write(TopicPartition("first", 0), [(b"key", b"v")]))
    await asyncio.sleep(0)
    await changelog.stop()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(writing, PATIENCE_S)
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    assert not tasks


def test_a_changelog_stopped_while_it_connects_leaves_nothing_running() -> None:
    with EmbeddedBroker() as broker:
        _create(broker.address, "first")
        asyncio.run(_stop_while_it_starts(broker.address))


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
