"""The hook on Kafka: reads alerts and requests, lets the hook decide, publishes what it decided.

The order of a turn is the order of safety: what people ask for comes before alerts, everything is
on disk before an offset is committed, and only then is anybody called.
"""

import logging
import threading
from collections.abc import Mapping
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from typing_extensions import override

from streams.closing import Closing
from streams.freeze.hook import Hook
from streams.freeze.publisher import Publisher
from streams.kafka.clients import connect
from streams.settings import Settings
from streams.topics import hook_group

CONNECT_MS: Final = 5000
MOST_POLLED: Final = 500
IDLE_S: Final = 0.05

log = logging.getLogger(__name__)


class Reader:
    """All partitions of a topic, read by one consumer; nothing is read twice unless it crashed.

    The partitions are assigned, not shared: there is one hook, and it must not wait until a dead
    one has been missed by the group.
    """

    def __init__(
        self, settings: Settings, topic: str, reset: str, client: Mapping[str, Any]
    ) -> None:
        self._consumer = connect(
            KafkaConsumer,
            bootstrap_servers=settings.bootstrap_servers(),
            bootstrap_timeout_ms=CONNECT_MS,
            group_id=hook_group(settings.app_id),
            enable_auto_commit=False,
            auto_offset_reset=reset,
            max_poll_records=MOST_POLLED,
            **client,
        )
        partitions = sorted(self._consumer.partitions_for_topic(topic) or {0})
        self._places = [TopicPartition(topic, number) for number in partitions]
        self._consumer.assign(self._places)
        self._next: dict[TopicPartition, int] = {}

    def poll(self) -> list[bytes | None]:
        """Give what has come; does not wait."""
        values: list[bytes | None] = []
        for place, records in self._consumer.poll(timeout_ms=0).items():
            values += [record.value for record in records]
            self._next[place] = records[-1].offset + 1
        return values

    def commit(self) -> None:
        """Let nobody read again what was given so far."""
        if not self._next:
            return
        offsets = {at: OffsetAndMetadata(offset, "", -1) for at, offset in self._next.items()}
        try:
            self._consumer.commit(offsets)
            self._next.clear()
        except KafkaError as error:  # it is tried again; the outbox knows what was decided
            log.warning("offsets could not be committed: %s", error)

    def ends(self) -> dict[TopicPartition, int]:
        """Give the offsets behind the last records."""
        ends: dict[TopicPartition, int] = self._consumer.end_offsets(self._places)
        return ends

    def is_at(self, ends: Mapping[TopicPartition, int]) -> bool:
        """Whether everything before these offsets has been given."""
        return all(self._consumer.position(place) >= end for place, end in ends.items())

    def close(self) -> None:
        """Leave the brokers."""
        self._consumer.close()


class Service(Closing):
    """The hook, its readers and its publisher."""

    def __init__(
        self, settings: Settings, hook: Hook, publisher: Publisher, client: Mapping[str, Any]
    ) -> None:
        names = settings.topics
        self.hook = hook
        self._publisher = publisher
        self._stop = threading.Event()
        self._requests = Reader(settings, names.requests, "earliest", client)
        self._alerts = Reader(settings, names.alerts, settings.auto_offset_reset, client)

    def run(self, *, once: bool = False) -> None:
        """Run until told to stop; with `once`, until what is there now is dealt with."""
        ends = self._alerts.ends() if once else {}
        asked = self._requests.ends() if once else {}
        while not self._stop.is_set():
            busy = self.turn()
            if once and not busy and self._is_done(asked, ends):
                return
            if not busy:
                self._stop.wait(IDLE_S)
        self._finish()

    def turn(self) -> bool:
        """Do one round; tells whether anything came."""
        requests = self._requests.poll()
        if requests:
            self.hook.obey(requests)
            self._requests.commit()
        alerts = self._alerts.poll()
        if alerts:
            self.hook.hear(alerts)
            self._alerts.commit()
        self.hook.turn()
        self._publisher.publish()
        return bool(requests or alerts)

    def stop(self) -> None:
        """End the run after the present turn."""
        self._stop.set()

    @override
    def close(self) -> None:
        """Leave the brokers."""
        self._requests.close()
        self._alerts.close()
        self._publisher.close()

    def _is_done(
        self, asked: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> bool:
        read = self._requests.is_at(asked) and self._alerts.is_at(ends)
        return read and self.hook.is_settled and self._publisher.is_done

    def _finish(self) -> None:
        """Publish what is decided, for a moment; what is left is published by the next life."""
        for _ in range(round(1 / IDLE_S)):
            self._publisher.publish()
            if self._publisher.is_done:
                return
            threading.Event().wait(IDLE_S)
