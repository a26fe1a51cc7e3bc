"""How long an order takes until its alert lies on the topic, from a trickle to nearly too much.

`python -m benchmarks.latency [--short] [--rate N ...] [--seconds S]`: a broker, a worker process
and its topics as they run live; without rates 2,000 and 20,000 orders/s and four fifths of what the
worker does at most, three times each, in turn. The worker has one core, where there are several,
and all others are left to the brokers, the producer and whoever reads the alerts. The model alerts
far sooner than it should, on one order in some five hundred, so that there are enough alerts.
Orders leave every few milliseconds in one batch a partition; each is timed from then.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from matplotlib.figure import Figure

from benchmarks.contestants import run_own
from benchmarks.events import simulated, trained
from benchmarks.own_worker import own_worker
from benchmarks.report import Report, parser_of, table
from benchmarks.stand import Stand, stand
from streams.kafka.partitioning import partition_of
from streams.kernel_cache import use_fresh_kernels
from streams.settings import DEFAULT_PARTITIONS
from streams.tapes.produce import symbol_of

EASIER: Final = 4.0  # log odds by which the model alerts sooner
RATES: Final = (2_000.0, 20_000.0)
NEARLY_ALL: Final = 0.8  # of the highest rate
TRAINED_ON: Final = 50_000
WARM_UP: Final = 60_000  # orders that are not timed: a broker's Java begins slowly
WARM_UP_RATE: Final = 20_000.0  # orders/s
EVENTS: Final = 400_000
FEWEST: Final = 120_000  # orders that are timed at a low rate, though it takes longer
SHORT_EVENTS: Final = 20_000
RUNS: Final = 3  # of each rate, in turn
SECONDS: Final = 15.0
DAYS: Final = 7.0
KEYS: Final = 3000
PORTION_S: Final = 0.005
SETTLED_S: Final = 2.0
PATIENCE_S: Final = 120.0
QUANTILES: Final = (50.0, 99.0, 99.9)


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one run at a rate."""

    rate: float  # that was wanted, orders/s
    sent: float  # orders/s, in fact
    delays_ms: list[float]  # order sent to alert received

    def quantile(self, q: float) -> float:
        """Delay in ms that q % of the alerts do not exceed; nan without any."""
        return float(np.percentile(self.delays_ms or [np.nan], q))


