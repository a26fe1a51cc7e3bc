"""A topic read as a tape: every partition from one time to another, in bounded memory."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from kafka import KafkaConsumer, TopicPartition

from models.orders.batch import Int64s

CHUNK_RECORDS: Final = 4096
AHEAD_RECORDS: Final = 65536  # so many may wait per partition before it is no longer fetched
POLL_MS: Final = 1000
CONNECT_MS: Final = 5000


class TopicTapeError(Exception):
    """The topic cannot be read."""


def as_ms(text: str) -> int:
    """Read a time: RFC 3339 with its zone, or milliseconds since the Unix epoch.

    >>> as_ms("2022-12-09T05:10:11.123Z") == as_ms("1670562611123") == 1670562611123
    True
    """
    if text.isascii() and text.isdigit():
        return int(text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone; end it with Z for UTC")
    return round(moment.timestamp() * 1000)


class TopicTape:
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
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            enable_auto_commit=False,
            bootstrap_timeout_ms=CONNECT_MS,
            **(client or {}),
        )
        numbers = self._consumer.partitions_for_topic(topic)
        if not numbers:
            self._consumer.close()
            raise TopicTapeError(f"topic {topic} does not exist")
        self.partitions = len(numbers)
        self._places = [TopicPartition(topic, number) for number in range(self.partitions)]
        self._consumer.assign(self._places)
        self._begin = self._find(since, self._consumer.beginning_offsets(self._places))
        self._end = self._find(until, self._consumer.end_offsets(self._places))
        self._waiting: list[deque[tuple[int, bytes]]] = [deque() for _ in self._places]
        for place in self._places:
            self._consumer.seek(place, self._begin[place])

    @property
    def offsets(self) -> int:
        """How many offsets it spans; transactions and compaction leave fewer records."""
        return sum(max(0, self._end[place] - self._begin[place]) for place in self._places)

    def next(self, partition: int) -> tuple[list[bytes], Int64s] | None:
        """Give the partition's next values with their offsets; None at its end."""
        waiting = self._waiting[partition]
        while not waiting and not self._is_read(self._places[partition]):
            self._fetch()
        if not waiting:
            return None
        chunk = list(islice(waiting, CHUNK_RECORDS))
        for _ in chunk:
            waiting.popleft()
        offsets = np.fromiter((offset for offset, _ in chunk), np.int64, len(chunk))
        return [value for _, value in chunk], offsets

    def _find(self, ms: int | None, default: dict[Any, int]) -> dict[Any, int]:
        """Give the first offsets at or after a time, the end where there are none."""
        if ms is None:
            return default
        found = self._consumer.offsets_for_times(dict.fromkeys(self._places, ms))
        ends = self._consumer.end_offsets(self._places)
        return {
            place: ends[place] if (at := found.get(place)) is None else at.offset
            for place in self._places
        }

    def _is_read(self, place: TopicPartition) -> bool:
        position: int = self._consumer.position(place)
        return position >= self._end[place]

    def _fetch(self) -> None:
        """Wait for more of any partition; those that are far ahead, or at their end, rest."""
        for place, waiting in zip(self._places, self._waiting, strict=True):
            if len(waiting) > AHEAD_RECORDS or self._is_read(place):
                self._consumer.pause(place)
            else:
                self._consumer.resume(place)
        fetched = self._consumer.poll(timeout_ms=POLL_MS, max_records=AHEAD_RECORDS)
        for place, records in fetched.items():
            end = self._end[place]
            self._waiting[place.partition].extend(
                (record.offset, record.value or b"") for record in records if record.offset < end
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()
