"""The stand: a broker with its topics, and orders on them.

Apache Kafka where Java and Maven are at hand, else the embedded broker; `short` takes the latter.
Kafka's log lies in memory where there is room: on a disk that is shared with strangers a broker
stands still for tenths of a second, now and then, and that is not what is measured here.
"""

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams.kafka.broker import TOPIC_LIMITS, EmbeddedBroker
from streams.settings import Settings
from streams.tapes.produce import produce
from streams.topics import ensure_topics, topic_specs
from tests.streams.kafka.cluster import KafkaCluster, what_is_missing

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - what lies in it has a name of its own
ROOM: Final = 8 << 30  # bytes, far more than any benchmark writes


@dataclass(frozen=True, slots=True)
class Stand:
    """A broker that runs."""

    address: str
    broker: str  # in words
    partitions: int

    def put(self, events: Sequence[bytes], folder: Path) -> None:
        """Put events on the orders topic, each in the partition of its symbol."""
        path = folder / "orders.jsonl"
        path.write_bytes(b"\n".join(events) + b"\n")
        asyncio.run(produce([path], [self.address], Settings().topics.orders))


@contextmanager
def stand(partitions: int, *, short: bool) -> Iterator[Stand]:
    """Start a broker with our topics."""
    embedded = short or bool(what_is_missing())
    memory = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM else None
    with EmbeddedBroker() if embedded else KafkaCluster(where=memory) as broker:
        specs = topic_specs(Settings().topics, partitions)
        ensure_topics([broker.address], specs, limits=TOPIC_LIMITS if embedded else None)
        log = ", its log in memory" if memory else ""
        words = "the embedded broker" if embedded else f"Apache Kafka, one node{log}"
        yield Stand(broker.address, words, partitions)
