"""Memory per key and pair: `python -m benchmarks.memory [--short]` feeds a million keys.

Each trades one pair. Measured is the resident memory of a process that holds the state of the
market stage and the key stage, as keys come. A table doubles when it is full, and then stands
beside the new one for a moment.
"""

import resource
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from benchmarks.churn import resident_mb
from benchmarks.report import Report, parser_of, table
from models.merge import Merge
from models.orders.batch import Names, OrderBatch
from models.records import copied
from streams.kernel_cache import use_fresh_kernels

BATCH: Final = 4096
KEYS: Final = 1_000_000
SHORT_KEYS: Final = 50_000
POINTS: Final = 100  # of the curve

Curve = list[tuple[int, float]]  # keys, MB more than before the first


def batch_of_new_keys(template: OrderBatch, first: int) -> OrderBatch:
    """Give the template's fills, each of a key and an event never seen before."""
    n = len(template)
    numbers = np.arange(first, first + n).astype(np.uint64)
    hashes = numbers * np.uint64(0x9E3779B97F4A7C15)
    events = copied(template.events)
    events["event_hash"] = hashes
    events["ts"] += first
    events["key"] = np.arange(n)
    keys = Names([f"k{number}" for number in numbers.tolist()], hashes)
    return replace(template, events=events, keys=keys)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the table and the plot."""
    parser = parser_of("benchmarks.memory", __doc__)
    parser.add_argument("--keys", type=int)
    flags = parser.parse_args(arguments)
    use_fresh_kernels()
    keys = flags.keys or (SHORT_KEYS if flags.short else KEYS)
    curve, peak = measure(keys)
    data = {"keys": keys, "bytes_each": _each(curve), "peak_mb": peak, "curve": curve}
    text = as_markdown(curve, peak)
    Report.of("memory", flags).write("Memory per key and pair", text, data, drawn(curve))
    return 0


def measure(keys: int) -> tuple[Curve, float]:
    """Feed keys; gives resident memory as they come, and the most that it ever was, MB."""
    from models.keys.stage import KeyStage
    from models.market.stage import MarketStage
    from models.score.evidence import blank_scale
    from models.simulation import regime_of, simulate, to_orders

    orders = to_orders(simulate(regime_of((), 1.0, 400), 1))
    fills = orders.take(np.flatnonzero(orders.is_fill & (orders.key >= 0))[:BATCH])
    market, stage, merge = MarketStage(), KeyStage(blank_scale()), Merge(1)
    stage.assess(market.observe(fills))  # compiles
    before = resident_mb()
    curve = [(0, 0.0)]
    for first in range(0, keys, len(fills)):
        merge.add(0, market.observe(batch_of_new_keys(fills, first)), market.clock)
        ready = merge.ready()
        if ready is not None:
            stage.assess(ready)
        if (first + len(fills) - curve[-1][0]) * POINTS >= keys:
            curve.append((first + len(fills), resident_mb() - before))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6 - before
    return curve, peak


def _each(curve: Curve) -> float:
    """Bytes for each key and its pair, once all are there."""
    keys, megabytes = curve[-1]
    return 1e6 * megabytes / keys


def as_markdown(curve: Curve, peak: float) -> str:
    """Give the table: what the state takes, and of what it is made."""
    from models.keys.state import KEY, PAIR
    from models.market.state import SEEN

    keys, megabytes = curve[-1]
    records = f"{KEY.itemsize} + {PAIR.itemsize} + {SEEN.itemsize}"
    rows = [
        ["keys with a pair each", f"{keys:,}"],
        ["resident memory that they take, MB", f"{megabytes:,.0f}"],
        ["bytes for a key and its pair", f"{_each(curve):,.0f}"],
        ["of them, records of the key, the pair, and the market's of the buyer", records],
        ["most at any moment, while a table doubled, MB", f"{peak:,.0f}"],
    ]
    return table(["", "measured"], rows)


def drawn(curve: Curve) -> Figure:
    """Draw resident memory against keys."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot([keys for keys, _ in curve], [megabytes for _, megabytes in curve])
    axes.plot([0, curve[-1][0]], [0, curve[-1][0] * 1024 / 1e6], "k:", label="1 KiB each")
    axes.set(xlabel="keys, a pair each", ylabel="resident memory, MB more", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure


if __name__ == "__main__":
    sys.exit(main())
