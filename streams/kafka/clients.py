"""Kafka clients that leave nothing behind when they cannot connect.

kafka-python starts a thread and opens sockets before it looks for brokers. Where none answers, the
constructor of an admin client or a consumer raises and leaves them: nobody else can end them.
aiokafka's clients are stopped by hand.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaTimeoutError

START_S: Final = 2.0  # for a client that nobody waits for any more to finish its start
STOP_S: Final = 2.0  # likewise for its end
PATIENCE_S: Final = 60.0  # for the next records; a reader is told nothing of brokers that are away
POLL_MS: Final = 1000


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
    """Start an aiokafka consumer without a group; `KafkaError` where no broker answers.

    Where records are gone that it is to read, it says so, unless `client` has it go on elsewhere.
    """
    how = {"enable_auto_commit": False, "auto_offset_reset": "none", **client}
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, **how)
    await start_client(consumer)
    return consumer


@asynccontextmanager
async def reading(brokers: list[str], client: Mapping[str, Any]) -> AsyncIterator[AIOKafkaConsumer]:
    """Have a reader that is stopped when the block ends."""
    reader = await start_reader(brokers, client)
    try:
        yield reader
    finally:
        await stop_client(reader)


async def start_client(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Start a client of aiokafka, and stop it if that fails, or nobody waits for it any more."""
    starting = asyncio.create_task(client.start())
    try:
        await asyncio.shield(starting)
    except BaseException:
        if not starting.done():  # cut short, it would leave a connection open
            await asyncio.wait([starting], timeout=START_S)
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        await stop_client(client)
        raise


async def stop_client(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop a client of aiokafka.

    While brokers are away its own tasks, which it cancels, make it look as if ours were cancelled.
    """
    stopping = asyncio.create_task(client.stop())
    try:
        await asyncio.shield(stopping)
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) and task.cancelling():
            # Cut short, it would leave connections open, and take itself for stopped ever after.
            await asyncio.wait([asyncio.gather(stopping, return_exceptions=True)], timeout=STOP_S)
            raise


async def next_records(
    reader: AIOKafkaConsumer, tp: TopicPartition, end: int, most: int | None = None
) -> list[ConsumerRecord]:
    """Give the next records of a partition before the offset `end`; none when that is reached.

    Raises
    ------
    aiokafka.errors.KafkaError
        If the brokers refuse, no longer have them, or give none for `PATIENCE_S`.
    """
    try:
        async with asyncio.timeout(PATIENCE_S):
            while await reader.position(tp) < end:
                fetched = await reader.getmany(tp, timeout_ms=POLL_MS, max_records=most)
                if records := [record for record in fetched.get(tp, ()) if record.offset < end]:
                    return records
    except TimeoutError as error:
        where = f"{tp.topic}[{tp.partition}]"
        raise KafkaTimeoutError(
            f"no broker gave more of {where}, which ends at offset {end}, within {PATIENCE_S:g} s"
        ) from error
    return []
