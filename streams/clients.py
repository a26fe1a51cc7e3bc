"""Kafka clients that leave nothing behind when they cannot connect.

kafka-python starts a thread and opens sockets before it looks for brokers. Where none answers, the
constructor of an admin client or a consumer raises and leaves them: nobody else can end them.
"""

from typing import Any


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
