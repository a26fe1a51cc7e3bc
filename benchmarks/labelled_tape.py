"""Tapes with labels, simulated or read from a file, and their passes through the stages."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import msgspec
import numpy as np

from models.evaluation.exposure import Watched
from models.evaluation.labels import Labels
from models.evaluation.verdicts import Truth
from models.keys.stage import KeyStage
from models.market.stage import MarketStage
from models.merge import Merge
from models.orders.batch import NONE, Float64s, Int64s, OrderBatch, UInt64s
from models.rows import Rows
from models.simulation import Regime, simulate, to_orders
from streams.tapes.intake import Intake

BATCH: Final = 65_536  # events
NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class LabelledTape:
    """A tape, what truly happened on it, and its K keys in the order of their hashes."""

    name: str
    batches: list[OrderBatch]
    truth: Truth
    keys: list[str]
    hashes: UInt64s  # (K,)
    first_rogue: Int64s  # (K,), ms; NEVER of a key that did not leak

    @classmethod
    def simulated(cls, name: str, regime: Regime, seed: int) -> Self:
        """Simulate a tape."""
        tape = simulate(regime, seed)
        orders = to_orders(tape)
        labels = msgspec.convert(tape.labels, Labels)
        starts = range(0, len(orders), BATCH)
        cuts = [np.arange(start, min(len(orders), start + BATCH)) for start in starts]
        return cls._of(name, [orders.take(cut) for cut in cuts], labels)

    @classmethod
    def read(cls, path: Path, labels: Path) -> Self:
        """Read a tape and its labels from files."""
        return cls._of(path.stem, list(Intake().read([path])), Labels.load(labels))

    @classmethod
    def _of(cls, name: str, batches: list[OrderBatch], labels: Labels) -> Self:
        named: dict[int, str] = {}
        for batch in batches:
            for code in np.unique(batch.key[batch.key != NONE]).tolist():
                named[int(batch.keys.hashes[code])] = batch.keys.strings[code]
        hashes = sorted(named)
        keys = [named[number] for number in hashes]
        leaked = labels.leaked
        first = [leaked[key].first_rogue_ts if key in leaked else NEVER for key in keys]
        watched = Watched()
        for batch in batches:
            watched.add(batch)
        truth = Truth(name, labels, watched.exposure())
        return cls(
            name, batches, truth, keys, np.array(hashes, np.uint64), np.array(first, np.int64)
        )

    def market_rows(self) -> list[Rows]:
        """Give the events of API keys as the key stage receives them."""
        market, merge = MarketStage(), Merge(1)
        given = []
        for batch in self.batches:
            merge.add(0, market.observe(batch), market.clock)
            given.append(merge.ready())
        merge.idle(0)
        given.append(merge.ready())
        return [rows for rows in given if rows is not None]

    def codes(self, rows: Rows) -> Int64s:
        """Give the number of each event's key among the tape's keys, shape (n,)."""
        hashes = rows.orders.keys.hashes[rows.orders.key]
        return np.searchsorted(self.hashes, hashes).astype(np.int64)


def assessed_fills(rows: list[Rows], scale: Float64s) -> Iterator[Rows]:
    """Give the fills of API keys as the key stage assesses them on a scale."""
    stage = KeyStage(scale)
    for part in rows:
        assessed = stage.assess(part)
        orders = assessed.orders
        yield assessed.take(np.flatnonzero(orders.is_fill & (orders.key != NONE)))
