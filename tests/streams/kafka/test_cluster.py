import os
import socket
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from streams.settings import Settings
from streams.topics import TopicSpec, ensure_topics, topic_specs
from tests.patience import PATIENCE_S
from tests.streams.kafka.cluster import KafkaCluster, class_path

pytestmark = pytest.mark.kafka

ORDERS = TopicPartition("cluster.orders", 0)


def put(address: str, value: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=address)
    producer.send(ORDERS.topic, value, partition=0).get(timeout=PATIENCE_S)
    producer.close()


def end_of_orders(address: str) -> int:
    consumer = KafkaConsumer(bootstrap_servers=address)
    try:
        return int(consumer.end_offsets([ORDERS])[ORDERS])
    finally:
        consumer.close()


def test_the_jars_are_looked_up_once(kafka_cluster: KafkaCluster) -> None:
    jars = class_path().split(os.pathsep)
    assert [Path(jar).name for jar in jars if "/kafka_2.13-" in jar] == ["kafka_2.13-4.1.1.jar"]
    assert class_path().split(os.pathsep) == jars


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_address_and_data_outlive_an_end_of_either_kind(
    kafka_cluster: KafkaCluster, way: str
) -> None:
    address = kafka_cluster.address
    ensure_topics([address], [TopicSpec(ORDERS.topic, 1, "", "")])
    before = end_of_orders(address)
    put(address, b"kept")
    getattr(kafka_cluster, way)()
    assert kafka_cluster.pid is None
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) != 0
    kafka_cluster.start()
    assert kafka_cluster.address == address
    assert end_of_orders(address) == before + 1


def test_only_we_make_topics(kafka_cluster: KafkaCluster) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka_cluster.address)
    try:
        [topic] = admin.describe_topics(["cluster.absent"])
    finally:
        admin.close()
    assert topic["error_code"] == 3


def test_a_test_has_topics_of_its_own(kafka_settings: Settings) -> None:
    specs = topic_specs(kafka_settings.topics, 2)
    made = ensure_topics(kafka_settings.bootstrap_servers(), specs)
    assert sorted(made) == sorted(kafka_settings.topic_names().values())
    assert all(name.startswith(kafka_settings.app_id) for name in made)