@dataclass(frozen=True, slots=True)
class Order:
    """An order to be sent."""

    event_id: str
    symbol: bytes
    partition: int
    value: bytes


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each rate with a broker and a worker of its own; write the table and the plot."""
    parser = parser_of("benchmarks.latency", __doc__)
    parser.add_argument("--rate", type=float, action="append", help="orders a second")
    parser.add_argument("--seconds", type=float, help="of each rate")
    flags = parser.parse_args(arguments)
    use_fresh_kernels()
    count = SHORT_EVENTS if flags.short else EVENTS
    lines = simulated(count, days=DAYS * count / EVENTS, keys=KEYS)
    with _core_of_its_own() as core, tempfile.TemporaryDirectory() as name:
        model = _eager_model(Path(name), lines)
        rates = flags.rate or (
            RATES[:1] if flags.short else [*RATES, _nearly_all(lines, name, core)]
        )
        orders = [_routed(line) for line in lines]
        runs: dict[float, list[Run]] = {rate: [] for rate in rates}
        for rate in list(rates) * (1 if flags.short else RUNS):
            seconds = flags.seconds or (2.0 if flags.short else max(SECONDS, FEWEST / rate))
            with stand(DEFAULT_PARTITIONS, short=flags.short) as ground:
                runs[rate].append(_run(ground, model, orders, rate, seconds, core))
    Report.of("latency", flags).write(
        "Order sent to alert received",
        as_markdown(ground.broker, runs),
        [asdict(run) for of_rate in runs.values() for run in of_rate],
        drawn(runs),
    )
    return 0


def _eager_model(folder: Path, lines: list[bytes]) -> Path:
    model = trained(lines[:TRAINED_ON])
    replace(model, critical=model.critical - EASIER).save(folder / "model", "0" * 64)
    return folder / "model"


@contextmanager
def _core_of_its_own() -> Iterator[int | None]:
    """Leave a core to the worker alone, if there are several; brokers start on the others."""
    if sys.platform == "win32" or sys.platform == "darwin":  # which cannot say so
        yield None
        return
    cores = os.sched_getaffinity(0)
    first, *others = sorted(cores)
    os.sched_setaffinity(0, others or cores)
    try:
        yield first if others else None
    finally:
        os.sched_setaffinity(0, cores)  # whoever called goes on with all


def _nearly_all(lines: list[bytes], folder: str, core: int | None) -> float:
    """Give a large share of the rate at which a worker takes orders that wait for it."""
    with stand(DEFAULT_PARTITIONS, short=False) as ground:
        ground.put(lines, Path(folder))
        share = len(lines) / EVENTS * 0.8
        return NEARLY_ALL * run_own(ground, Path(folder, "model"), 0, share, core).rate


def _routed(line: bytes) -> Order:
    symbol = symbol_of(line) or b""
    event_id = str(json.loads(line)["event_id"])
    return Order(event_id, symbol, partition_of(symbol, DEFAULT_PARTITIONS), line)


def _run(
    ground: Stand, model: Path, orders: list[Order], rate: float, seconds: float, core: int | None
) -> Run:
    warm_up = min(WARM_UP, len(orders) // 2)
    timed = orders[warm_up : warm_up + int(rate * seconds)]
    with own_worker(ground.address, model, ground.partitions, "latency", core) as worker:
        worker.wait_for(0)
        return asyncio.run(_Race(ground.address).run(orders[:warm_up], timed, rate))


class _Race:
    """One producer, one consumer of alerts, and when each order was sent."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._sent: dict[str, float] = {}
        self._delays: list[float] = []
        self._any = asyncio.Event()

    async def run(self, first: list[Order], timed: list[Order], rate: float) -> Run:
        """Warm everything up, then send at a rate, and wait for the last alerts."""
        producer = AIOKafkaProducer(bootstrap_servers=self._address, max_batch_size=1 << 19)
        consumer = AIOKafkaConsumer(bootstrap_servers=self._address, auto_offset_reset="earliest")
        await producer.start()
        await consumer.start()
        consumer.assign([TopicPartition("alerts", 0)])
        listener = asyncio.create_task(self._listen(consumer))
        await self._send_at(producer, first, WARM_UP_RATE, timed=False)
        await asyncio.wait_for(self._any.wait(), PATIENCE_S)
        await asyncio.sleep(SETTLED_S)
        took = await self._send_at(producer, timed, rate, timed=True)
        await asyncio.sleep(SETTLED_S)
        listener.cancel()
        await producer.stop()
        await consumer.stop()
        return Run(rate, len(timed) / took, self._delays)

    async def _send_at(
        self, producer: AIOKafkaProducer, orders: list[Order], rate: float, *, timed: bool
    ) -> float:
        """Send orders as they fall due at a rate; return the seconds that it took."""
        began, done = time.monotonic(), 0
        while done < len(orders):
            due = min(len(orders), 1 + int((time.monotonic() - began) * rate))
            await self._send(producer, orders[done:due], timed=timed)
            done = due
            await asyncio.sleep(PORTION_S)
        return time.monotonic() - began

    async def _listen(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            for records in (await consumer.getmany(timeout_ms=5)).values():
                now = time.monotonic()
                ids = [json.loads(record.value)["data"]["event_id"] for record in records]
                self._delays += [1000 * (now - self._sent[i]) for i in ids if i in self._sent]
                self._any.set()
            await asyncio.sleep(0.001)  # the embedded broker never waits

    async def _send(self, producer: AIOKafkaProducer, orders: list[Order], *, timed: bool) -> None:
        """Send orders in one batch a partition, as far as one batch holds them."""
        batches: dict[int, Any] = {}
        now = time.monotonic()
        for order in orders:
            batch = batches.setdefault(order.partition, producer.create_batch())
            if batch.append(key=order.symbol, value=order.value, timestamp=None) is None:
                await producer.send_batch(batch, "orders", partition=order.partition)
                batch = batches[order.partition] = producer.create_batch()
                batch.append(key=order.symbol, value=order.value, timestamp=None)
        if timed:
            self._sent.update((order.event_id, now) for order in orders)
        for partition, batch in batches.items():
            await producer.send_batch(batch, "orders", partition=partition)


def as_markdown(broker: str, runs: Mapping[float, Sequence[Run]]) -> str:
    """Give the table: of each number the median of its runs."""
    rows = []
    for rate, of_rate in runs.items():
        found = [[run.quantile(q) for run in of_rate] for q in QUANTILES]
        sent = median(run.sent for run in of_rate)
        alerts = median(len(run.delays_ms) for run in of_rate)
        spreads = [f"{median(q):.0f} ({min(q):.0f}–{max(q):.0f})" for q in found]
        rows.append([f"{rate:,.0f}", f"{sent:,.0f}", f"{alerts:,.0f}", *spreads])
    header = ["orders/s", "sent/s", "alerts", *(f"p{q:g}, ms" for q in QUANTILES)]
    told = f"Broker: {broker}; {DEFAULT_PARTITIONS} partitions, one worker; all on one machine."
    told += f" Medians of {max(map(len, runs.values()))} runs, with the least and the most."
    return f"{told}\n\n{table(header, rows)}"


def drawn(runs: Mapping[float, Sequence[Run]]) -> Figure:
    """Draw how many alerts took longer, for each rate, over all of its runs."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    for rate, of_rate in runs.items():
        delays = np.sort(np.concatenate([run.delays_ms for run in of_rate]))
        longer = 1.0 - np.arange(len(delays)) / max(len(delays), 1)
        axes.plot(delays, longer, label=f"{rate:,.0f} orders/s")
    axes.set(xscale="log", yscale="log", xlabel="order sent to alert received, ms")
    axes.set(ylabel="share of alerts that took longer")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure


if __name__ == "__main__":
    sys.exit(main())
