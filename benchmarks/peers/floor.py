"""The floor: aiokafka, the client under Faust, takes every event and does nothing with it."""

import asyncio

from aiokafka import AIOKafkaConsumer

from benchmarks.peers.meter import ORDERS, Meter, Task


async def consume(task: Task) -> None:
    """Work until told to end."""
    meter = Meter(task)
    consumer = AIOKafkaConsumer(
        ORDERS,
        bootstrap_servers=task.address,
        group_id=task.name,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    while True:
        batches = await consumer.getmany(timeout_ms=100, max_records=4096)
        meter.add(sum(map(len, batches.values())))


if __name__ == "__main__":
    asyncio.run(consume(Task.given()))
