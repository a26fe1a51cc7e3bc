"""What others do: a forest on raw features, a product rule, and a threshold on rush orders.

They are given the market and key stages' own measurements, taken before each fill is learned, which
is more than most have.
"""

from typing import Final

import numpy as np
import pandas as pd

from benchmarks.labelled_tape import LabelledTape, assessed_fills
from benchmarks.peaks import Sightings
from models.keys import state as k
from models.market import state as m
from models.orders.batch import BUY, NONE, Bools, Float64s
from models.rows import Rows
from models.score.evidence import blank_scale
from models.score.forest import Forest, fit_forest, score

FOREST: Final = "isolation forest on raw features"
PRODUCT: Final = "product rule"
RUSH: Final = "rush orders"

TREES: Final = 100
SAMPLE_SIZE: Final = 256
SEED: Final = 1

CHUNK_MS: Final = 25_000
MEMORY: Final = 900  # chunks
LEAST_DEVIATION: Final = 0.1  # rush orders per chunk
TICK: Final = 2e-4  # log return that any trade may make

# Markets and keys as they are, in logarithms where they are skewed: nothing is set against a key's
# own past.
_CONTEXT: Final = (m.ADVERSE_MOVE, m.FROM_REFERENCE_1H, m.NEW_SELLER_SHARE)
_SKEWED: Final = (m.VOLUME_10M, m.DAILY_VOLUME, m.NEWCOMERS, m.APP_NEWCOMERS)
_FEATURES: Final = (k.F_PAIR_NOVELTY, k.F_PARTICIPATION)


def raw_features(fills: Rows) -> Float64s:
    """Give rolling features of fills as an engineer would take them first, shape (n, 15)."""
    context = fills.told["context"]
    columns = [
        fills.told["values"],
        context[:, _CONTEXT],
        np.log1p(context[:, _SKEWED]),
        fills.told["features"][:, _FEATURES],
    ]
    return np.concatenate(columns, axis=1).astype(np.float64)


def fit_raw_forest(rows: list[Rows]) -> Forest:
    """Grow scikit-learn's forest on the raw features of a training tape."""
    raw = np.concatenate([raw_features(fills) for fills in assessed_fills(rows, blank_scale())])
    return fit_forest(raw, trees=TREES, sample_size=SAMPLE_SIZE, seed=SEED)


def baseline_sightings(
    forest: Forest, tape: LabelledTape, rows: list[Rows]
) -> dict[str, Sightings]:
    """Score the fills of a tape by each baseline."""
    by_forest, by_product = [], []
    for fills in assessed_fills(rows, blank_scale()):
        key, ts = tape.codes(fills), fills.orders.ts
        by_forest.append(Sightings(key, ts, score(forest, raw_features(fills))))
        by_product.append(Sightings(key, ts, _product(fills)))
    return {
        FOREST: Sightings.concat(by_forest),
        PRODUCT: Sightings.concat(by_product),
        RUSH: _rush_orders(tape),
    }


def _product(fills: Rows) -> Float64s:
    """Excess over the key's own past, times adverse impact, times novelty of the pair.

    Impact is the adverse move of a fill over what the order's size explains by the square-root law.
    """
    features = fills.told["features"].astype(np.float64)
    excess = np.maximum(0.0, np.maximum(features[:, k.F_SIZE], features[:, k.F_ACCUMULATION]))
    told = fills.told["context"].astype(np.float64)
    explained = told[:, m.SIGMA] * np.sqrt(told[:, m.ORDER_NOTIONAL] / told[:, m.DAILY_VOLUME])
    adverse = np.where(fills.orders.maker, 0.0, np.maximum(0.0, told[:, m.ADVERSE_MOVE]))
    impact = np.log1p(adverse / (TICK + explained))
    product: Float64s = excess * impact * features[:, k.F_PAIR_NOVELTY]
    return product


def _rush_orders(tape: LabelledTape) -> Sightings:
    """Deviations by which a chunk's rush orders exceed the market's past, held against its takers.

    A rush order is a market order that several resting ones had to fill: taker purchases of one
    millisecond. The growth of the moving deviation, as published, finds less here. Each key that
    took from the book within a chunk counts as alerted at its first purchase there, though the
    chunk must end before anyone can know.

    References
    ----------
    La Morgia, M., Mei, A., Sassi, F., Stefa, J. (2020). Pump and Dumps in the Bitcoin Era. ICCCN.
    """
    buys = pd.concat([_taker_buys(tape, at) for at in range(len(tape.batches))])
    buys["chunk"] = buys["ts"] // CHUNK_MS
    fills = buys.groupby(["market", "chunk", "ts"], sort=True).size()
    rushes = (fills > 1).groupby(level=["market", "chunk"]).sum().astype(np.float64)
    past = rushes.groupby(level="market")
    mean = past.transform(lambda counts: counts.shift(1).rolling(MEMORY, min_periods=2).mean())
    deviation = past.transform(lambda counts: counts.shift(1).rolling(MEMORY, min_periods=2).std())
    excess = ((rushes - mean) / (deviation + LEAST_DEVIATION)).fillna(0.0)
    keyed = buys[buys["keyed"]]
    place = pd.MultiIndex.from_frame(keyed[["market", "chunk"]])
    key = np.searchsorted(tape.hashes, keyed["key"].to_numpy()).astype(np.int64)
    scores = np.asarray(excess.reindex(place), np.float64)
    return Sightings(key, keyed["ts"].to_numpy(np.int64), scores)


def _taker_buys(tape: LabelledTape, at: int) -> pd.DataFrame:
    batch = tape.batches[at]
    chosen: Bools = batch.is_fill & (batch.side == BUY) & ~batch.maker
    key = batch.key[chosen]
    return pd.DataFrame(
        {
            "market": batch.markets.hashes[batch.market[chosen]],
            "ts": batch.ts[chosen],
            "key": batch.keys.hashes[key],  # of NONE: any, not used
            "keyed": key != NONE,
        }
    )
