"""The dead letters as they lie on their topic, for an operator to look at."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.dead.letters import Letter
from streams.kafka import clients
from streams.kafka.security import kafka_security
from streams.settings import Settings


class DeadTopicError(Exception):
    """There is no such topic or letter."""


@dataclass(frozen=True, slots=True)
class Found:
    """A letter, and where and since when it lies on its topic."""

    offset: int
    time_ms: int
    letter: Letter


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letters are meant: those at some offsets, for some reason, or both."""

    offsets: frozenset[int] = frozenset()  # empty: at any
    reason: str = ""  # part of the reason or of the field's name, in upper or lower case

    def includes(self, found: Found) -> bool:
        """Whether a letter is meant."""
        if self.offsets and found.offset not in self.offsets:
            return False
        said = f"{found.letter.field} {found.letter.reason}".casefold()
        return self.reason.casefold() in said


@dataclass(frozen=True, slots=True)
class Listing:
    """The last of the letters that are meant, the oldest first."""

    letters: list[Found]
    meant: int
    all: int


class Topic:
    """The first partition of a topic, as far as it reached when it was opened."""

    def __init__(self, consumer: AIOKafkaConsumer, name: str, begin: int, end: int) -> None:
        self.name = name
        self.partitions = len(consumer.partitions_for_topic(name))
        self.begin = begin
        self.end = end
        self._consumer = consumer
        self._place = TopicPartition(name, 0)

    async def records(
        self, begin: int = 0, end: int | None = None
    ) -> AsyncIterator[ConsumerRecord]:
        """Give the records from one offset until before another."""
        last = self.end if end is None else min(end, self.end)
        if begin >= last:
            return
        self._consumer.seek(self._place, max(begin, self.begin))
        while records := await clients.next_records(self._consumer, self._place, last):
            for record in records:
                yield record

    async def letters(self, choice: Choice) -> AsyncIterator[Found]:
        """Give the letters that are meant."""
        offsets = choice.offsets
        begin, end = (min(offsets), max(offsets) + 1) if offsets else (0, None)
        async for record in self.records(begin, end):
            letter = Letter.read(record.value, record.headers)
            found = Found(record.offset, record.timestamp, letter)
            if choice.includes(found):
                yield found


@asynccontextmanager
async def reading(settings: Settings, name: str) -> AsyncIterator[Topic]:
    """Open the first partition of a topic; a `DeadTopicError` where it does not exist."""
    servers = settings.bootstrap_servers()
    async with clients.reading(servers, kafka_security(settings)) as consumer:
        # The names of all topics, since to ask for one that is missing may make it.
        if name not in await consumer.topics():
            raise DeadTopicError(f"topic {name} does not exist")
        place = TopicPartition(name, 0)
        consumer.assign([place])
        begin = await consumer.beginning_offsets([place])
        end = await consumer.end_offsets([place])
        yield Topic(consumer, name, begin[place], end[place])


async def latest(settings: Settings, choice: Choice, limit: int) -> Listing:
    """Find the last letters that are meant, at most `limit` of them."""
    last: deque[Found] = deque(maxlen=limit)
    meant = 0
    async with reading(settings, settings.dead_topic) as topic:
        async for found in topic.letters(choice):
            meant += 1
            last.append(found)
        return Listing(list(last), meant, topic.end - topic.begin)


async def letter_at(settings: Settings, offset: int) -> Found:
    """Give one letter; a `DeadTopicError` where there is none."""
    async with reading(settings, settings.dead_topic) as topic:
        async for found in topic.letters(Choice(frozenset([offset]))):
            return found
        held = f"holds {topic.begin} to {topic.end - 1}" if topic.end > topic.begin else "is empty"
        raise DeadTopicError(f"no letter at offset {offset}: topic {topic.name} {held}")
