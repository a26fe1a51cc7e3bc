"""How long an order takes until its alert lies on the topic, at a trickle of orders.

A broker, a worker process and its topics as they run live; the model alerts far sooner than it
should, so that there are enough alerts. `python -m benchmarks.latency [--rate N] [--seconds S]`.
"""

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from models.simulation import regime_of, simulate, to_orders, write_orders
from models.training import train
from streams.broker import TOPIC_LIMITS, EmbeddedBroker
from streams.partitioning import partition_of
from streams.topics import TopicNames, ensure_topics, topic_specs

EASIER = 14.0  # log odds by which the model alerts sooner
PORTION_S = 0.01
AT_ONCE = 10_000  # orders that wake everything up first, and are not timed
SETTLED_S = 2.0


async def measure(address: str, lines: list[bytes], rate: float, partitions: int) -> list[float]:
    """Send orders at a rate; gives the time from each sent order to its alert, ms."""
    producer = AIOKafkaProducer(bootstrap_servers=address)
    consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    consumer.assign([TopicPartition("alerts", n) for n in range(partitions)])
    sent: dict[str, float] = {}
    delays: list[float] = []
    first = asyncio.Event()

    async def listen() -> None:
        while True:
            for records in (await consumer.getmany(timeout_ms=5)).values():
                now = time.monotonic()
                ids = [json.loads(record.value)["data"]["event_id"] for record in records]
                delays.extend(1000 * (now - sent[i]) for i in ids if i in sent)
                first.set()
            await asyncio.sleep(0.001)  # the embedded broker never waits

    async def send(line: bytes) -> str:
        event = json.loads(line)
        symbol = event["symbol"].encode()
        home = partition_of(symbol, partitions)
        await producer.send("orders", line, key=symbol, partition=home)
        return str(event["event_id"])

    listener = asyncio.create_task(listen())
    for line in lines[:AT_ONCE]:
        await send(line)
    await first.wait()
    await asyncio.sleep(SETTLED_S)
    begun = time.monotonic()
    for number, line in enumerate(lines[AT_ONCE:]):
        now = time.monotonic()
        sent[await send(line)] = now
        ahead = begun + number / rate - time.monotonic()
        if ahead > PORTION_S:
            await asyncio.sleep(ahead)
    await asyncio.sleep(1.0)
    listener.cancel()
    await producer.stop()
    await consumer.stop()
    return delays


def main() -> None:
    """Measure, and print a row for each number of partitions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=2000.0, help="orders a second")
    parser.add_argument("--seconds", type=float, default=15.0)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tape, model_dir = Path(folder, "orders.jsonl"), Path(folder, "model")
        world = simulate(regime_of(["standard"], days=0.5), seed=1)
        write_orders(world, tape)
        model = train(lambda: [to_orders(world)])
        replace(model, critical=model.critical - EASIER).save(model_dir, "0" * 64)
        lines = tape.read_bytes().splitlines()[: AT_ONCE + int(flags.rate * flags.seconds)]
        print(f"{flags.rate:g} orders/s; order sent to alert received, ms")
        print("| partitions | alerts | p50 | p90 | p99 | max |\n|---:|---:|---:|---:|---:|---:|")
        for partitions in (1, 4):
            delays = run(lines, model_dir, flags.rate, partitions)
            row = [f"{np.percentile(delays, q):.0f}" for q in (50, 90, 99, 100)]
            print("|", " | ".join([str(partitions), str(len(delays)), *row]), "|", flush=True)


def run(lines: list[bytes], model_dir: Path, rate: float, partitions: int) -> list[float]:
    """Start a broker and a worker, measure, and end both."""
    with EmbeddedBroker() as broker:
        specs = topic_specs(TopicNames(), partitions)
        ensure_topics([broker.address], specs, limits=TOPIC_LIMITS)
        program = str(Path(sys.executable).with_name("roguekey"))
        arguments = ["--brokers", broker.address, "--model", str(model_dir)]
        worker = subprocess.Popen(
            [program, "worker", *arguments, "--partitions", str(partitions)],
            stderr=subprocess.DEVNULL,
        )
        try:
            return asyncio.run(measure(broker.address, lines, rate, partitions))
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(30)


if __name__ == "__main__":
    main()
