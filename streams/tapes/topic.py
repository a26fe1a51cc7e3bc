"""A topic read as a tape: every partition from one time to another, in bounded memory.

aiokafka and not kafka-python, because it reads every codec of Kafka with what is installed anyway,
gives the records of the one partition that is asked for, and is ten times as fast. Its event loop
runs only while somebody waits for records.
"""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition
from typing_extensions import override

from models.orders.batch import Int64s
from streams.closing import Closing
from streams.kafka.clients import next_records, start_reader, stop_client

CHUNK_RECORDS: Final = 4096


class TopicTapeError(Exception):
    """The topic cannot be read."""


class TopicTape(Closing):
    """The records of a topic that the brokers got from `since` until before `until`, ms.

    What comes after it was opened is left out, so that it ends on a live topic too.
    """

    def __init__(
        self,
        bootstrap_servers: list[str],
        topic: str,
        since: int | None = None,
        until: int | None = None,
        client: Mapping[str, Any] | None = None,
    ) -> None:
        self.topic = topic
        with ExitStack() as stack:
            self._runner = stack.enter_context(asyncio.Runner())
            self._consumer = self._runner.run(start_reader(bootstrap_servers, client or {}))
            stack.callback(lambda: self._runner.run(stop_client(self._consumer)))
            self._begin, self._end = self._runner.run(self._find(since, until))
            self._open = stack.pop_all()

    @property
    def partitions(self) -> int:
        """How many the topic has."""
        return len(self._end)

    @property
    def offsets(self) -> int:
        """How many offsets it spans; transactions and compaction leave fewer records."""
        return sum(max(0, self._end[place] - self._begin[place]) for place in self._end)

    def next(self, partition: int) -> tuple[list[bytes], Int64s] | None:
        """Give the partition's next values with their offsets; None at its end.

        Raises
        ------
        aiokafka.errors.KafkaError
            If the brokers refuse, are away for long, or no longer have what comes next.
        """
        return self._runner.run(self._next(TopicPartition(self.topic, partition)))

    @override
    def close(self) -> None:
        """Leave the brokers."""
        self._open.close()

    async def _find(
        self, since: int | None, until: int | None
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        """Go to the first offsets, and give them with those behind the last."""
        consumer = self._consumer
        places = await topic_partitions(consumer, self.topic)
        consumer.assign(places)
        begin, end = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        if since is not None:
            begin = await self._first_at(since, end)
        if until is not None:
            end = await self._first_at(until, end)
        for place in places:
            consumer.seek(place, begin[place])
        return begin, end

    async def _first_at(
        self, ms: int, ends: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """Give the first offsets at or after a time, the ends where there are none."""
        found = await self._consumer.offsets_for_times(dict.fromkeys(ends, ms))
        return {place: at.offset if (at := found.get(place)) else ends[place] for place in ends}

    async def _next(self, place: TopicPartition) -> tuple[list[bytes], Int64s] | None:
        records = await next_records(self._consumer, place, self._end[place], CHUNK_RECORDS)
        if not records:
            return None
        offsets = np.fromiter((record.offset for record in records), np.int64, len(records))
        return [record.value or b"" for record in records], offsets


async def topic_partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """Give the partitions of a topic; `TopicTapeError` where there is none of that name."""
    # The names of all topics, since to ask for one that is missing may make it.
    if topic not in await consumer.topics():
        raise TopicTapeError(f"topic {topic} does not exist, or is hidden from this user")
    first = TopicPartition(topic, 0)
    consumer.assign([first])  # the client learns about the topics only that it reads
    await consumer.end_offsets([first])
    return [
        TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))
    ]
