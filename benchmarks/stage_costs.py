"""What each stage of a worker costs per event: its partitions in this process, without Kafka."""

import time
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from models.alerts.stage import AlertStage
from models.keys.stage import KeyStage
from models.market.stage import MarketStage
from models.orders.decode import decode
from models.orders.texts import Texts
from models.score.model import Model
from streams.kafka.partitioning import partition_of
from streams.settings import DEFAULT_PARTITIONS
from streams.worker.runs import Run
from streams.worker.stages import AlertPartition, KeyPartition, MarketPartition, frames_of

BATCH: Final = 4096
NOW_MS: Final = 2_000_000_000_000  # no event is ahead of it
DECODE: Final = "orders: decode"
OBSERVE: Final = "orders: market, route, frames"
KEYS: Final = "keys: frames, merge, measure, weigh"
ALERTS: Final = "suspects: forest, crowd, apps, alerts"


class _Symbol(msgspec.Struct):
    symbol: str


class Stages:
    """One worker's partitions of all three stages, fed by hand."""

    def __init__(self, model: Model, partitions: int = DEFAULT_PARTITIONS) -> None:
        self._markets = [MarketPartition(n, partitions, MarketStage()) for n in range(partitions)]
        self._keys = [KeyPartition(n, partitions, KeyStage(model.scale)) for n in range(partitions)]
        self._alerts = AlertPartition(partitions, partitions, AlertStage(model))
        self._ends = {"orders": [0] * partitions, "keys": [0] * partitions, "suspects": [0]}
        self.took = dict.fromkeys((DECODE, OBSERVE, KEYS, ALERTS), 0.0)

    def feed(self, partition: int, values: list[bytes]) -> None:
        """Take a run of orders of one partition through all stages."""
        run = self._run("orders", partition, values)
        began = time.process_time()
        parts, _ = self._markets[partition].observe(run, NOW_MS)
        frames = list(frames_of(parts))
        observed = time.process_time()
        # As it has done itself:
        decode(run.values, partition=partition, offsets=run.offsets, now_ms=NOW_MS)
        decoding = time.process_time() - observed
        self.took[DECODE] += decoding
        self.took[OBSERVE] += observed - began - decoding
        for target, frame in frames:
            self._to_keys(target, frame)

    def _to_keys(self, target: int, frame: bytes) -> None:
        run = self._run("keys", target, [frame])
        began = time.process_time()
        suspects = [frame for _, frame in frames_of(self._keys[target].assess(run))]
        assessed = time.process_time()
        if suspects:
            self._alerts.judge(self._run("suspects", 0, suspects))
        self.took[KEYS] += assessed - began
        self.took[ALERTS] += time.process_time() - assessed

    def _run(self, topic: str, partition: int, values: list[bytes]) -> Run:
        begin = self._ends[topic][partition]
        self._ends[topic][partition] = end = begin + len(values)
        return Run(Texts.of(values), np.arange(begin, end), np.full(len(values), -1), begin)


def stage_costs(events: Sequence[bytes], model: Model) -> dict[str, float]:
    """Give the CPU time of each stage per event, µs; the first half warms up."""
    stages, read_symbol = Stages(model), msgspec.json.Decoder(_Symbol).decode
    waiting: list[list[bytes]] = [[] for _ in range(DEFAULT_PARTITIONS)]
    counted = 0
    for number, event in enumerate(events):
        home = partition_of(read_symbol(event).symbol.encode(), DEFAULT_PARTITIONS)
        waiting[home].append(event)
        if number == len(events) // 2:
            stages.took, counted = dict.fromkeys(stages.took, 0.0), 0
        if len(waiting[home]) == BATCH:
            stages.feed(home, waiting[home])
            counted += BATCH
            waiting[home] = []
    return {name: 1e6 * seconds / max(counted, 1) for name, seconds in stages.took.items()}
