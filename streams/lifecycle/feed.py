"""The topics that the policy reads, and the one that it writes, as the brokers have them.

All partitions are this process's own, by assignment and not by group: two processes that shared
them would each miss half of the uses. The group only shows how far it has read. aiokafka and not
kafka-python, because it fetches ten times as fast.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from typing_extensions import override

from streams.closing import Closing
from streams.kafka.clients import start_client, stop_client
from streams.lifecycle.entries import CONTENT_TYPE
from streams.lifecycle.store import Place
from streams.topics import MEBIBYTE

FETCH_BYTES: Final = 4 * MEBIBYTE  # of a partition at a time
POLL_RECORDS: Final = 32_768
POLL_MS: Final = 100
REQUEST_MS: Final = 10_000

log = logging.getLogger(__name__)


class FeedError(Exception):
    """A topic cannot be read."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive records of a partition."""

    place: Place
    values: Sequence[bytes | None]
    timestamps: Sequence[int]  # as the broker has them, ms
    offsets: Sequence[int]


class Feed(Protocol):
    """What the policy needs of the brokers."""

    def bounds(self) -> Mapping[Place, tuple[int, int]]:
        """Give the first offset of each partition, and the one behind the last."""

    def seek(self, place: Place, offset: int) -> None:
        """Read a partition from an offset on; it is one that `bounds` gave."""

    def position(self, place: Place) -> int:
        """Give the offset of the record that comes next."""

    def poll(self, places: Sequence[Place]) -> Sequence[Chunk]:
        """Give what comes next of some of the partitions; nothing where nothing came in time."""

    def tell(self, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Send keys and values, and wait until the brokers have them."""

    def show(self, offsets: Mapping[Place, int]) -> None:
        """Let the group's offsets say how far it was read."""


class KafkaFeed(Closing):
    """The feed from Kafka. Its event loop runs only while somebody waits for it."""

    def __init__(
        self,
        bootstrap_servers: list[str],
        topics: Sequence[str],
        group: str,
        client: Mapping[str, Any] | None = None,
    ) -> None:
        self._topics = topics
        self._runner = asyncio.Runner()
        options = {"bootstrap_servers": bootstrap_servers, "request_timeout_ms": REQUEST_MS}
        options |= client or {}
        try:
            self._consumer, self._producer = self._runner.run(_start(group, options))
        except BaseException:
            self._runner.close()
            raise

    def bounds(self) -> dict[Place, tuple[int, int]]:
        """Give the first offset of each partition, and the one behind the last."""
        return self._runner.run(self._bounds())

    async def _bounds(self) -> dict[Place, tuple[int, int]]:
        # The names of all topics, since to ask for one that is missing may make it.
        existing = await self._consumer.topics()
        for topic in self._topics:
            if topic not in existing:
                raise FeedError(f"topic {topic} does not exist")
        client = self._consumer._client  # noqa: SLF001 - nothing public shows new partitions
        client.set_topics(self._topics)  # it learns about the topics only that it reads
        await client.force_metadata_update()
        places = [
            TopicPartition(topic, number)
            for topic in self._topics
            for number in sorted(self._consumer.partitions_for_topic(topic))
        ]
        if set(places) - self._consumer.assignment():
            await self._assign(places)
        begin = await self._consumer.beginning_offsets(places)
        end = await self._consumer.end_offsets(places)
        return {Place(tp.topic, tp.partition): (begin[tp], end[tp]) for tp in places}

    async def _assign(self, places: Sequence[TopicPartition]) -> None:
        """Take partitions in, and go on where the others were."""
        before = {tp: await self._consumer.position(tp) for tp in self._consumer.assignment()}
        self._consumer.assign(places)
        for tp, offset in before.items():
            self._consumer.seek(tp, offset)

    def seek(self, place: Place, offset: int) -> None:
        """Read a partition from an offset on."""
        self._consumer.seek(TopicPartition(*place), offset)

    def position(self, place: Place) -> int:
        """Give the offset of the record that comes next."""
        position: int = self._runner.run(self._consumer.position(TopicPartition(*place)))
        return position

    def poll(self, places: Sequence[Place]) -> list[Chunk]:
        """Give what comes next of some of the partitions."""
        wanted = [TopicPartition(*place) for place in places]
        fetched = self._runner.run(
            self._consumer.getmany(*wanted, timeout_ms=POLL_MS, max_records=POLL_RECORDS)
        )
        return [
            Chunk(
                Place(tp.topic, tp.partition),
                [record.value for record in records],
                [record.timestamp for record in records],
                [record.offset for record in records],
            )
            for tp, records in fetched.items()
            if records
        ]

    def tell(self, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Send keys and values, and wait until the brokers have them."""
        self._runner.run(self._send(topic, messages))

    async def _send(self, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
        headers = [("content-type", CONTENT_TYPE)]
        sent = [
            await self._producer.send(topic, value, key=key or None, headers=headers)
            for key, value in messages
        ]
        await asyncio.gather(*sent)

    def show(self, offsets: Mapping[Place, int]) -> None:
        """Let the group's offsets say how far it was read; the state file is what counts."""
        try:
            told = {TopicPartition(*place): offset for place, offset in offsets.items()}
            self._runner.run(self._consumer.commit(told))
        except KafkaError as error:
            log.warning("offsets of the group were not committed: %s", error)

    @override
    def close(self) -> None:
        """Leave the brokers."""
        self._runner.run(self._stop())
        self._runner.close()

    async def _stop(self) -> None:
        for client in (self._consumer, self._producer):
            await stop_client(client)


async def _start(
    group: str, options: Mapping[str, Any]
) -> tuple[AIOKafkaConsumer, AIOKafkaProducer]:
    consumer = AIOKafkaConsumer(
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="none",  # lost orders are for an operator to know, never to skip
        max_partition_fetch_bytes=FETCH_BYTES,
        isolation_level="read_uncommitted",
        **options,
    )
    await start_client(consumer)
    try:
        producer = AIOKafkaProducer(enable_idempotence=True, **options)
        await start_client(producer)
    except BaseException:
        await stop_client(consumer)
        raise
    return consumer, producer
