"""What one symbol may weigh: a backlog of which it has a tenth, half or all, through a live worker.

`python -m benchmarks.skew [--events N] [--partitions P]` puts a tape on the topic, then starts a
worker on it. A symbol lies in one partition, so no number of workers gives it more than one of
them; what comes of other partitions meanwhile waits for it in the key stage. Prints events a second
and processor time per event until all is through, and the most memory that the worker held.
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx

from models.simulation import regime_of, simulate, to_orders, write_orders
from models.training import train
from streams.kafka.broker import TOPIC_LIMITS, EmbeddedBroker, free_port
from streams.kafka.children import Command
from streams.tapes.produce import produce
from streams.topics import TopicNames, ensure_topics, topic_specs

SHARES = (0.1, 0.5, 1.0)
SPACING_MS = 10
LOOK_S = 0.25


def skewed(lines: list[bytes], events: int, share: float) -> Iterator[bytes]:
    """Repeat a tape as new events in order of time, so much of it in its most traded symbol."""
    draw = random.Random(1)
    orders = [json.loads(line) for line in lines]
    hot, _ = Counter(order["symbol"] for order in orders).most_common(1)[0]
    began = orders[0]["ts"]
    its = itertools.cycle(order for order in orders if order["symbol"] == hot)
    others = itertools.cycle(order for order in orders if order["symbol"] != hot)
    for number in range(events):
        order = next(its if draw.random() < share else others)
        own = {"event_id": f"e{number}", "order_id": f"o{number}"}
        yield json.dumps(order | own | {"ts": began + number * SPACING_MS}).encode()


def figures(metrics: str, name: str) -> float:
    """Add up a metric over its labels."""
    return sum(map(float, re.findall(rf"^roguekey_{name}(?:{{.*}})? (\S+)$", metrics, re.M)))


def watched(worker: Command, port: int, events: int) -> tuple[float, float, float]:
    """Wait until all is through; gives events a second, processor µs per event, most MB."""
    at, first = f"http://127.0.0.1:{port}/metrics", (0.0, 0.0, 0.0)
    while worker.exit_code is None:
        time.sleep(LOOK_S)
        try:
            metrics = httpx.get(at, timeout=30).text
        except httpx.TransportError:
            continue
        read, cpu = figures(metrics, "events_total"), figures(metrics, "process_cpu_seconds_total")
        if not first[0] and read:
            first = time.perf_counter(), cpu, read
        if read >= events and not figures(metrics, "consumer_lag"):
            took, spent = time.perf_counter() - first[0], cpu - first[1]
            done = events - first[2]
            return done / took, 1e6 * spent / done, peak_mb(worker.pid)
    raise SystemExit(worker.last_words())


def peak_mb(pid: int) -> float:
    """Most memory that a process has held."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0]) / 1e3


def run(tape: Path, model: Path, partitions: int, events: int) -> tuple[float, float, float]:
    """Start a broker, fill its topic, and let a worker read it to its end."""
    with EmbeddedBroker() as broker:
        specs = topic_specs(TopicNames(), partitions)
        ensure_topics([broker.address], specs, limits=TOPIC_LIMITS)
        asyncio.run(produce([tape], [broker.address], "orders"))
        port = free_port()
        arguments = ["worker", "--brokers", broker.address, "--model", str(model)]
        arguments += ["--partitions", str(partitions), "--http-port", str(port)]
        with Command(arguments, os.environ, tape.with_suffix(".log")) as worker:
            return watched(worker, port, events)


def main() -> None:
    """Measure, and print a row for each share."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=600_000)
    parser.add_argument("--partitions", type=int, default=4)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tape, model = Path(folder, "orders.jsonl"), Path(folder, "model")
        world = simulate(regime_of(["standard"], days=0.5), seed=1)
        write_orders(world, tape)
        train(lambda: [to_orders(world)]).save(model, "0" * 64)
        lines = tape.read_bytes().splitlines()
        print(f"{flags.events:,} events, {flags.partitions} partitions, one worker")
        print("| share of one symbol | events/s | µs of CPU per event | most memory, MB |")
        print("|---:|---:|---:|---:|")
        for share in SHARES:
            tape.write_bytes(b"\n".join(skewed(lines, flags.events, share)))
            row = run(tape, model, flags.partitions, flags.events)
            print(f"| {share:.0%} | {row[0]:,.0f} | {row[1]:.1f} | {row[2]:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
