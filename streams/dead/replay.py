"""Puts dead letters back on the orders topic, unchanged, each once.

What was put back is recorded on an internal topic by the place where the event lay first, so a
letter that is there twice, or is chosen twice, is put back once. The record is written when the
brokers have the event: after a crash in between, it may be put back again, under its own event id.
"""

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from aiokafka import AIOKafkaProducer

from models.orders.decode import decode
from streams.clock import now_ms
from streams.dead.letters import Headers
from streams.dead.topic import Choice, DeadTopicError, Found, reading
from streams.kafka.partitioning import partition_of
from streams.kafka.security import kafka_security
from streams.settings import Settings
from streams.tapes.produce import symbol_of
from streams.topics import FRAME_BYTES, TopicSpec, ensure_topics, put_back_spec

CHUNK: Final = 500  # letters that are put back before that is recorded
REQUEST_MS: Final = 10_000
FROM: Final = "roguekey-replayed-from"


@dataclass(slots=True)
class PutBack:
    """What was put back, or would be."""

    meant: int = 0
    before: int = 0  # of them, put back before
    sent: int = 0
    refused_again: int = 0  # of those sent, what a worker of this version refuses
    why: str = ""  # it refuses the first of them


def record_topic(settings: Settings) -> TopicSpec:
    """Specify the topic that remembers what was put back."""
    return put_back_spec(settings.app_id)


async def put_back(
    settings: Settings, choice: Choice, *, again: bool = False, really: bool = True
) -> PutBack:
    """Put letters back; `again` also those of before; not `really`: only count.

    Raises
    ------
    DeadTopicError
        If the topic of dead letters, or that of orders, does not exist.
    aiokafka.errors.KafkaError
        If the brokers cannot be reached or refuse.
    """
    known = set() if again else await _put_back_before(settings)
    outcome = PutBack()
    async with reading(settings, settings.dead_topic) as topic, _outbox(settings, really) as send:
        chunk: list[Found] = []
        async for found in topic.letters(choice):
            outcome.meant += 1
            place = _place(found, topic.name)
            if place in known:
                outcome.before += 1
                continue
            known.add(place)
            chunk.append(found)
            if len(chunk) == CHUNK:
                await _pass_on(chunk, send, outcome)
                chunk = []
        await _pass_on(chunk, send, outcome)
    return outcome


async def _pass_on(chunk: list[Found], outbox: "_Outbox | None", outcome: PutBack) -> None:
    values = [found.letter.value for found in chunk]
    offsets = np.arange(len(values))
    decoded = decode(values, partition=0, offsets=offsets, now_ms=now_ms())
    outcome.refused_again += len(decoded.refusals)
    if decoded.refusals and not outcome.why:
        outcome.why = decoded.refusals[0].reason
    outcome.sent += len(chunk)
    if outbox is not None and chunk:
        await outbox.send(chunk)


def _place(found: Found, topic: str) -> str:
    """Give where the event lay first; of one that came from nowhere, where its letter lies."""
    letter = found.letter
    if not letter.topic or letter.partition < 0 or letter.offset < 0:
        return f"{topic}:0:{found.offset}"
    return f"{letter.topic}:{letter.partition}:{letter.offset}"


async def _put_back_before(settings: Settings) -> set[str]:
    try:
        async with reading(settings, record_topic(settings).name) as topic:
            return {record.key.decode() async for record in topic.records()}
    except DeadTopicError:
        return set()


@asynccontextmanager
async def _outbox(settings: Settings, really: bool) -> AsyncIterator["_Outbox | None"]:
    if not really:
        yield None
        return
    record, security = record_topic(settings), kafka_security(settings)
    servers, copies = settings.bootstrap_servers(), settings.replication_factor
    ensure_topics(servers, [record], replication=copies, client=security)
    producer = AIOKafkaProducer(
        bootstrap_servers=servers,
        enable_idempotence=True,
        max_request_size=FRAME_BYTES,
        request_timeout_ms=REQUEST_MS,
        **security,
    )
    try:
        await producer.start()
        async with reading(settings, settings.orders_topic) as orders:
            partitions = orders.partitions
        yield _Outbox(producer, settings, partitions)
    finally:
        await producer.stop()


class _Outbox:
    """Sends events to the orders topic, and remembers that they were sent."""

    def __init__(self, producer: AIOKafkaProducer, settings: Settings, partitions: int) -> None:
        self._producer = producer
        self._orders = settings.orders_topic
        self._dead = settings.dead_topic
        self._record = record_topic(settings).name
        self._partitions = partitions
        self._under_way: list[Awaitable[Any]] = []

    async def send(self, chunk: Sequence[Found]) -> None:
        """Send events, wait until the brokers have them, then do so with the record of them."""
        for found in chunk:
            value, origin = found.letter.value, f"{self._dead}:0:{found.offset}"
            headers = ((FROM, origin.encode()),)
            await self._send(self._orders, value, symbol_of(value), self._home(found), headers)
        await self._wait()
        for found in chunk:
            place = _place(found, self._dead).encode()
            await self._send(self._record, b"%d" % found.offset, place, 0)
        await self._wait()

    async def _send(
        self, topic: str, value: bytes, key: bytes | None, partition: int, headers: Headers = ()
    ) -> None:
        sent = await self._producer.send(topic, value, key, partition, headers=[*headers])
        self._under_way.append(sent)

    async def _wait(self) -> None:
        for delivered in self._under_way:
            await delivered
        self._under_way.clear()

    def _home(self, found: Found) -> int:
        """Give the partition that the event came from, so that its symbol keeps its own."""
        letter = found.letter
        if letter.topic == self._orders and 0 <= letter.partition < self._partitions:
            return letter.partition
        return partition_of(symbol_of(letter.value) or b"", self._partitions)
