"""Training: what is usual on a tape of orders, and a forest over what is not.

Two passes over the tape. The first learns what each feature looks like when nothing is held back;
the second holds back what is suspect on that scale, and gives the rows that the forest is grown on.
The tape may hold leaked keys, unlabelled: tails are read where a few per cent of them weigh little.
"""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from models.keys.stage import KeyStage
from models.market.stage import MarketStage
from models.market.state import DAY
from models.orders.batch import Float32s, Float64s, Int64s, OrderBatch, UInt64s
from models.rows import Merge, Rows
from models.score.evidence import Scale, blank_scale, weigh
from models.score.forest import fit_forest, score
from models.score.model import Model
from models.score.surprise import fit_surprise

TREES: Final = 100
SAMPLE_SIZE: Final = 512
SUSPECT_SHARE: Final = 0.03  # of the fills, every key counting alike
ROWS_PER_KEY: Final = 40  # that the forest is grown on, at most
SEED: Final = 20180307  # the day of the first incident; any would do

Tape = Callable[[], Iterable[OrderBatch]]


def train(tape: Tape) -> Model:
    """Train on a tape, which is read twice.

    Raises
    ------
    ValueError
        If the tape holds too few fills of API keys to say what is usual.
    """
    fills = _fills(tape, blank_scale())
    keys, features = fills.keys, fills.features
    if len(np.unique(keys)) < 10 or len(keys) < 1000:
        raise ValueError(
            f"the tape holds {len(keys)} fills of {len(np.unique(keys))} keys; "
            "training needs at least 1000 fills of 10 keys"
        )
    weights = _alike(keys)
    tables = np.array([fit_surprise(column, weights) for column in features.T.astype(np.float64)])
    medians = np.array([_median(column, weights) for column in features.T.astype(np.float64)])
    evidence = np.zeros_like(features)
    scale = Scale(tables, np.inf)
    for row in range(len(features)):
        weigh(scale, features[row], evidence[row])
    totals = evidence.sum(axis=1).astype(np.float64)
    scale = Scale(tables, float(_quantile(totals, weights, 1.0 - SUSPECT_SHARE)))
    chosen = _spread(keys, ROWS_PER_KEY)
    forest = fit_forest(
        evidence[chosen].astype(np.float64), trees=TREES, sample_size=SAMPLE_SIZE, seed=SEED
    )
    suspect = totals > scale.gate
    scores = np.zeros(len(keys))
    scores[suspect] = score(forest, evidence[suspect].astype(np.float64))
    highest = _highest(keys, fills.time // DAY, scores)
    tail = fit_surprise(highest, np.ones(len(highest)))
    return Model(scale, forest, medians, tail)


class _Fills:
    """Fills of API keys, with their features."""

    def __init__(self, parts: list[Rows]) -> None:
        self.keys: UInt64s = np.concatenate(
            [part.orders.keys.hashes[part.orders.key] for part in parts]
        )
        self.time: Int64s = np.concatenate([part.time for part in parts])
        self.features: Float32s = np.concatenate([part.extra["features"] for part in parts])


def _fills(tape: Tape, scale: Scale) -> _Fills:
    market, keys, merge = MarketStage(), KeyStage(scale), Merge(1)
    parts = []
    for batch in tape():
        merge.add(0, market.observe(batch), market.clock)
        ready = merge.ready()
        if ready is not None:
            rows = keys.assess(ready)
            parts.append(rows.take(np.flatnonzero(rows.orders.is_fill)))
    merge.idle(0)
    ready = merge.ready()
    if ready is not None:
        rows = keys.assess(ready)
        parts.append(rows.take(np.flatnonzero(rows.orders.is_fill)))
    return _Fills(parts)


def _alike(keys: UInt64s) -> Float64s:
    """Weights with which every key counts alike, however much it trades."""
    _, code, count = np.unique(keys, return_inverse=True, return_counts=True)
    return 1.0 / count[code]


def _quantile(values: Float64s, weights: Float64s, q: float) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(below, q)), len(values) - 1)])


def _median(values: Float64s, weights: Float64s) -> float:
    return _quantile(values, weights, 0.5)


def _spread(keys: UInt64s, most: int) -> Int64s:
    """Rows of every key, at most `most`, evenly spread over its past."""
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=keys[order][0] + np.uint64(1)))
    chosen = [
        part[np.linspace(0, len(part) - 1, min(most, len(part))).astype(np.int64)]
        for part in np.split(order, starts[1:])
    ]
    return np.sort(np.concatenate(chosen))


def _highest(keys: UInt64s, days: Int64s, scores: Float64s) -> Float64s:
    """Highest score of each key-day."""
    pair = np.stack([keys.astype(np.int64, copy=False).view(np.int64), days], axis=1)
    _, code = np.unique(pair, axis=0, return_inverse=True)
    highest = np.zeros(code.max() + 1)
    np.maximum.at(highest, code.ravel(), scores)
    return highest
