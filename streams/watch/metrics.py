"""What a worker tells of itself, in the form of Prometheus; every name begins with `roguekey_`.

Counters are moved once per run of events, never per event; all else is read when somebody asks.
"""

import time
from collections import Counter as Counts
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final, Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from models.alerts.envelope import Alert, AlertType, Severity
from models.orders.refusals import Refusal
from models.snapshot import Records
from streams.watch.watchdog import Progress

STAGE_SECONDS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
RATE_S: Final = 60.0  # throughput is the mean over as long
RATE_STEP_S: Final = 1.0

# They would double the number of series.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library does not annotate it


class Observed(Protocol):
    """What a partition of orders counts of what it has taken in."""

    @property
    def events(self) -> int:
        """All of them."""

    @property
    def duplicates(self) -> int:
        """Those seen before."""

    @property
    def ahead(self) -> int:
        """Those too far ahead."""

    @property
    def clock(self) -> int:
        """Time of the newest, ms; 0 before the first."""


class Kept(Protocol):
    """A partition of a stage, which keeps records."""

    kind: str

    def records(self) -> Mapping[str, Records]:
        """Give them, by what they are of."""


@dataclass(frozen=True, slots=True)
class TableSize:
    """How much one kind of state holds, over all partitions of the worker."""

    table: str
    rows: int
    bytes: int


def sizes_of(partitions: Iterable[Kept]) -> list[TableSize]:
    """Add up what the records of some partitions hold; what is small beside them is left out."""
    rows: Counts[str] = Counts()
    size: Counts[str] = Counts()
    for partition in partitions:
        for name, records in partition.records().items():
            table = f"{partition.kind}.{name.strip('_')}"
            rows[table] += len(records.array)
            size[table] += records.array.nbytes
    return [TableSize(table, rows[table], size[table]) for table in rows]


class Metrics:
    """The numbers of one worker, in a registry of its own.

    `progress` says where its partitions stand; `tables`, how large its state is.
    """

    def __init__(
        self, progress: Progress, tables: Callable[[], Iterable[TableSize]] = tuple
    ) -> None:
        self.registry = CollectorRegistry()
        self._rate = _Rate(time.monotonic())
        self._newest: dict[int, int] = {}  # ms, by partition of orders
        self._checkpoint_at = time.monotonic()
        self._checkpoint_bytes = 0
        self._events = self._counter("events", "order events read")
        self._duplicates = self._counter("duplicates", "order events that had been seen before")
        self._ahead = self._counter("events_ahead", "order events far ahead of their partition")
        self._refused = self._counter("refused", "order events refused, by field at fault", "field")
        self._letters = self._counter("dead_letters", "refused events sent to the dead letters")
        self._alerts = self._counter("alerts", "alerts raised", "type", "severity")
        self._checkpoints = self._counter("checkpoints", "checkpoints that the brokers have")
        self._checkpointed = self._counter("checkpoint_bytes", "bytes written by checkpoints")
        self._stages = Histogram(
            "roguekey_stage_seconds",
            "time that a stage took for one run, until all that came of it was handed over",
            ["stage"],
            buckets=STAGE_SECONDS,
            registry=self.registry,
        )
        for kind in AlertType:
            for severity in Severity:
                self._alerts.labels(kind.short, severity.name.lower())
        build = Info("roguekey_build", "what runs", registry=self.registry)
        build.info({"version": version("roguekey")})
        ProcessCollector(namespace="roguekey", registry=self.registry)
        self.registry.register(_Gauges(self, progress, tables))

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"roguekey_{name}", about, labels, registry=self.registry)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage while it works through one run."""
        started = time.monotonic()
        yield
        self._stages.labels(name).observe(time.monotonic() - started)

    @contextmanager
    def counting(self, partition: int, market: Observed) -> Iterator[None]:
        """Count what a partition of orders takes in meanwhile."""
        before = market.events, market.duplicates, market.ahead
        yield
        events = market.events - before[0]
        self._events.inc(events)
        self._duplicates.inc(market.duplicates - before[1])
        self._ahead.inc(market.ahead - before[2])
        self._newest[partition] = market.clock
        self._rate.add(events, time.monotonic())

    def refused(self, refusals: Iterable[Refusal]) -> None:
        """Count what was refused and becomes dead letters."""
        for refusal in refusals:
            self._refused.labels(refusal.field or "event").inc()
            self._letters.inc()

    def alerted(self, alerts: Iterable[Alert]) -> None:
        """Count alerts that were raised."""
        for alert in alerts:
            self._alerts.labels(alert.type.short, alert.data.severity).inc()

    def checkpoint_done(self, size: int) -> None:
        """Note that the brokers have a checkpoint of `size` bytes."""
        self._checkpoint_at = time.monotonic()
        self._checkpoint_bytes = size
        self._checkpoints.inc()
        self._checkpointed.inc(size)

    def assigned(self, partitions: Iterable[int]) -> None:
        """Forget partitions of orders that went elsewhere."""
        for partition in self._newest.keys() - set(partitions):
            del self._newest[partition]

    def exposition(self) -> bytes:
        """Give all of it in Prometheus' text format."""
        text: bytes = generate_latest(self.registry)
        return text

    def gauges(self) -> Iterator[Metric]:
        """Give what is read when somebody asks."""
        ages = _gauge("event_age_seconds", "now less the newest event time read", "partition")
        now_ms = time.time_ns() / 1e6
        for partition, newest in sorted(self._newest.items()):
            if newest:
                ages.add_metric([str(partition)], (now_ms - newest) / 1000)
        yield ages
        yield _gauge(
            "events_per_second",
            f"order events read, mean over the last {RATE_S:.0f} s",
            value=self._rate.per_second(time.monotonic()),
        )
        yield _gauge(
            "checkpoint_age_seconds",
            "time since the last checkpoint, or since the start",
            value=time.monotonic() - self._checkpoint_at,
        )
        yield _gauge(
            "checkpoint_last_bytes", "size of the last checkpoint", value=self._checkpoint_bytes
        )


def _gauge(name: str, about: str, *labels: str, value: float | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"roguekey_{name}", about, value=value, labels=labels or None)


class _Rate:
    """Events per second over the last minute."""

    def __init__(self, now: float) -> None:
        self._total = 0
        self._marks = deque([(now, 0)])  # time, total by then

    def add(self, events: int, now: float) -> None:
        self._total += events
        if now - self._marks[-1][0] >= RATE_STEP_S:
            self._marks.append((now, self._total))
            self._drop(now)

    def per_second(self, now: float) -> float:
        self._drop(now)
        since, before = self._marks[0]
        return (self._total - before) / max(now - since, RATE_STEP_S)

    def _drop(self, now: float) -> None:
        while len(self._marks) > 1 and self._marks[1][0] <= now - RATE_S:
            self._marks.popleft()


class _Gauges(Collector):
    def __init__(
        self, metrics: Metrics, progress: Progress, tables: Callable[[], Iterable[TableSize]]
    ) -> None:
        self._metrics = metrics
        self._progress = progress
        self._tables = tables

    @override
    def collect(self) -> Iterator[Metric]:
        yield from self._metrics.gauges()
        lag = _gauge("consumer_lag", "records not worked through yet", "topic", "partition")
        for tp, place in sorted(self._progress.places().items()):
            lag.add_metric([tp.topic, str(tp.partition)], place.lag)
        yield lag
        rows = _gauge("state_rows", "entities remembered", "table")
        size = _gauge("state_bytes", "memory of the records in use", "table")
        for table in self._tables():
            rows.add_metric([table.table], table.rows)
            size.add_metric([table.table], table.bytes)
        yield rows
        yield size
