"""Kafka clients that leave nothing behind when they cannot connect.

kafka-python starts a thread and opens sockets before it looks for brokers. Where none answers, the
constructor of an admin client or a consumer raises and leaves them: nobody else can end them.
aiokafka's clients are stopped by hand.
"""

from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer


def connect(kind: Any, **settings: Any) -> Any:
    """Make a `KafkaAdminClient` or a `KafkaConsumer`; `KafkaError` where no broker answers."""
    networks: list[Any] = []

    def network(**known: Any) -> Any:
        networks.append(kind.DEFAULT_CONFIG["kafka_client"](**known))
        return networks[0]

    try:
        return kind(kafka_client=network, **settings)
    except BaseException:
        for made in networks:
            made.close()
        raise


async def start_reader(brokers: list[str], client: Mapping[str, Any]) -> AIOKafkaConsumer:
    """Start an aiokafka consumer without a group; `KafkaError` where no broker answers."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, **client)
    try:
        await consumer.start()
    except BaseException:
        await consumer.stop()
        raise
    return consumer
