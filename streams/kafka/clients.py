"""Kafka clients that leave nothing behind when they cannot connect.

kafka-python starts a thread and opens sockets before it looks for brokers. Where none answers, the
constructor of an admin client or a consumer raises and leaves them: nobody else can end them.
aiokafka's clients are stopped by hand.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer

START_S: Final = 2.0  # for a reader that nobody waits for any more to finish its start


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
    starting = asyncio.create_task(consumer.start())
    try:
        await asyncio.shield(starting)
    except BaseException:
        if not starting.done():  # cut short, it would leave a connection open
            await asyncio.wait([starting], timeout=START_S)
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        await consumer.stop()
        raise
    return consumer


@asynccontextmanager
async def reading(brokers: list[str], client: Mapping[str, Any]) -> AsyncIterator[AIOKafkaConsumer]:
    """Have a reader that is stopped when the block ends."""
    reader = await start_reader(brokers, client)
    try:
        yield reader
    finally:
        await reader.stop()
