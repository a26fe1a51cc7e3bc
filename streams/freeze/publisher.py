"""Puts the entries of the outbox on their topic, in order, and learns from it after a loss.

What lies on the topic is asked of the topic itself, never remembered: after a crash publishing goes
on behind the last entry that is there.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from streams.freeze.actions import Entry, read_entry
from streams.freeze.outbox import Outbox, OutboxError
from streams.kafka.clients import connect

CONNECT_MS: Final = 5000
TAIL: Final = 1000  # records that are looked at to find the last entry
AGAIN_S: Final = 5.0  # between two tries to reach the brokers
AT_ONCE: Final = 500  # entries under way, at most

log = logging.getLogger(__name__)


class Publisher:
    """The one writer of the audit topic."""

    def __init__(
        self, brokers: list[str], topic: str, outbox: Outbox, client: Mapping[str, Any]
    ) -> None:
        self._common = {
            "bootstrap_servers": brokers,
            "bootstrap_timeout_ms": CONNECT_MS,
            **client,
        }
        self._place = TopicPartition(topic, 0)
        self._outbox = outbox
        self._end = 0  # offset behind the last record of the topic
        self._published = 0  # seq of the last entry that lies on the topic
        self._sent: list[Any] = []  # futures of those under way
        self._last_sent = 0
        self._producer: Any = None
        self._again_at = 0.0  # monotonic, s

    def recover(self) -> None:
        """Take over what the topic has and the outbox lacks; find where to go on.

        Raises
        ------
        OutboxError
            If topic and outbox tell different stories.
        """
        self._close_producer()
        last = self._last_entry()
        seq = last.seq if last else 0
        head = self._outbox.head[0]
        if seq > head:
            missing = [entry for entry in self._entries(0) if entry.seq > head]
            with self._outbox.transaction():
                self._outbox.adopt(missing)
            log.warning("took over %d entries from the audit topic", self._outbox.head[0] - head)
        if last and self._outbox.hash_at(seq) != last.hash:
            raise OutboxError(
                f"entry {seq} of topic {self._place.topic} and of {self._outbox.path} differ: "
                "run roguekey freeze audit verify"
            )
        self._published = self._last_sent = seq
        self._producer = KafkaProducer(**self._common)

    def publish(self) -> None:
        """Send what is new and note what arrived; does not wait while the brokers are there."""
        if not all(sent.is_done for sent in self._sent):
            return
        if self._sent and self._all_lie_in_a_row():
            self._published = self._last_sent
            self._end += len(self._sent)
        elif self._sent:
            self._close_producer()
        self._sent = []
        if self._producer is not None or self._reconnects():
            self._send()

    def _all_lie_in_a_row(self) -> bool:
        """Whether all that was sent is there, and nobody else has written in between."""
        return all(
            sent.succeeded() and sent.value.offset == self._end + number
            for number, sent in enumerate(self._sent)
        )

    def _reconnects(self) -> bool:
        """Begin anew behind what is on the topic, now and then; `OutboxError` as `recover`."""
        if time.monotonic() < self._again_at:
            return False
        self._again_at = time.monotonic() + AGAIN_S
        try:
            self.recover()
        except KafkaError as error:
            log.warning("the audit cannot be published: %s", error)
            return False
        return True

    def _send(self) -> None:
        for entry in self._outbox.entries_after(self._published, AT_ONCE):
            key = (entry.api_key or entry.account or entry.app or "").encode() or None
            self._sent.append(
                self._producer.send(
                    self._place.topic, entry.encode(), key=key, partition=self._place.partition
                )
            )
            self._last_sent = entry.seq

    @property
    def is_done(self) -> bool:
        """Whether all entries lie on the topic."""
        return not self._sent and self._published == self._outbox.head[0]

    def close(self) -> None:
        """Leave the brokers."""
        self._close_producer()

    def _close_producer(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=CONNECT_MS / 1000)
            self._producer = None

    def _last_entry(self) -> Entry | None:
        """Give the entry of the topic that is furthest on in the chain."""
        return max(self._entries(TAIL), key=lambda entry: entry.seq, default=None)

    def _entries(self, tail: int) -> Iterator[Entry]:
        """Give the topic's entries, each once: of its last `tail` records, or with 0 all."""
        consumer = connect(
            KafkaConsumer,
            **self._common,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            consumer.assign([self._place])
            begin = consumer.beginning_offsets([self._place])[self._place]
            end = self._end = consumer.end_offsets([self._place])[self._place]
            consumer.seek(self._place, max(begin, end - tail) if tail else begin)
            seen = 0
            while consumer.position(self._place) < end:
                for record in consumer.poll(timeout_ms=200).get(self._place, ()):
                    entry = read_entry(record.value)
                    if entry is not None and entry.seq > seen:
                        seen = entry.seq
                        yield entry
        finally:
            consumer.close()
