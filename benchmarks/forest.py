"""Scoring an isolation forest: our kernels beside five libraries, by rows at a time.

`python -m benchmarks.forest [--short]` fits scikit-learn's forest, 100 trees of 256 rows and 20
features, hands its trees to each library, and scores 1, 64 and 4,096 rows at a time. CPU time of
one thread, each row another, the scorers in turn, medians of the rounds.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.figure import Figure

from benchmarks.report import Report, figures, parser_of, table
from benchmarks.timing import in_turn
from streams.kernel_cache import use_fresh_kernels

if TYPE_CHECKING:
    from benchmarks.forest_scorers import Scorer
    from models.orders.batch import Float32s

TREES: Final = 100
SAMPLE_SIZE: Final = 256
FEATURES: Final = 20
ROWS: Final = 4096
AT_ONCE: Final = (1, 64, ROWS)
ALONE: Final = 64  # rows scored one by one in a call, so that no branch learns its row by heart
SEED: Final = 20180307

Results = dict[int, dict[str, float]]  # rows at a time: µs per row of each scorer


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the table and the plot."""
    flags = parser_of("benchmarks.forest", __doc__).parse_args(arguments)
    use_fresh_kernels()
    results, differences = measure(runs=3 if flags.short else 7)
    text = as_markdown(results, differences)
    data = {"us_per_row": results, "largest_difference": differences}
    Report.of("forest", flags).write("Scoring a forest", text, data, drawn(results))
    return 0


def measure(runs: int) -> tuple[Results, dict[str, float]]:
    """Time every scorer that is installed; gives how far each is from scikit-learn, too."""
    from sklearn.ensemble import IsolationForest

    from benchmarks.forest_scorers import (
        largest_difference,
        scorers,
    )

    rows = np.random.default_rng(SEED).gamma(1.0, size=(ROWS, FEATURES)).astype(np.float32)
    forest = IsolationForest(n_estimators=TREES, max_samples=SAMPLE_SIZE, random_state=1).fit(rows)
    found = dict(scorers(forest, rows, lambda line: print(line, file=sys.stderr)))
    return (
        {size: us_per_row(found, rows, size, runs) for size in AT_ONCE},
        {name: largest_difference(scorer, forest, rows) for name, scorer in found.items()},
    )


def us_per_row(
    found: "Mapping[str, Scorer]", rows: "Float32s", size: int, runs: int
) -> dict[str, float]:
    """CPU time that each scorer takes for a row when it is given `size` at a time, µs."""
    count = min(ALONE, ROWS // size)
    batches = [rows[start : start + size] for start in range(0, count * size, size)]

    def score_all(scorer: "Scorer") -> None:
        for batch in batches:
            scorer(batch)

    took = in_turn({name: partial(score_all, scorer) for name, scorer in found.items()}, runs)
    return {name: 1e6 * seconds / (count * size) for name, seconds in took.items()}


def as_markdown(results: Results, differences: Mapping[str, float]) -> str:
    """Give the table: µs per row, and how many times what ours takes."""
    from benchmarks.forest_scorers import ISOTREE, OURS

    rows = []
    for name, difference in differences.items():
        cells = [
            f"{figures(by_name[name])} ({figures(by_name[name] / by_name[OURS])}×)"
            for by_name in results.values()
        ]
        rows.append([name, *cells, "other trees" if name == ISOTREE else f"{difference:.0e}"])
    header = ["scorer", *(f"{size:,} at a time" for size in results), "off by at most"]
    told = f"µs of CPU per row, {TREES} trees, {FEATURES} features, one thread; (×: beside ours)."
    return f"{told}\n\n{table(header, rows)}"


def drawn(results: Results) -> Figure:
    """Draw a bar for each scorer, grouped by rows at a time."""
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.subplots()
    names = list(next(iter(results.values())))
    for place, name in enumerate(names):
        at = np.arange(len(results)) + (place - len(names) / 2) * 0.8 / len(names)
        axes.bar(at, [by_name[name] for by_name in results.values()], 0.8 / len(names), label=name)
    axes.set_xticks(np.arange(len(results)), [f"{size:,} at a time" for size in results])
    axes.set(yscale="log", ylabel="µs of CPU per row")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize="small", ncols=2)
    return figure


if __name__ == "__main__":
    sys.exit(main())
