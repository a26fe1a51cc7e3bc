"""Puts order events on a topic as they are, each keyed by its symbol.

The key decides the partition, so every symbol's events stay in the order of the file. What has no
readable symbol is sent all the same, without a key: to refuse it is the worker's business.

aiokafka and not kafka-python, because it takes whole batches of records that it did not have to
route one by one: 690,000 events/s of 300 bytes against 18,700, sending alone, keys known, into the
same embedded broker. With reading the file and the symbols, 150,000 to 385,000 remain.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError

from models.unreadable import UNREADABLE
from streams.kafka.partitioning import partition_of
from streams.tapes.files import CHUNK_LINES, read_tape
from streams.tapes.intake import Progress

BATCH_BYTES: Final = 512 * 1024  # half of what a broker takes in one request by default
FIND_S: Final = 10.0  # for the topic to be found
DELIVER_MS: Final = 120_000  # for the brokers to take a batch, also when they are away for a while
PACE_S: Final = 0.05  # with a rate, events go out in portions of this length


@dataclass(frozen=True, slots=True)
class Produced:
    """What was put on the topic, and how long it took."""

    events: int
    unkeyed: int  # events without a readable symbol
    seconds: float

    @property
    def events_per_second(self) -> float:
        """Mean rate."""
        return self.events / self.seconds if self.seconds else 0.0


class _Symbol(msgspec.Struct):
    symbol: str


_DECODER: Final = msgspec.json.Decoder(_Symbol)


def symbol_of(event: bytes) -> bytes | None:
    """Give the event's symbol, or None where it cannot be read.

    >>> symbol_of(b'{"symbol":"AXSUSDT","qty":1}')
    b'AXSUSDT'
    >>> symbol_of(b'{"symbol":7}') is symbol_of(b"not JSON") is None
    True
    """
    try:
        return _DECODER.decode(event).symbol.encode() or None
    except (*UNREADABLE, UnicodeEncodeError):
        return None


async def produce(
    paths: Sequence[Path],
    bootstrap_servers: Sequence[str],
    topic: str,
    rate: float | None = None,
    progress: Progress = lambda _: None,
    *,
    client: Mapping[str, Any] | None = None,
) -> Produced:
    """Send all events of the files, in their order, and wait until the brokers have them.

    No partition gets ahead of another by more than a few thousand events of the file: who reads
    them while they come would take what is behind for late.

    Parameters
    ----------
    rate : events per second; None sends as fast as the brokers take them.
    progress : told how many bytes of the files were read since it was last told.
    client : further settings of the Kafka client, such as credentials.

    Raises
    ------
    aiokafka.errors.KafkaError
        If the brokers cannot be reached or refuse a batch.
    TapeError
        If a file cannot be read or breaks off.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=list(bootstrap_servers),
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES,
        request_timeout_ms=DELIVER_MS,
        **(client or {}),
    )
    try:
        await producer.start()
        outbox = _Outbox(producer, topic, await _partitions(producer, topic))
        started = time.monotonic()
        for chunk in _chunks(paths, _portion(rate), progress):
            await outbox.add(chunk)
            if rate is not None:
                await outbox.delivered()
                await asyncio.sleep(started + outbox.events / rate - time.monotonic())
        await outbox.delivered()
        return Produced(outbox.events, outbox.unkeyed, time.monotonic() - started)
    finally:
        await producer.stop()


async def _partitions(producer: AIOKafkaProducer, topic: str) -> list[int]:
    try:
        async with asyncio.timeout(FIND_S):
            return sorted(await producer.partitions_for(topic))
    except TimeoutError as error:
        raise UnknownTopicOrPartitionError(f"not found in {FIND_S:g} s") from error


class _Outbox:
    """One open batch per partition, all of them sent at once when those before have arrived."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: list[int]) -> None:
        self.events = 0
        self.unkeyed = 0
        self._producer = producer
        self._topic = topic
        self._partitions = partitions
        self._partition_of: dict[bytes, int] = {}
        self._open: dict[int, Any] = {}
        self._under_way: list[asyncio.Future[Any]] = []

    async def add(self, events: list[bytes]) -> None:
        """Put the events in the batches of their partitions, and send them."""
        for event in events:
            key = symbol_of(event)
            partition = self._route(key)
            batch = self._open.get(partition)
            if batch is None or batch.append(key=key, value=event, timestamp=None) is None:
                if batch is not None:
                    await self._send()
                batch = self._open[partition] = self._producer.create_batch()
                batch.append(key=key, value=event, timestamp=None)
        self.events += len(events)
        await self._send()

    async def delivered(self) -> None:
        """Wait until the brokers have everything that was sent."""
        under_way, self._under_way = self._under_way, []
        for batch in under_way:
            await batch

    async def _send(self) -> None:
        await self.delivered()
        batches, self._open = self._open, {}
        for partition, batch in batches.items():
            sent = await self._producer.send_batch(batch, self._topic, partition=partition)
            self._under_way.append(sent)

    def _route(self, key: bytes | None) -> int:
        if key is None:
            self.unkeyed += 1
            return self._partitions[self.unkeyed % len(self._partitions)]
        partition = self._partition_of.get(key)
        if partition is None:
            partition = self._partition_of[key] = partition_of(key, len(self._partitions))
        return partition


def _portion(rate: float | None) -> int:
    return CHUNK_LINES if rate is None else max(1, min(CHUNK_LINES, round(rate * PACE_S)))


def _chunks(paths: Iterable[Path], size: int, progress: Progress) -> Iterator[list[bytes]]:
    for path in paths:
        done = 0
        for chunk in read_tape(path, size):
            yield chunk.lines
            progress(chunk.bytes_done - done)
            done = chunk.bytes_done
