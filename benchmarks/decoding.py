"""Decoding order events: ours, with all its checks, beside four libraries that do less.

`python -m benchmarks.decoding [--short]` decodes batches of 4,096 simulated events, numbers as
numbers, since not all of them read numeric strings. CPU time of all threads, the decoders in turn,
medians of the rounds.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from matplotlib.figure import Figure

from benchmarks.events import simulated, with_plain_numbers
from benchmarks.report import Report, figures, parser_of, table
from benchmarks.timing import in_turn
from streams.kernel_cache import use_fresh_kernels

BATCH: Final = 4096


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the table and the plot."""
    flags = parser_of("benchmarks.decoding", __doc__).parse_args(arguments)
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # read when it is imported
    use_fresh_kernels()
    values = with_plain_numbers(simulated(BATCH))
    took = measure(values, runs=3 if flags.short else 11)
    size = sum(map(len, values)) / len(values)
    data = {"us_per_event": took, "bytes_per_event": size}
    Report.of("decoding", flags).write(
        "Decoding order events", as_markdown(took, size), data, drawn(took)
    )
    return 0


def measure(values: list[bytes], runs: int) -> dict[str, float]:
    """CPU time that each decoder takes for an event, µs."""
    from benchmarks.decoders import decoders

    found = dict(decoders(lambda line: print(line, file=sys.stderr)))
    took = in_turn({name: partial(decoder, values) for name, decoder in found.items()}, runs)
    return {name: 1e6 * seconds / len(values) for name, seconds in took.items()}


def as_markdown(took: Mapping[str, float], size: float) -> str:
    """Give the table: µs per event, how many times what ours takes, and what one gets for it."""
    from benchmarks.decoders import MAKERS, OURS

    rows = [
        [name, figures(us), f"{us / took[OURS]:.2f}×", (MAKERS[name].__doc__ or "").rstrip(".")]
        for name, us in took.items()
    ]
    told = f"µs of CPU per event of {size:.0f} bytes, {BATCH:,} at a time."
    return f"{told}\n\n{table(['decoder', 'µs', 'beside ours', 'what it gives'], rows)}"


def drawn(took: Mapping[str, float]) -> Figure:
    """Draw a bar for each decoder."""
    figure = Figure(figsize=(7, 2.5), layout="constrained")
    axes = figure.subplots()
    axes.barh(list(took)[::-1], list(took.values())[::-1])
    axes.set(xlabel="µs of CPU per event")
    axes.grid(axis="x", alpha=0.3)
    return figure


if __name__ == "__main__":
    sys.exit(main())
