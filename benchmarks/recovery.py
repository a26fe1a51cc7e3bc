"""What checkpoints cost, and how long a worker needs to have its state back.

`python -m benchmarks.recovery [--keys N] [--partitions P] [--brokers HOST:PORT]` fills the key
stage with keys of one pair each, saves it, changes a part of it, saves that, and reads all of it
back as a worker that takes the partitions over does. Without brokers, against an embedded one.
"""

import argparse
import asyncio
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
from aiokafka import TopicPartition

from streams.broker import EmbeddedBroker
from streams.kernel_cache import use_fresh_kernels

if TYPE_CHECKING:
    from models.keys.stage import KeyStage
    from models.rows import Rows
    from streams.changelog import Changelog
    from streams.checkpoints import Checkpoints, Identity
    from streams.stages import KeyPartition

SHARES = (0.001, 0.01, 0.1, 1.0)  # of the keys that were active since the last checkpoint
GROUP = "benchmark.worker"
BATCH = 4096


def blank() -> "KeyPartition":
    """Make a partition that knows no key."""
    from models.keys.stage import KeyStage
    from models.score.evidence import blank_scale
    from streams.stages import KeyPartition

    return KeyPartition(0, 1, KeyStage(blank_scale()))


def fill(stage: "KeyStage", keys: int) -> "list[Rows]":
    """Let a stage see keys, each for the first time; gives the fills."""
    from benchmarks.memory import batch_of_new_keys
    from models.market.stage import MarketStage
    from models.merge import Merge
    from models.simulation import regime_of, simulate, to_orders

    orders = to_orders(simulate(regime_of((), 1.0, 400), 1))
    fills = orders.take(np.flatnonzero(orders.is_fill & (orders.key >= 0))[:BATCH])
    market, merge, seen = MarketStage(), Merge(1), []
    for first in range(0, keys, len(fills)):
        merge.add(0, market.observe(batch_of_new_keys(fills, first)), market.clock)
        ready = merge.ready()
        if ready is not None:
            stage.assess(ready)
            seen.append(ready)
    return seen


async def save(
    changelog: "Changelog",
    partition: "KeyPartition",
    checkpoints: "Checkpoints",
    tp: TopicPartition,
) -> str:
    """Write a checkpoint; gives a row of the table, without its first column."""
    from streams.checkpoints import pack

    times = [time.perf_counter()]
    cut = checkpoints.cut(partition.snapshot(), 0, 0)
    times.append(time.perf_counter())
    packed = await asyncio.to_thread(pack, cut)
    times.append(time.perf_counter())
    records, header = checkpoints.seal(cut, packed)
    for messages in (records, [header], checkpoints.needless()):
        await changelog.write(tp, messages)
    times.append(time.perf_counter())
    rows = sum(len(places) for _, places, _ in cut.rows)
    stop, packing, writing = np.diff(times).tolist()
    return f"{rows:,} | {packed.size / 1e6:.1f} | {stop:.3f} | {packing:.2f} | {writing:.2f}"


async def write_all(
    changelog: "Changelog", identity: "Identity", tps: list[TopicPartition], keys: int
) -> None:
    """Fill and save all partitions; prints what it took."""
    from models.keys.stage import KeyStage
    from models.score.evidence import blank_scale
    from streams.checkpoints import Checkpoints
    from streams.stages import KeyPartition

    print("| active since | rows written | MB | stopped, s | packing, s | writing, s |")
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    for tp in tps:
        stage = KeyStage(blank_scale())
        partition, checkpoints = KeyPartition(0, 1, stage), Checkpoints(identity)
        again = fill(stage, keys // len(tps))
        first = await save(changelog, partition, checkpoints, tp)
        if tp is tps[0]:
            print(f"| all, the first time | {first} |", flush=True)
            for share in SHARES:
                for rows in again[: max(1, int(share * len(again)))]:
                    stage.assess(rows)
                row = await save(changelog, partition, checkpoints, tp)
                print(f"| {share:.1%} | {row} |", flush=True)


async def read_all(changelog: "Changelog", identity: "Identity", tps: list[TopicPartition]) -> int:
    """Recover all partitions, one after the other; gives the bytes read."""
    from streams.checkpoints import find

    read = 0
    for tp in tps:
        contents, _ = await changelog.read(tp)
        read += sum(map(len, contents.values()))
        partition = blank()
        found = await asyncio.to_thread(find, contents, identity, partition.snapshot())
        if found is None:
            raise SystemExit(f"the state of {tp} is not there")
        await asyncio.to_thread(partition.restore, found.records, found.values)
    return read


async def measure(address: str, keys: int, partitions: int) -> None:
    """Fill, save, change, save and read back."""
    from streams.changelog import Changelog
    from streams.checkpoints import Identity, layout_of
    from streams.topics import changelog_spec, ensure_topics

    spec = changelog_spec(GROUP, "keys", partitions)
    ensure_topics([address], [spec])
    tps = [TopicPartition(spec.name, number) for number in range(partitions)]
    identity = Identity("benchmark", partitions, "keys", layout_of(blank().snapshot()))
    changelog = Changelog([address], {})
    await write_all(changelog, identity, tps, keys)
    began = time.perf_counter()
    read = await read_all(changelog, identity, tps)
    took = time.perf_counter() - began
    await changelog.stop()
    print(f"{keys:,} keys with a pair each, {partitions} partitions: {read / 1e6:.0f} MB read back")
    print(f"in {took:.1f} s, one partition after the other")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--brokers")
    flags = parser.parse_args()
    use_fresh_kernels()
    with ExitStack() as stack:
        address = flags.brokers or stack.enter_context(EmbeddedBroker()).address
        asyncio.run(measure(address, flags.keys, flags.partitions))


if __name__ == "__main__":
    main()
