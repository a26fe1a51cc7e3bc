"""Partitions of the three stages, and what they send and are sent."""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from models.alerts.stage import AlertStage
from models.market.stage import MarketStage
from models.orders.texts import Texts
from models.rows import Rows
from models.score.model import Model
from streams.worker.partitions import Partition
from streams.worker.row_frames import Word, pack_words, unseal
from streams.worker.runs import Run
from streams.worker.stages import AlertPartition, KeyPartition, MarketPartition, frames_of
from streams.worker.warmup import Stages
from tests.factories import NOW_MS, TS, encode, order

P = TypeVar("P", bound=Partition)


def run_of(values: list[bytes], first: int = 0) -> Run:
    offsets = np.arange(first, first + len(values))
    return Run(Texts.of(values), offsets, np.zeros(len(values), np.int64))


def orders_run(count: int, first: int = 0, source: str = "e") -> Run:
    numbers = range(first, first + count)
    return run_of([encode(order(event_id=f"{source}{n}", ts=TS + n)) for n in numbers], first)


def market(number: int = 0, targets: int = 1, patience_ms: int = 0) -> MarketPartition:
    return MarketPartition(number, targets, MarketStage(), born=1, patience_ms=patience_ms)


def keys_of(model: Model, sources: int) -> KeyPartition:
    return KeyPartition(0, sources, Stages(model).key(0), born=1)


def alerts_of(model: Model, keys: int, orders: int) -> AlertPartition:
    return AlertPartition(keys, orders, AlertStage(model), born=1)


def sent_to(partition: MarketPartition, run: Run, now_ms: int = NOW_MS) -> list[bytes]:
    """Frames that a partition of orders sends to the first of keys."""
    parts = partition.observe(run, now_ms)[0]
    return [frame for target, frame in frames_of(parts) if target == 0]


def quiet_of(partition: MarketPartition, since_ms: int) -> list[bytes]:
    return [pack_words([word]) for target, word in partition.words(since_ms) if target == 0]


def again(partition: P, fresh: P) -> P:
    """Give a new partition the state of another, as after a crash."""
    snapshot = partition.snapshot()
    records = {name: kept.array.copy() for name, kept in snapshot.records.items()}
    fresh.restore(records, snapshot.values)
    return fresh


def values_of(partition: KeyPartition) -> Any:
    """All that the key stage has learned."""
    records = partition.snapshot().records
    return {name: kept.array.tobytes() for name, kept in records.items()}


@dataclass(frozen=True, slots=True)
class RowFrame:
    """Rows or None, and what their source says."""

    rows: Rows | None
    word: Word
    more: tuple[Word, ...] = ()  # what other sources say, in a frame without rows


def unpack_rows(data: bytes) -> RowFrame:
    """Read a frame of rows; a `FrameError` where it is none."""
    sealed = unseal(data)
    return RowFrame(sealed.rows(), sealed.word, sealed.more)
