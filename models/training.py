"""Training: what is usual on a tape of orders, and a forest over what is notable there.

Two passes over the tape. The first learns what each feature looks like when nothing is held back;
the second weighs the evidence on that scale, as the live detector will. The tape may hold leaked
keys, unlabelled: tails are read where a few per cent of them weigh little, and what stands out
plainly is kept out of the forest.
"""

from collections.abc import Callable, Iterable, Iterator
from math import sqrt
from typing import Final

import numpy as np

from models.alerts.crowd import Crowd
from models.keys.stage import KeyStage
from models.market.stage import MarketStage
from models.market.state import DAY
from models.merge import Merge
from models.orders.batch import NONE, Float64s, Int64s, OrderBatch, UInt64s
from models.rows import Rows
from models.score.evidence import NOTABLE, blank_scale
from models.score.forest import fit_forest
from models.score.model import Model
from models.score.parts import PARTS, parts_of
from models.score.surprise import fit_surprise, weighted_quantile

TREES: Final = 100
SAMPLE_SIZE: Final = 256
ROWS_PER_KEY: Final = 20  # that the forest is grown on, at most
PLAIN: Final = 6.0  # summed evidence from which a fill stands out too plainly to be learned
FEWEST_KEYS: Final = 10
FEWEST_FILLS: Final = 1000
SEED: Final = 20180307  # the day of the first incident; any would do

# Strength that one benign key-day in a thousand reaches. What simulated exchanges say beforehand,
# with a margin for exchanges with more thefts, whose bystanders look rogue, too; moved as far as
# what the most unusual four per cent of this tape's key-days reach, beyond which there may be
# leaked keys. Where there are none, the tape itself says how far its most unusual honest key-days
# go, and leaked ones could only raise that: it counts where it is less.
USUAL_CRITICAL: Final = 9.1
MOST_USUAL: Final = 0.96
USUAL_QUANTILE: Final = 4.8
FURTHEST: Final = 1.0
ONE_IN: Final = 1000  # key-days
THEFTS: Final = 0.75  # by which the bystanders of thefts go further than a tape without thefts says

PASSES: Final = 2  # over the tape

Tape = Callable[[], Iterable[OrderBatch]]


def train(tape: Tape) -> Model:
    """Train on a tape, which is read twice.

    Raises
    ------
    ValueError
        If the tape holds too few fills of API keys to say what is usual.
    """
    fills = list(_fills(tape, blank_scale()))
    keys = np.concatenate([_keys(rows) for rows in fills]) if fills else np.empty(0, np.uint64)
    count = len(np.unique(keys))
    if count < FEWEST_KEYS or len(keys) < FEWEST_FILLS:
        raise ValueError(
            f"the tape holds {len(keys)} fills of {count} API keys; "
            f"training needs at least {FEWEST_FILLS} fills of {FEWEST_KEYS} keys"
        )
    weights = _alike(keys)
    features = np.concatenate([rows.told["features"] for rows in fills]).astype(np.float64)
    scale = np.array([fit_surprise(column, weights) for column in features.T])
    medians = np.array([weighted_quantile(column, weights, 0.5) for column in features.T])
    evidence = _Evidence(tape, scale)
    forest = fit_forest(evidence.sample(), trees=TREES, sample_size=SAMPLE_SIZE, seed=SEED)
    blank = Model(scale, forest, medians, USUAL_CRITICAL)
    return Model(scale, forest, medians, critical_of(evidence.highest_a_day(blank)))


class _Evidence:
    """Notable fills of a tape with their parts, and its key-days."""

    def __init__(self, tape: Tape, scale: Float64s) -> None:
        crowd = Crowd()
        keys, days, parts, all_days = [], [], [], []
        for rows in _fills(tape, scale):
            all_days.append(_key_days(_keys(rows), rows.time // DAY))
            notable = rows.take(np.flatnonzero(rows.told["odds"] > NOTABLE))
            keys.append(_keys(notable))
            days.append(notable.time // DAY)
            around = crowd.meet(notable)
            parts.append(parts_of(notable, around.weight, around.share))
        self.keys: UInt64s = np.concatenate(keys)
        self.days: Int64s = np.concatenate(days)
        self.parts: Float64s = np.concatenate(parts)
        self.key_days = len(np.unique(np.concatenate(all_days)))

    def sample(self) -> Float64s:
        """Parts of the fills that the forest is grown on: of every key some, none too plain."""
        plain = self.parts.sum(axis=1) >= PLAIN
        rows = np.flatnonzero(~plain)
        if len(rows) < 2:  # a tape on which nothing is notable
            return np.zeros((2, len(PARTS)))
        return self.parts[rows[_spread(self.keys[rows], ROWS_PER_KEY)]]

    def highest_a_day(self, model: Model) -> Float64s:
        """Highest strength of each key-day; zero where nothing was notable."""
        highest = np.zeros(self.key_days)
        _, code = np.unique(_key_days(self.keys, self.days), return_inverse=True)
        np.maximum.at(highest, code, model.strength(self.parts))
        return highest


def critical_of(highest: Float64s) -> float:
    """Strength that one benign key-day in a thousand reaches.

    `highest` is the highest of each key-day of a tape, shape (n,), some leaked ones among them or
    none.
    """
    moved = float(np.quantile(highest, MOST_USUAL)) - USUAL_QUANTILE
    beforehand = USUAL_CRITICAL + float(np.clip(moved, -FURTHEST, FURTHEST))
    expected = len(highest) / ONE_IN
    if expected < 1.0:
        return beforehand
    place = int(expected - sqrt(expected))  # one standard deviation on the safe side
    reached = float(np.sort(highest)[-1 - place])
    return min(beforehand, max(reached + THEFTS, USUAL_CRITICAL - FURTHEST))


def _fills(tape: Tape, scale: Float64s) -> Iterator[Rows]:
    """Give the fills of the tape as the key stage sees them."""
    market, keys, merge = MarketStage(), KeyStage(scale), Merge(1)
    for batch in tape():
        merge.add(0, market.observe(batch), market.clock)
        yield from _due(merge, keys)
    merge.idle(0)
    yield from _due(merge, keys)


def _due(merge: Merge, keys: KeyStage) -> Iterator[Rows]:
    ready = merge.ready()
    if ready is not None:
        rows = keys.assess(ready)
        yield rows.take(np.flatnonzero(rows.orders.is_fill & (rows.orders.key != NONE)))


def _keys(rows: Rows) -> UInt64s:
    hashes: UInt64s = rows.orders.keys.hashes[rows.orders.key]
    return hashes


def _key_days(keys: UInt64s, days: Int64s) -> UInt64s:
    """Name each key-day by one number; a collision of two in 2^64 would do no harm."""
    named: UInt64s = keys ^ (days.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return named


def _alike(keys: UInt64s) -> Float64s:
    """Weights with which every key counts alike, however much it trades."""
    _, code, count = np.unique(keys, return_inverse=True, return_counts=True)
    return 1.0 / count[code]


def _spread(keys: UInt64s, most: int) -> Int64s:
    """Rows of every key, at most `most`, evenly spread over its past."""
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(keys[order][1:] != keys[order][:-1]) + 1
    chosen = [
        part[np.linspace(0, len(part) - 1, min(most, len(part))).astype(np.int64)]
        for part in np.split(order, starts)
    ]
    return np.sort(np.concatenate(chosen))
