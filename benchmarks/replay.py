"""Replay: how fast a tape goes through the detector, beside reading it and doing nothing.

`python -m benchmarks.replay [--short]` replays a simulated week from a file. Wall time, since two
threads share the work: the jobs in turn, medians of the rounds.
"""

import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure

from benchmarks.events import simulated, trained
from benchmarks.report import Report, figures, parser_of, table
from streams.kernel_cache import use_fresh_kernels

if TYPE_CHECKING:
    from models.score.model import Model

EVENTS: Final = 400_000
SHORT_EVENTS: Final = 20_000
READ: Final = "reading and decoding, nothing else"
ALONE: Final = "the detector, in one thread"
OURS: Final = "roguekey replay"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the table and the plot."""
    flags = parser_of("benchmarks.replay", __doc__).parse_args(arguments)
    use_fresh_kernels()
    count = SHORT_EVENTS if flags.short else EVENTS
    events = simulated(count, days=7.0, keys=300 if flags.short else 3000)
    with tempfile.TemporaryDirectory() as folder:
        tape = Path(folder, "orders.jsonl")
        tape.write_bytes(b"\n".join(events) + b"\n")
        took = measure(jobs(tape, trained(events), Path(folder)), runs=3 if flags.short else 9)
    rates = {name: count / seconds for name, seconds in took.items()}
    Report.of("replay", flags).write(
        "Replay", as_markdown(rates), {"events_per_second": rates}, drawn(rates)
    )
    return 0


def jobs(tape: Path, model: "Model", folder: Path) -> dict[str, Callable[[], object]]:
    """Give the ways through a tape; the last two give the same alerts."""
    from models.detector import Detector
    from streams.replay.replay import AlertFile, replay
    from streams.tapes.intake import Intake

    def alone() -> None:
        detector = Detector(model)
        with AlertFile(folder / "alone.jsonl") as alerts:
            for batch in Intake().read([tape]):
                alerts.write(detector.observe(batch))
            alerts.write(detector.idle())

    def ours() -> None:
        with AlertFile(folder / "ours.jsonl") as alerts:
            replay([tape], model, alerts, Intake())

    return {READ: lambda: deque(Intake().read([tape]), maxlen=0), ALONE: alone, OURS: ours}


def measure(ways: Mapping[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Wall time of each, s: medians of so many rounds, before which each has run once."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(runs):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            took[name].append(time.perf_counter() - began)
    return {name: median(seconds) for name, seconds in took.items()}


def as_markdown(rates: Mapping[str, float]) -> str:
    """Give the table: events a second, and the share of what reading alone reaches."""
    rows = [[name, figures(rate), f"{rate / rates[READ]:.2f}"] for name, rate in rates.items()]
    return table(["way through a tape", "events/s", "of reading alone"], rows)


def drawn(rates: Mapping[str, float]) -> Figure:
    """Draw a bar for each way."""
    figure = Figure(figsize=(7, 2), layout="constrained")
    axes = figure.subplots()
    axes.barh(list(rates)[::-1], list(rates.values())[::-1])
    axes.set(xlabel="events per second")
    axes.grid(axis="x", alpha=0.3)
    return figure


if __name__ == "__main__":
    sys.exit(main())
