"""Weights that tell leaked keys from the most unusual honest ones, by each key's worst fill."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks.evidence_sample import Suspects
from benchmarks.logistic import fit_bounded
from models.orders.batch import Bools, Float64s, Int64s

HARDEST: Final = 200  # honest keys of a tape, those that look worst
ROUNDS: Final = 8
L2: Final = 3e-3


def fit_hardest(tapes: Sequence[Suspects], start: Float64s) -> Float64s:
    """Fit weights of the columns of `Suspects.evidence`, none below zero, shape (d,).

    A key is judged by its worst fill, and an alert threshold meets the worst of the honest keys; so
    only these are fitted: with the weights of the last round each key's worst fill is chosen, of
    honest keys the worst HARDEST a tape, and the weights are fitted again, halfway towards them.
    """
    weights = start
    bounds = [(0.0, None)] * len(start)
    for _ in range(ROUNDS):
        chosen = [_worst(tape, tape.evidence @ weights) for tape in tapes]
        x = np.concatenate([tape.evidence[rows] for tape, rows in zip(tapes, chosen, strict=True)])
        y: Bools = np.concatenate([t.rogue[rows] for t, rows in zip(tapes, chosen, strict=True)])
        each = np.concatenate(
            [_alike(t.rogue[rows]) for t, rows in zip(tapes, chosen, strict=True)]
        )
        fitted = fit_bounded(x, y, each, bounds, L2)[:-1]
        weights = 0.5 * (weights + fitted)
    return weights


def _worst(tape: Suspects, strength: Float64s) -> Int64s:
    """Rows of the worst fill of each leaked key and of the worst honest keys."""
    order = np.argsort(-strength, kind="stable")
    _, first = np.unique(tape.key[order], return_index=True)
    worst = order[np.sort(first)]
    rogue: Int64s = worst[tape.rogue[worst]]
    honest: Int64s = worst[~tape.rogue[worst]]
    return np.concatenate([rogue, honest[:HARDEST]])


def _alike(rogue: Bools) -> Float64s:
    """Weights with which the leaked keys of each tape count as much as its honest ones."""
    return np.where(rogue, 1.0 / max(1, int(rogue.sum())), 1.0 / max(1, int((~rogue).sum())))
