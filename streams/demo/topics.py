"""What the demo asks the brokers: alerts as they come, and how far the worker is."""

from collections.abc import Mapping
from typing import Any, Final, Self

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from streams.kafka.clients import connect
from streams.settings import Settings
from streams.topics import worker_group

CONNECT_MS: Final = 5000

Offsets = Mapping[int, int]  # by partition


class DemoTopics:
    """A reader of the alerts topic that belongs to no group, and an admin client."""

    def __init__(self, settings: Settings) -> None:
        self.names = settings.topics
        self._servers = settings.bootstrap_servers()
        self._group = worker_group(settings.app_id)
        self._partitions = dict.fromkeys((self.names.orders, self.names.keys), settings.partitions)
        self._consumer: Any = None
        self._admin: Any = None

    def new_alerts(self) -> list[bytes]:
        """Give the alerts that came since the last call."""
        polled = self._consumer.poll(timeout_ms=0)
        return [record.value for records in polled.values() for record in records]

    def ends(self, topic: str) -> Offsets:
        """Give the offsets behind the last records of a topic."""
        count = self._partitions.get(topic, 1)
        places = [TopicPartition(topic, number) for number in range(count)]
        return {at.partition: end for at, end in self._consumer.end_offsets(places).items()}

    def committed(self, topic: str) -> Offsets:
        """Give the offsets up to which the worker is done with a topic."""
        offsets = self._admin.list_group_offsets(self._group)[self._group]
        return {at.partition: found.offset for at, found in offsets.items() if at.topic == topic}

    def is_done(self, topic: str, ends: Offsets) -> bool:
        """Whether the worker is done with all records before `ends`."""
        committed = self.committed(topic)
        return all(committed.get(partition, 0) >= end for partition, end in ends.items())

    def has_worker(self) -> bool:
        """Whether a worker has joined its group and knows what to read."""
        group = self._admin.describe_groups([self._group])[self._group]
        return bool(group["members"]) and group["group_state"] == "Stable"

    def __enter__(self) -> Self:
        self._admin = connect(
            KafkaAdminClient, bootstrap_servers=self._servers, bootstrap_timeout_ms=CONNECT_MS
        )
        self._consumer = connect(
            KafkaConsumer,
            bootstrap_servers=self._servers,
            bootstrap_timeout_ms=CONNECT_MS,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        self._consumer.assign([TopicPartition(self.names.alerts, 0)])
        return self

    def __exit__(self, *exception: object) -> None:
        self._consumer.close()
        self._admin.close()
