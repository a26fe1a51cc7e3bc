"""Changelogs: compacted topics from which the state of a partition can be read back.

Written and read with clients of our own, beside Faust's tables. A table keeps every value in memory
a second time, may be written only while an event of that partition is current, knows nothing of
rows that belong together, and lets whoever wrote last win, be it a worker long replaced.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.kafka.clients import next_records, reading, start_client, stop_client
from streams.topics import FRAME_BYTES, MEBIBYTE
from streams.worker.checkpoints import Message

AWAY_MS: Final = 1_200_000  # a broker may be away for so long before a write fails, as in Faust

log = logging.getLogger(__name__)


class Changelog:
    """The changelogs of a worker; `client` holds further settings, such as credentials."""

    def __init__(self, brokers: Sequence[str], client: Mapping[str, Any]) -> None:
        self._brokers, self._client = list(brokers), dict(client)
        self._producer: AIOKafkaProducer | None = None
        self._is_stopped = False
        self._one_at_a_time = asyncio.Lock()
        self._starting = asyncio.Lock()

    async def write(self, tp: TopicPartition, messages: Sequence[Message]) -> int | None:
        """Write records and wait until the brokers have them; gives the offset behind the last."""
        if not messages:
            return None
        producer = await self._started()
        # A topic that it knows only because it once asked for all is forgotten when it asks for
        # another, and what is to be written there then waits until the write fails.
        producer.client.add_topic(tp.topic)
        sent = [await producer.send(tp.topic, value, key, tp.partition) for key, value in messages]
        written: list[int] = [record.offset for record in await asyncio.gather(*sent)]
        return max(written) + 1

    async def end(self, tp: TopicPartition) -> int:
        """Give the offset behind the last record."""
        async with self._one_at_a_time, self._reader() as reader:
            return int((await reader.end_offsets([tp]))[tp])

    async def begin(self, tp: TopicPartition) -> int:
        """Give the offset of the first record that is still there."""
        async with self._one_at_a_time, self._reader() as reader:
            return int((await reader.beginning_offsets([tp]))[tp])

    async def read(self, tp: TopicPartition) -> tuple[dict[bytes, bytes], int]:
        """Give the live records by key, and the offset behind the last."""
        contents: dict[bytes, bytes] = {}
        async with self._one_at_a_time, self._reader() as reader:
            reader.assign([tp])
            end = int((await reader.end_offsets([tp]))[tp])
            await reader.seek_to_beginning(tp)
            while found := await next_records(reader, tp, end):
                for record in found:
                    if record.value is None:
                        contents.pop(record.key, None)
                    else:
                        contents[record.key] = record.value
                await asyncio.sleep(0)
        return contents, end

    async def stop(self) -> None:
        """Let go of the brokers, for good."""
        self._is_stopped = True
        if self._producer is not None:
            await stop_client(self._producer)

    def _reader(self) -> AbstractAsyncContextManager[AIOKafkaConsumer]:
        how = {
            "auto_offset_reset": "earliest",
            "max_partition_fetch_bytes": FRAME_BYTES,
            "max_poll_records": None,
        }
        return reading(self._brokers, self._client | how)

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:  # nobody may have it before it is connected
            self._end_if_stopped()
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._brokers,
                    **self._client,
                    acks="all",
                    max_batch_size=MEBIBYTE,
                    max_request_size=FRAME_BYTES,
                    request_timeout_ms=AWAY_MS,
                )
                await start_client(producer)
                if self._is_stopped:  # meanwhile
                    await stop_client(producer)
                self._end_if_stopped()
                self._producer = producer
            return self._producer

    def _end_if_stopped(self) -> None:
        if self._is_stopped:
            raise asyncio.CancelledError
