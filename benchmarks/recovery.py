"""What checkpoints cost, and how long a worker needs to have its state back, by size of the state.

`python -m benchmarks.recovery [--short] [--keys N] [--partitions P] [--brokers HOST:PORT]` fills
the key stage with keys of one pair each, saves it, changes a part of it, saves that, and reads all
of it back as a worker that takes the partitions over does. `--keys` may be repeated. Without
brokers, against an embedded one.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from aiokafka import TopicPartition
from matplotlib.figure import Figure

from benchmarks.report import Report, figures, parser_of, table
from streams.kafka.broker import EmbeddedBroker
from streams.kernel_cache import use_fresh_kernels

if TYPE_CHECKING:
    from models.keys.stage import KeyStage
    from models.rows import Rows
    from streams.worker.changelog import Changelog
    from streams.worker.checkpoints import Checkpoints, Identity
    from streams.worker.stages import KeyPartition

KEYS: Final = (10_000, 100_000, 1_000_000)
SHORT_KEYS: Final = (4_096, 20_000)
SHARES: Final = (0.001, 0.01, 0.1, 1.0)  # of the keys that were active since the last checkpoint
GROUP: Final = "benchmark.worker"
BATCH: Final = 4096


@dataclass(frozen=True, slots=True)
class Saved:
    """What one checkpoint took; `share` of the keys were active since the last, None: the first."""

    share: float | None
    rows: int
    megabytes: float
    stopped_s: float  # in which the worker does nothing else
    packing_s: float  # in a thread
    writing_s: float  # until the broker has it


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of one size of state."""

    keys: int
    megabytes: float  # read back
    recovery_s: float
    saved: list[Saved]


def blank() -> "KeyPartition":
    """Make a partition that knows no key."""
    from models.keys.stage import KeyStage
    from models.score.evidence import blank_scale
    from streams.worker.stages import KeyPartition

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
    share: float | None,
) -> Saved:
    """Write a checkpoint; gives what it took."""
    from streams.worker.checkpoints import pack

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
    return Saved(share, rows, packed.size / 1e6, *np.diff(times).tolist())


async def write_all(
    changelog: "Changelog", identity: "Identity", tps: list[TopicPartition], keys: int
) -> list[Saved]:
    """Fill and save all partitions; gives what the checkpoints of the first took."""
    from models.keys.stage import KeyStage
    from models.score.evidence import blank_scale
    from streams.worker.checkpoints import Checkpoints
    from streams.worker.stages import KeyPartition

    saved: list[Saved] = []
    for tp in tps:
        stage = KeyStage(blank_scale())
        partition, checkpoints = KeyPartition(0, 1, stage), Checkpoints(identity)
        again = fill(stage, keys // len(tps))
        first = await save(changelog, partition, checkpoints, tp, None)
        if tp is tps[0]:
            saved.append(first)
            for share in SHARES:
                for rows in again[: max(1, int(share * len(again)))]:
                    stage.assess(rows)
                saved.append(await save(changelog, partition, checkpoints, tp, share))
    return saved


async def read_all(changelog: "Changelog", identity: "Identity", tps: list[TopicPartition]) -> int:
    """Recover all partitions, one after the other; gives the bytes read."""
    from streams.worker.checkpoints import find

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


async def measure(address: str, keys: int, partitions: int) -> Measured:
    """Fill, save, change, save and read back."""
    from streams.topics import changelog_spec, ensure_topics
    from streams.worker.changelog import Changelog
    from streams.worker.checkpoints import Identity, layout_of

    spec = changelog_spec(f"{GROUP}.{keys}", "keys", partitions)
    ensure_topics([address], [spec])
    tps = [TopicPartition(spec.name, number) for number in range(partitions)]
    identity = Identity("benchmark", partitions, "keys", layout_of(blank().records()))
    changelog = Changelog([address], {})
    saved = await write_all(changelog, identity, tps, keys)
    began = time.perf_counter()
    read = await read_all(changelog, identity, tps)
    took = time.perf_counter() - began
    await changelog.stop()
    return Measured(keys, read / 1e6, took, saved)


def as_markdown(sizes: Sequence[Measured], partitions: int) -> str:
    """Give the tables: recovery by size, and the checkpoints of the largest."""
    recoveries = [[f"{m.keys:,}", f"{m.megabytes:.0f}", figures(m.recovery_s)] for m in sizes]
    checkpoints = [
        [
            "all, the first time" if one.share is None else f"{one.share:.1%}",
            f"{one.rows:,}",
            f"{one.megabytes:.1f}",
            *map(figures, (one.stopped_s, one.packing_s, one.writing_s)),
        ]
        for one in sizes[-1].saved
    ]
    header = ["active since", "rows written", "MB", "stopped, s", "packing, s", "writing, s"]
    return (
        f"Keys with a pair each, in {partitions} partitions, read back one after the other.\n\n"
        f"{table(['keys', 'MB read back', 'recovery, s'], recoveries)}\n"
        f"Checkpoints of one of the partitions, of {sizes[-1].keys:,} keys in all:\n\n"
        f"{table(header, checkpoints)}"
    )


def drawn(sizes: Sequence[Measured]) -> Figure:
    """Draw recovery against keys, and what checkpoints take against what was active."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([m.keys for m in sizes], [m.recovery_s for m in sizes], "o-")
    left.set(xscale="log", yscale="log", xlabel="keys, a pair each", ylabel="recovery, s")
    for m in sizes:
        later = [one for one in m.saved if one.share is not None]
        rows = [one.rows for one in later]
        right.plot(rows, [one.stopped_s for one in later], "o-", label=f"{m.keys:,} keys, stopped")
        whole = [one.stopped_s + one.packing_s + one.writing_s for one in later]
        right.plot(rows, whole, "o--", label=f"{m.keys:,} keys, in all")
    right.set(xscale="log", yscale="log", xlabel="rows written", ylabel="checkpoint, s")
    right.legend(fontsize="x-small")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the tables and the plot."""
    parser = parser_of("benchmarks.recovery", __doc__)
    parser.add_argument("--keys", type=int, action="append", help="may be repeated")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--brokers")
    flags = parser.parse_args(arguments)
    use_fresh_kernels()
    sizes = []
    with ExitStack() as stack:
        address = flags.brokers or stack.enter_context(EmbeddedBroker()).address
        for keys in flags.keys or (SHORT_KEYS if flags.short else KEYS):
            sizes.append(asyncio.run(measure(address, keys, flags.partitions)))
            print(f"{keys:,} keys: {sizes[-1].recovery_s:.1f} s", file=sys.stderr, flush=True)
    text, data = as_markdown(sizes, flags.partitions), [asdict(size) for size in sizes]
    Report.of("recovery", flags).write("Checkpoints and recovery", text, data, drawn(sizes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
