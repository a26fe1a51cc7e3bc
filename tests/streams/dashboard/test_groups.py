from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from streams.dashboard.groups import ask_groups, groups_of
from streams.kafka.broker import EmbeddedBroker
from streams.settings import Settings
from streams.topics import ensure_topics, topic_specs
from tests.patience import PATIENCE_S


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Settings of a broker on which three orders lie, of which a worker did two."""
    with EmbeddedBroker() as broker:
        made = Settings(brokers=broker.address, dashboard_data=tmp_path, partitions=1)
        ensure_topics([broker.address], topic_specs(Settings().topics, 1))
        producer = KafkaProducer(bootstrap_servers=broker.address)
        for _ in range(3):
            producer.send("orders", b"{}", partition=0).get(timeout=PATIENCE_S)
        producer.close()
        consumer = KafkaConsumer(
            bootstrap_servers=broker.address, group_id=groups_of(made)["worker"]
        )
        place = TopicPartition("orders", 0)
        consumer.assign([place])
        consumer.commit({place: OffsetAndMetadata(2, "", -1)})
        consumer.close()
        yield made


def test_a_group_tells_how_far_it_is_behind_and_that_nobody_is_in_it(settings: Settings) -> None:
    told = ask_groups(settings, {})
    assert told["worker"] == {"members": 0, "topics": [{"topic": "orders", "behind": 1}]}
    assert told["freeze-hook"] == {"topics": []}
