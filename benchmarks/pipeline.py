"""From topic to alert: our worker beside the same job in four frameworks, and beside the floor.

`python -m benchmarks.pipeline [--short]` puts simulated orders on a topic, then lets one process
at a time read them, detect and alert, all settings being default. The orders are there before, so
each works at its highest rate. Medians over rounds through all. The short form uses the embedded
broker, the other Apache Kafka where Java and Maven are at hand.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Final

from matplotlib.figure import Figure

from benchmarks.contestants import OWN_EVENTS, Cost, installed, run_own
from benchmarks.events import simulated, trained, with_plain_numbers
from benchmarks.report import Report, figures, parser_of, table
from benchmarks.stand import stand
from streams.kernel_cache import use_fresh_kernels
from streams.settings import DEFAULT_PARTITIONS

OURS: Final = "roguekey"
ROUNDS: Final = 3
HISTORY: Final = 20_000
SHORT: Final = 0.04  # share of the events
DAYS: Final = 7.0
KEYS: Final = 3000
REST: Final = "Kafka, Faust and checkpoints"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the tables and the plot."""
    flags = parser_of("benchmarks.pipeline", __doc__).parse_args(arguments)
    use_fresh_kernels()
    share, rounds = (SHORT, 1) if flags.short else (1.0, ROUNDS)
    events = with_plain_numbers(simulated(int(OWN_EVENTS * share), days=DAYS * share, keys=KEYS))
    broker, costs, stages = race(events, share, rounds, short=flags.short)
    data = {
        "broker": broker,
        "costs": {name: [asdict(cost) for cost in runs] for name, runs in costs.items()},
        "stages_us": stages,
    }
    text = as_markdown(broker, costs, stages)
    Report.of("pipeline", flags).write("From topic to alert", text, data, drawn(costs, stages))
    return 0


def race(
    events: list[bytes], share: float, rounds: int, *, short: bool
) -> tuple[str, dict[str, list[Cost]], dict[str, float]]:
    """Let all run in turn; gives the broker, what each run took, and our stages' µs per event."""
    from benchmarks.stage_costs import stage_costs

    with tempfile.TemporaryDirectory() as name, stand(DEFAULT_PARTITIONS, short=short) as ground:
        folder = Path(name)
        model = trained(events)
        model.save(folder / "model", "0" * 64)
        stages = stage_costs(events, model)
        history = folder / "history.jsonl"
        history.write_bytes(b"\n".join(events[:HISTORY]))
        ground.put(events, folder)
        peers = list(installed(lambda line: print(line, file=sys.stderr)))
        costs: dict[str, list[Cost]] = {}
        for number in range(rounds):
            costs.setdefault(OURS, []).append(run_own(ground, folder / "model", number, share))
            for peer in peers:
                cost = peer.run(ground, history, number, share)
                costs.setdefault(peer.name, []).append(cost)
                print(f"{peer.name}: {cost.rate:,.0f} events/s", file=sys.stderr, flush=True)
        return ground.broker, costs, stages


def middle(runs: Sequence[Cost]) -> tuple[float, float]:
    """Give the median rate, events/s, and the median CPU time per event, µs."""
    return median(run.rate for run in runs), median(run.us for run in runs)


def as_markdown(
    broker: str, costs: Mapping[str, Sequence[Cost]], stages: Mapping[str, float]
) -> str:
    """Give the table of all, and that of our stages."""
    own_rate, own_us = middle(costs[OURS])
    rows = []
    for name, runs in costs.items():
        rate, us = middle(runs)
        rows.append(
            [name, f"{rate:,.0f}", figures(us), f"{own_rate / rate:.2f}×", f"{us / own_us:.2f}×"]
        )
    header = ["one process", "events/s", "µs of CPU per event", "ours is faster", "costs more"]
    parts = [[name, figures(us)] for name, us in stages.items()]
    parts.append([REST, figures(max(0.0, own_us - sum(stages.values())))])
    return (
        f"Broker: {broker}; {DEFAULT_PARTITIONS} partitions; at most {OWN_EVENTS:,} events of one "
        f"tape, of which each takes as many as keep it busy for some seconds.\n\n"
        f"{table(header, rows)}\n{table(['stage of ours', 'µs of CPU per event'], parts)}"
    )


def drawn(costs: Mapping[str, Sequence[Cost]], stages: Mapping[str, float]) -> Figure:
    """Draw CPU per event of all, and our stages."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    names = list(costs)[::-1]
    took = [middle(costs[name])[1] for name in names]
    left.bar_label(left.barh(names, took), [f" {figures(us)}" for us in took], fontsize="small")
    left.set(xscale="log", xlabel="µs of CPU per event", xlim=(None, 2 * max(took)))
    left.grid(axis="x", alpha=0.3)
    rest = max(0.0, middle(costs[OURS])[1] - sum(stages.values()))
    parts = {**stages, REST: rest}
    right.barh(list(parts)[::-1], list(parts.values())[::-1])
    right.set(xlabel=f"µs of CPU per event, {OURS}")
    right.grid(axis="x", alpha=0.3)
    return figure


if __name__ == "__main__":
    sys.exit(main())
