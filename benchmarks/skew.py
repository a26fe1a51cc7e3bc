"""What one symbol may weigh: a backlog of which it has a tenth, half or all, through a live worker.

`python -m benchmarks.skew [--short]` puts orders on a topic, then starts a worker on it. A symbol
lies in one partition, so no number of workers gives it more than one of them; what comes of other
partitions meanwhile waits for it. The short form uses the embedded broker, the other Apache Kafka
where Java and Maven are at hand.
"""

import itertools
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from matplotlib.figure import Figure

from benchmarks.contestants import Cost
from benchmarks.events import simulated, trained
from benchmarks.own_worker import own_worker
from benchmarks.report import Report, figures, parser_of, table
from benchmarks.stand import stand
from streams.kernel_cache import use_fresh_kernels
from streams.settings import DEFAULT_PARTITIONS

if TYPE_CHECKING:
    from models.score.model import Model

SHARES: Final = (0.1, 0.5, 1.0)
BASE: Final = 20_000  # simulated events, which are repeated as new ones
EVENTS: Final = 400_000
SHORT_EVENTS: Final = 20_000
SPACING_MS: Final = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """What a backlog took in which one symbol has a share."""

    share: float
    cost: Cost
    peak_bytes: int


def skewed(base: Sequence[bytes], events: int, share: float) -> Iterator[bytes]:
    """Repeat events as new ones in order of time, so much of it in the most traded symbol."""
    draw = random.Random(1)
    orders = [msgspec.json.decode(event) for event in base]
    hot, _ = Counter(order["symbol"] for order in orders).most_common(1)[0]
    its = itertools.cycle(order for order in orders if order["symbol"] == hot)
    others = itertools.cycle(order for order in orders if order["symbol"] != hot)
    for number in range(events):
        order = next(its if draw.random() < share else others)
        ts = orders[0]["ts"] + number * SPACING_MS
        yield msgspec.json.encode(order | {"event_id": f"e{number}", "ts": ts})


def measure(base: Sequence[bytes], model: "Model", count: int, *, short: bool) -> list[Measured]:
    """Let a worker read the backlogs, one after the other."""
    found = []
    for share in SHARES:
        with tempfile.TemporaryDirectory() as name, stand(DEFAULT_PARTITIONS, short=short) as kafka:
            folder = Path(name)
            model.save(folder / "model", "0" * 64)
            kafka.put(list(skewed(base, count, share)), folder)
            with own_worker(kafka.address, folder / "model", kafka.partitions, "skew") as worker:
                first = worker.begin(count)
                last = worker.wait_for(count, until_done=True)
        cost = Cost(last.events - first.events, last.at - first.at, last.cpu_s - first.cpu_s)
        found.append(Measured(share, cost, worker.peak_bytes))
        print(f"{share:.0%}: {cost.rate:,.0f} events/s", file=sys.stderr, flush=True)
    return found


def as_markdown(found: Sequence[Measured], events: int) -> str:
    """Give the table."""
    rows = [
        [
            f"{one.share:.0%}",
            f"{one.cost.rate:,.0f}",
            figures(one.cost.us),
            f"{one.peak_bytes / 1e6:,.0f}",
        ]
        for one in found
    ]
    header = ["share of one symbol", "events/s", "µs of CPU per event", "most memory, MB"]
    about = f"{events:,} events, {DEFAULT_PARTITIONS} partitions, one worker, all through.\n\n"
    return about + table(header, rows)


def drawn(found: Sequence[Measured]) -> Figure:
    """Draw rate and memory against the share."""
    figure = Figure(figsize=(9, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    shares = [f"{one.share:.0%}" for one in found]
    left.bar(shares, [one.cost.rate for one in found])
    left.set(xlabel="share of one symbol", ylabel="events/s")
    right.bar(shares, [one.peak_bytes / 1e6 for one in found])
    right.set(xlabel="share of one symbol", ylabel="most memory, MB")
    for axes in (left, right):
        axes.grid(axis="y", alpha=0.3)
    return figure


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the table and the plot."""
    flags = parser_of("benchmarks.skew", __doc__).parse_args(arguments)
    use_fresh_kernels()
    base = simulated(BASE, days=7.0)
    events = SHORT_EVENTS if flags.short else EVENTS
    found = measure(base, trained(base), events, short=flags.short)
    data = [asdict(one) for one in found]
    text = as_markdown(found, events)
    Report.of("skew", flags).write("One symbol with much of the flow", text, data, drawn(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
