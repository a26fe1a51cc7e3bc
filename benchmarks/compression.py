"""Compressing what workers write for one another: what each codec of Kafka costs and saves.

`python -m benchmarks.compression [--short]` packs simulated orders into frames as the market stage
does, in short runs and in full ones, and compresses each with the codecs that aiokafka offers, and
as a worker does. CPU time of all threads, the codecs in turn, medians of the rounds.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import numpy as np
from aiokafka import codec
from matplotlib.figure import Figure

from benchmarks.events import simulated
from benchmarks.report import Report, figures, parser_of, table
from benchmarks.timing import in_turn
from streams.kernel_cache import use_fresh_kernels
from streams.worker.compression import compress, decompress

EVENTS: Final = 40_000
SHORT_EVENTS: Final = 8_192
RUNS: Final = (128, 4096)  # events: at an ordinary rate, and with a backlog
TARGETS: Final = 4  # partitions that the rows of a run go to
CODECS: Final[Mapping[str, tuple[Callable[..., bytes], Callable[..., bytes]]]] = {
    "snappy": (codec.snappy_encode, codec.snappy_decode),
    "lz4": (codec.lz4_encode, codec.lz4_decode),
    "zstd": (codec.zstd_encode, codec.zstd_decode),
    "zstd, kept": (compress, decompress),  # as a worker does
    "gzip": (codec.gzip_encode, codec.gzip_decode),
}

Figures = dict[str, dict[str, float]]  # by codec: writing and reading, µs, and bytes, per event


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the table and the plot."""
    flags = parser_of("benchmarks.compression", __doc__).parse_args(arguments)
    use_fresh_kernels()
    events = simulated(SHORT_EVENTS if flags.short else EVENTS, days=4.0)
    found = {size: measure(events, size, 3 if flags.short else 7) for size in RUNS}
    data = {"runs": {str(size): figures_of for size, figures_of in found.items()}}
    Report.of("compression", flags).write(
        "Compressing frames", as_markdown(found), data, drawn(found)
    )
    return 0


def measure(events: Sequence[bytes], size: int, rounds: int) -> Figures:
    """Compress the frames of all events, in runs of so many, and read them again."""
    frames = frames_of_runs(events, size)
    packed = {name: [write(frame) for frame in frames] for name, (write, _) in CODECS.items()}
    tasks: dict[str, Callable[[], object]] = {}
    for name, (write, read) in CODECS.items():
        tasks[f"{name} write"] = partial(_each, write, frames)
        tasks[f"{name} read"] = partial(_each, read, packed[name])
    took = {name: 1e6 * seconds / len(events) for name, seconds in in_turn(tasks, rounds).items()}
    none = {"write": 0.0, "read": 0.0, "bytes": _size(frames) / len(events)}
    return {"none": none} | {
        name: {
            "write": took[f"{name} write"],
            "read": took[f"{name} read"],
            "bytes": _size(packed[name]) / len(events),
        }
        for name in CODECS
    }


def frames_of_runs(events: Sequence[bytes], size: int) -> list[bytes]:
    """Pack what the market stage makes of events, in runs of so many, as the worker does."""
    from models.market.stage import MarketStage
    from models.orders.texts import Texts
    from streams.worker.runs import Run
    from streams.worker.stages import MarketPartition, frames_of

    market, frames = MarketPartition(0, TARGETS, MarketStage()), []
    for start in range(0, len(events), size):
        values = Texts.of(events[start : start + size])
        numbers = np.arange(start, start + len(values))
        parts, _ = market.observe(Run(values, numbers, np.zeros_like(numbers), start), 2**50)
        frames += [frame for _, frame in frames_of(parts)]
    return frames


def as_markdown(found: Mapping[int, Figures]) -> str:
    """Give the table: a row for each codec and size of run."""
    rows = [
        [f"{size:,}", name, *(figures(one[kind]) for kind in ("write", "read", "bytes"))]
        for size, by_codec in found.items()
        for name, one in by_codec.items()
    ]
    told = "Per event, of frames as the market stage writes them; CPU time, µs, and bytes."
    heads = ["events in a run", "codec", "writing, µs", "reading, µs", "bytes"]
    return f"{told}\n\n{table(heads, rows)}"


def drawn(found: Mapping[int, Figures]) -> Figure:
    """Draw what each codec costs against what it leaves."""
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    for size, by_codec in found.items():
        costs = [one["write"] + one["read"] for one in by_codec.values()]
        sizes = [one["bytes"] for one in by_codec.values()]
        axes.plot(costs, sizes, "o", label=f"runs of {size:,}")
        for name, cost, left in zip(by_codec, costs, sizes, strict=True):
            axes.annotate(name, (cost, left), textcoords="offset points", xytext=(5, 3), fontsize=8)
    axes.set(xlabel="µs of CPU per event, writing and reading", ylabel="bytes per event", ylim=0)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _each(work: Callable[..., bytes], parts: Sequence[bytes]) -> None:
    for part in parts:
        work(part)


def _size(parts: Sequence[bytes]) -> int:
    return sum(map(len, parts))


if __name__ == "__main__":
    sys.exit(main())
