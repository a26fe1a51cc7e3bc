"""Labelled fills of simulated tapes, as the detector sees them: what weights are fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from benchmarks.labelled_tape import NEVER, LabelledTape, assessed_fills
from models.alerts.crowd import Crowd
from models.keys import state as k
from models.orders.batch import Bools, Float32s, Float64s, Int64s
from models.rows import Rows
from models.score.evidence import CONDUCT, NO_EVIDENCE, NOTABLE, USUAL
from models.training import train

PER_KEY: Final = 30  # fills, at most
SEED: Final = 0

_CONDUCT: Final = [k.FEATURES.index(name) for name in CONDUCT]


@dataclass(frozen=True, slots=True)
class Sample:
    """n fills that may be held against their keys."""

    # (n, FEATURES), and two columns more: familiarity, and how far conduct stays below USUAL
    surprises: Float64s
    rogue: Bools  # (n,)
    weight: Float64s  # (n,): every key of a tape counts alike, and so does every tape

    @classmethod
    def concat(cls, samples: Sequence[Self]) -> Self:
        """Put samples one after the other."""
        return cls(
            np.concatenate([sample.surprises for sample in samples]),
            np.concatenate([sample.rogue for sample in samples]),
            np.concatenate([sample.weight for sample in samples]),
        )


@dataclass(frozen=True, slots=True)
class Suspects:
    """n notable fills of one tape: those of leaked keys that are rogue, and all of the others."""

    # (n, COLUMNS): surprises, conduct up to USUAL, the two crowds, persistence, less activity,
    # less familiarity
    evidence: Float64s
    rogue: Bools  # (n,)
    key: Int64s  # (n,)


OTHERS: Final = ("conduct", "crowd", "app crowd", "persistence", "activity", "familiarity")
COLUMNS: Final = (*k.FEATURES, *OTHERS)


def samples_of(tape: LabelledTape) -> tuple[Sample, Suspects]:
    """Draw rogue fills of leaked keys and any fills of the others, on a scale without labels."""
    crowd, known, drawn, suspects = Crowd(), _rogue_fills(tape), [], []
    for fills in assessed_fills(tape.market_rows(), train(lambda: tape.batches).scale):
        held = fills.take(np.flatnonzero(fills.told["odds"] > NO_EVIDENCE))
        rogue = _is_rogue(tape, held, known)
        told = held.told["surprises"], held.told["familiarity"]
        drawn.append((tape.codes(held), rogue, np.column_stack(told)))
        notable = np.flatnonzero(held.told["odds"] > NOTABLE)
        rows = held.take(notable)
        around = crowd.meet(rows)
        evidence = _columns(rows, around.weight * around.share[:, np.newaxis])
        suspects.append((evidence, rogue[notable], tape.codes(rows)))
    return _spread_sample(tape, *_joined(drawn)), _either(tape, *_joined(suspects))


def _joined(parts: list[tuple[Any, ...]]) -> list[Any]:
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _columns(rows: Rows, crowd: Float32s) -> Float64s:
    surprises, activity = rows.told["surprises"], rows.told["activity"]
    conduct = np.minimum(USUAL, surprises[:, _CONDUCT].max(axis=1))
    columns = [surprises, conduct, crowd, rows.told["persistence"], -activity]
    columns.append(-rows.told["familiarity"])
    return np.column_stack(columns).astype(np.float64)


def _either(tape: LabelledTape, evidence: Float64s, rogue: Bools, key: Int64s) -> Suspects:
    kept = rogue | (tape.first_rogue[key] == NEVER)
    return Suspects(evidence[kept], rogue[kept], key[kept])


def _spread_sample(tape: LabelledTape, key: Int64s, rogue: Bools, surprises: Float32s) -> Sample:
    chosen = _spread(key, np.flatnonzero(rogue | (tape.first_rogue[key] == NEVER)))
    key, held = key[chosen], surprises[chosen].astype(np.float64)
    missing = np.maximum(0.0, USUAL - held[:, _CONDUCT].max(axis=1))
    weight = 1.0 / np.bincount(key)[key]
    return Sample(np.column_stack([held, missing]), rogue[chosen], weight / weight.sum())


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
