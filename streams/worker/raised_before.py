"""Alerts that were raised before: a worker that goes on from a checkpoint raises some once more.

Those since the checkpoint lie on their topic, byte for byte; they need not lie there twice.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.kafka.clients import next_records, reading

MOST: Final = 10_000  # alerts of a partition that are looked at: more than one checkpoint is late


class RaisedBefore:
    """The last alerts on a topic; `client` holds further settings, such as credentials."""

    def __init__(self, brokers: Sequence[str], topic: str, client: Mapping[str, Any]) -> None:
        self._brokers, self._topic, self._client = list(brokers), topic, client
        self._digests: set[bytes] = set()

    def is_news(self, value: bytes) -> bool:
        """Whether it did not lie there when that was last looked up."""
        return not self._digests or _digest(value) not in self._digests

    async def look_up(self) -> None:
        """Read the end of the topic: a worker that cannot tell what was told does not go on."""
        how = {"auto_offset_reset": "earliest", "max_poll_records": None}
        async with reading(self._brokers, {**self._client, **how}) as reader:
            self._digests = await self._read(reader)

    async def _read(self, reader: AIOKafkaConsumer) -> set[bytes]:
        await reader.topics()  # else it knows of none
        numbers = sorted(reader.partitions_for_topic(self._topic) or ())
        tps = [TopicPartition(self._topic, number) for number in numbers]
        reader.assign(tps)
        begins, ends = await reader.beginning_offsets(tps), await reader.end_offsets(tps)
        for tp in tps:
            reader.seek(tp, max(begins[tp], ends[tp] - MOST))
        found: set[bytes] = set()
        for tp in tps:
            while records := await next_records(reader, tp, ends[tp]):
                found.update(_digest(record.value or b"") for record in records)
        return found


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()
