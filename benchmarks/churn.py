"""Memory under churn: keys, markets, accounts and apps that come and go for an hour of load.

`python -m benchmarks.churn [--minutes M] [--rate N]` runs M minutes' worth of N fills a second
through all stages of one worker, with checkpoints, as fast as it can. Every key, market, account
and app is new, and gone after a while. The tables are bounded low, so that they fill up within
minutes and evict from then on; the model alerts far sooner than it should, so that incidents,
crowds, leaking apps and profiteers come and go, too. What these keep for a day or an hour of event
time would still fill up at the end of an hour, so a minute of load is `SPED` minutes of event time.
Prints resident memory, the size of the changelogs and of what the alert stage remembers, and the
alerts so far; draws the first three.
"""

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.bounds import Bounds
from models.orders.batch import MARKET_SEPARATOR, Names, OrderBatch
from models.orders.hashing import stable_hashes
from models.records import copied
from streams.kernel_cache import use_fresh_kernels

if TYPE_CHECKING:
    from streams.worker.partitions import Partition

BATCH = 4096
KEY_LIFE = 20  # batches for which a key goes on trading
MARKETS = 64  # at a time; one new with each batch
SPED = 60  # times as fast as the load goes the time of the events
EASIER = 10.0  # log odds by which the model alerts sooner
CHECKPOINT_EVERY = 8  # batches
BOUNDS = Bounds(markets=2_000, keys=50_000, pairs=200_000)
CHART = Path(__file__).parent / "results" / "churn.png"
MIX = np.uint64(0x9E3779B97F4A7C15)


def resident_mb() -> float:
    """Memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def renamed(names: Names, epoch: int) -> Names:
    """Give other names in the place of these."""
    strings = [f"{name}.{epoch}" for name in names.strings]
    return Names(strings, stable_hashes(strings))


def churned(template: OrderBatch, number: int, interval_ms: float) -> OrderBatch:
    """Give the template's fills by other keys in other markets than some batches before."""
    n = len(template)
    numbers = np.arange(number * n, (number + 1) * n).astype(np.uint64)
    key_numbers = (np.arange(n) + (number // KEY_LIFE) * n).astype(np.uint64)
    market_numbers = np.arange(number, number + MARKETS).astype(np.uint64)
    names = [f"venue{MARKET_SEPARATOR}S{market}USDT" for market in market_numbers.tolist()]
    epoch = number // KEY_LIFE
    events = copied(template.events)
    events["event_hash"] = numbers * MIX + np.uint64(1)
    events["ts"] = template.ts[0] + numbers.astype(np.float64) * interval_ms * SPED
    events["key"] = np.arange(n)
    events["market"] = np.arange(n) % MARKETS
    return replace(
        template,
        events=events,
        accounts=renamed(template.accounts, epoch),
        apps=renamed(template.apps, epoch),
        event_id=[f"e{event}" for event in numbers.tolist()],
        keys=Names([f"k{key}" for key in key_numbers.tolist()], key_numbers * MIX + np.uint64(2)),
        markets=Names(names, market_numbers * MIX + np.uint64(3)),
    )


class Log:
    """A changelog in memory, as compaction would leave it."""

    def __init__(self, partition: "Partition") -> None:
        from streams.worker.checkpoints import Checkpoints, Identity

        self._partition = partition
        self._checkpoints: Checkpoints = Checkpoints(Identity("churn", 1, partition.kind))
        self._sizes: dict[bytes, int] = {}

    def save(self) -> None:
        """Write a checkpoint."""
        from streams.worker.checkpoints import pack

        cut = self._checkpoints.cut(self._partition.snapshot(), 0, 0)
        records, header = self._checkpoints.seal(cut, pack(cut))
        for key, value in [*records, header, *self._checkpoints.needless()]:
            self._sizes[key] = len(value or b"")
            if value is None:
                del self._sizes[key]

    @property
    def megabytes(self) -> float:
        """What it holds."""
        return sum(self._sizes.values()) / 1e6


def run(minutes: float, rate: float) -> list[tuple[float, ...]]:
    """Give (minute, resident MB, changelog MB, alert stage MB, alerts) once a minute."""
    from models.alerts.stage import AlertStage
    from models.detector import suspects_of
    from models.keys.stage import KeyStage
    from models.market.stage import MarketStage
    from models.merge import Merge
    from models.simulation import regime_of, simulate, to_orders
    from models.training import train
    from streams.worker.stages import AlertPartition, KeyPartition, MarketPartition

    orders = to_orders(simulate(regime_of((), 1.0, 400), 1))
    model = train(lambda: [orders])
    model = replace(model, critical=model.critical - EASIER)
    fills = orders.take(np.flatnonzero(orders.is_fill & (orders.key >= 0))[:BATCH])
    market, keys, alerts = MarketStage(BOUNDS), KeyStage(model.scale, BOUNDS), AlertStage(model)
    merge, raised = Merge(1), 0
    logs = [
        Log(MarketPartition(0, 1, market)),
        Log(KeyPartition(0, 1, keys)),
        Log(AlertPartition(1, 1, alerts)),
    ]
    interval_ms = 1000 / rate
    points: list[tuple[float, ...]] = []
    for number in range(int(minutes * 60 * rate / BATCH)):
        merge.add(0, market.observe(churned(fills, number, interval_ms)), market.clock)
        ready = merge.ready()
        if ready is not None:
            raised += len(alerts.judge(suspects_of(keys.assess(ready))))
        if number % CHECKPOINT_EVERY == 0:
            for log in logs:
                log.save()
        minute = number * BATCH * interval_ms / 60_000
        if minute >= len(points):
            written = sum(log.megabytes for log in logs)
            told = len(alerts.snapshot().values) / 1e6
            points.append((minute, resident_mb(), written, told, float(raised)))
            print("| {:.0f} | {:.0f} | {:.0f} | {:.2f} | {:.0f} |".format(*points[-1]), flush=True)
    return points


def draw(points: list[tuple[float, ...]]) -> None:
    """Draw what is held over time."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    minutes, resident, changelog, told, _ = zip(*points, strict=True)
    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    axes.plot(minutes, resident, label="resident memory")
    axes.plot(minutes, changelog, label="changelogs")
    axes.plot(minutes, told, label="incidents, apps, profiteers, as saved")
    axes.set(xlabel="minutes of load", ylabel="MB", ylim=(0, None))
    axes.legend(frameon=False)
    CHART.parent.mkdir(exist_ok=True)
    figure.savefig(CHART, dpi=120)


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=1000.0, help="fills a second")
    flags = parser.parse_args()
    use_fresh_kernels()
    print("| minute | resident, MB | changelogs, MB | alert stage, MB | alerts |")
    print("|---:|---:|---:|---:|---:|")
    began = time.perf_counter()
    points = run(flags.minutes, flags.rate)
    print(f"took {time.perf_counter() - began:.0f} s")
    draw(points)


if __name__ == "__main__":
    main()
