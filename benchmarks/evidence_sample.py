"""Labelled fills of simulated tapes, as the detector sees them: what weights are fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from benchmarks.labelled_tape import NEVER, LabelledTape, assessed_fills
from models.alerts.crowd import Crowd
from models.keys import state as k
from models.orders.batch import Bools, Float64s, Int64s
from models.rows import Rows
from models.score.evidence import CONDUCT, NO_EVIDENCE, USUAL
from models.score.model import PART_WEIGHTS, parts_of
from models.training import train

PER_KEY: Final = 30  # fills, at most
SEED: Final = 0

_CONDUCT: Final = [k.FEATURES.index(name) for name in CONDUCT]


@dataclass(frozen=True, slots=True)
class Sample:
    """n fills that may be held against their keys."""

    surprises: Float64s  # (n, FEATURES), and one column more: how far conduct stays below USUAL
    parts: Float64s  # (n, PARTS), not weighted
    rogue: Bools  # (n,)
    weight: Float64s  # (n,): every key of a tape counts alike, and so does every tape

    @classmethod
    def concat(cls, samples: Sequence[Self]) -> Self:
        """Put samples one after the other."""
        return cls(
            np.concatenate([sample.surprises for sample in samples]),
            np.concatenate([sample.parts for sample in samples]),
            np.concatenate([sample.rogue for sample in samples]),
            np.concatenate([sample.weight for sample in samples]),
        )


def sample_of(tape: LabelledTape) -> Sample:
    """Draw rogue fills of leaked keys and any fills of the others, on a scale without labels."""
    rows = tape.market_rows()
    crowd, known, drawn = Crowd(), _rogue_fills(tape), []
    for fills in assessed_fills(rows, train(lambda: tape.batches).scale):
        held = fills.take(np.flatnonzero(fills.extra["odds"] > NO_EVIDENCE))
        parts = parts_of(held.extra["odds"], crowd.meet(held).weight, held.extra["persistence"])
        rogue = _is_rogue(tape, held, known)
        drawn.append((tape.codes(held), rogue, held.extra["surprises"], parts))
    key, rogue, surprises, parts = (np.concatenate(c) for c in zip(*drawn, strict=True))
    chosen = _spread(key, np.flatnonzero(rogue | (tape.first_rogue[key] == NEVER)))
    key, surprises = key[chosen], surprises[chosen].astype(np.float64)
    missing = np.maximum(0.0, USUAL - surprises[:, _CONDUCT].max(axis=1))
    weight = 1.0 / np.bincount(key)[key]
    return Sample(
        np.column_stack([surprises, missing]),
        parts[chosen] / PART_WEIGHTS,
        rogue[chosen],
        weight / weight.sum(),
    )


def _is_rogue(tape: LabelledTape, fills: Rows, rogue: set[tuple[int, int]]) -> Bools:
    """Whether each fill is one of its key's rogue ones, shape (n,)."""
    placed = zip(tape.codes(fills).tolist(), fills.orders.ts.tolist(), strict=True)
    return np.fromiter((one in rogue for one in placed), np.bool_, len(fills))


def _rogue_fills(tape: LabelledTape) -> set[tuple[int, int]]:
    """Give the key's number and the time (ms) of every rogue fill."""
    leaked = tape.truth.labels.leaked
    return {
        (number, ts)
        for number, key in enumerate(tape.keys)
        if key in leaked
        for ts, _ in leaked[key].rogue
    }


def _spread(key: Int64s, rows: Int64s) -> Int64s:
    """Choose at most PER_KEY of the rows of each key, by chance."""
    shuffled = np.random.default_rng(SEED).permutation(rows)
    shuffled = shuffled[np.argsort(key[shuffled], kind="stable")]
    ordered = key[shuffled]
    first = np.searchsorted(ordered, ordered)
    kept: Int64s = shuffled[np.arange(len(ordered)) - first < PER_KEY]
    return kept
