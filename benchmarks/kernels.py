"""What each kernel costs per event, and that it costs the same among more keys and more markets.

`python -m benchmarks.kernels [--short]` runs batches of 4,096 fills through the stages, each of
which knows all keys beforehand: 10^3 to 10^6 keys in 300 markets, then 10^4 keys in 1 to 5,000
markets. CPU time, medians over batches.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from matplotlib.figure import Figure

from benchmarks.report import Report, figures, parser_of, table
from streams.kernel_cache import use_fresh_kernels

if TYPE_CHECKING:
    from models.orders.batch import OrderBatch
    from models.score.model import Model

KEYS: Final = (1_000, 10_000, 100_000, 1_000_000)
MARKETS: Final = (1, 10, 100, 1_000, 5_000)
SHORT_KEYS: Final = (1_000, 10_000)
SHORT_MARKETS: Final = (1, 1_000)
USUAL_MARKETS: Final = 300
USUAL_KEYS: Final = 10_000
BATCHES: Final = 40
SHORT_BATCHES: Final = 4

MARKET: Final = "market, with duplicates"
MERGE: Final = "merge"
KEY: Final = "keys"
TOUCHING_STATE: Final = (MARKET, MERGE, KEY)
ALL: Final = "market, merge and keys"
STATE: Final = "state, MB"

Costs = dict[str, float]  # kernel: ns per event; and STATE
Result = TypeVar("Result")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the tables and the plot."""
    flags = parser_of("benchmarks.kernels", __doc__).parse_args(arguments)
    use_fresh_kernels()
    keys, markets = (SHORT_KEYS, SHORT_MARKETS) if flags.short else (KEYS, MARKETS)
    batches = SHORT_BATCHES if flags.short else BATCHES
    model = _model()
    costs(model, 1_000, 10, SHORT_BATCHES)  # compiles
    data = {
        "keys": {count: costs(model, count, USUAL_MARKETS, batches) for count in keys},
        "markets": {count: costs(model, USUAL_KEYS, count, batches) for count in markets},
    }
    Report.of("kernels", flags).write("Kernels", as_markdown(data), data, drawn(data))
    return 0


def _model() -> "Model":
    from models.simulation import regime_of, simulate, to_orders
    from models.training import train

    orders = to_orders(simulate(regime_of((), 1.0, 400), 1))
    return train(lambda: [orders])


def costs(model: "Model", keys: int, markets: int, batches: int) -> Costs:
    """Give what each kernel takes for an event, once the stages know all keys, ns."""
    from benchmarks.population import BATCH, Population

    stages, population = Stages(model), Population(keys, markets)
    for batch in population.everyone():
        stages.run(batch)
    took: dict[str, list[float]] = {}
    for batch in population.batches(batches):
        for name, seconds in stages.run(batch).items():
            took.setdefault(name, []).append(seconds)
    per_event = {name: 1e9 * median(seconds) / BATCH for name, seconds in took.items()}
    return per_event | {
        ALL: sum(per_event[name] for name in TOUCHING_STATE),
        STATE: stages.megabytes,
    }


class Stages:
    """The stages of the detector one behind the other, each of them timed."""

    def __init__(self, model: "Model") -> None:
        from models.keys.stage import KeyStage
        from models.market.duplicates import Duplicates
        from models.market.stage import MarketStage
        from models.merge import Merge
        from models.score.parts import PARTS, parts_of

        self._model, self._parts_of = model, parts_of
        self._market, self._keys = MarketStage(), KeyStage(model.scale)
        self._ids, self._merge = Duplicates(), Merge(1)
        self._alone = np.zeros((1, len(PARTS) - 2), np.float32)

    @property
    def megabytes(self) -> float:
        """What the records of markets, keys and pairs hold, without their indexes."""
        from models.entities import tables_of

        tables = (*tables_of(self._market).values(), *tables_of(self._keys).values())
        return sum(table.rows.nbytes for table in tables) / 1e6

    def run(self, batch: "OrderBatch") -> Costs:
        """Run a batch; gives the CPU time of each kernel, s."""
        took: Costs = {}

        def timed(name: str, work: Callable[[], Result]) -> Result:
            began = time.process_time()
            result = work()
            took[name] = time.process_time() - began
            return result

        timed("duplicates", lambda: self._ids.first_time(batch.event_hash))
        rows = timed(MARKET, lambda: self._market.observe(batch))
        self._merge.add(0, rows, int(rows.merge_time[-1]) + 1)
        due = timed(MERGE, self._merge.ready)
        if due is None:
            raise RuntimeError("the merge held all of a batch back")
        fills = timed(KEY, lambda: self._keys.assess(due))
        alone = np.broadcast_to(self._alone, (len(fills), self._alone.shape[1]))
        whole = np.ones(len(fills), np.float32)
        parts = timed("parts", lambda: self._parts_of(fills, alone, whole))
        timed("forest", lambda: self._model.rank(parts))
        return took


def as_markdown(data: Mapping[str, Mapping[int, Costs]]) -> str:
    """Give a table for each kind of growth, ns per event."""
    tables = []
    for kind, by_count in data.items():
        names = next(iter(by_count.values()))
        rows = [[name, *(figures(by_count[n][name]) for n in by_count)] for name in names]
        tables.append(table([f"ns per event; {kind}", *(f"{n:,}" for n in by_count)], rows))
    told = (
        f"Among {USUAL_MARKETS} markets, and {USUAL_KEYS:,} keys. Every fill is measured, weighed "
        "and scored here; live, only the few notable ones reach parts and forest. State that no "
        "longer fits the caches costs a miss or two per record: that is all that grows."
    )
    return told + "\n\n" + "\n".join(tables)


def drawn(data: Mapping[str, Mapping[int, Costs]]) -> Figure:
    """Draw what each kernel takes against the number of keys, and of markets."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    for axes, (kind, by_count) in zip(
        figure.subplots(1, 2, sharey=True), data.items(), strict=True
    ):
        for name in next(iter(by_count.values())):
            if name == STATE:
                continue
            axes.plot(list(by_count), [by_count[n][name] for n in by_count], "o-", label=name)
        axes.set(xscale="log", ylim=(0, None), xlabel=kind)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("ns of CPU per event")
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside right center", fontsize="small"
    )
    return figure


if __name__ == "__main__":
    sys.exit(main())
