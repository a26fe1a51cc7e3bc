"""Evidence: how much a fill looks like a leaked key's, from what is surprising about it.

Each surprise counts with a weight of evidence (Good 1950): the log odds that it adds. The weights
are prior knowledge, fitted once over many simulated exchanges (benchmarks/weights.py) and rounded;
what is surprising, in contrast, is learned from the user's own tape. A fill that is in no way
unusual for its own key is held innocent, however wild its market: followers of a signal, a listing
or the news do in an unusual market what they always do.
"""

from typing import Final

import numpy as np
from numba import njit

from models.keys import state as k
from models.orders.batch import SELL, Float32s, Float64s
from models.score.surprise import PLACES, surprise_of

LIMIT: Final = 4.0  # no single surprise counts for more
WEIGHTS: Final[dict[str, float]] = {
    "surge": 1.2,
    "pay_up": 1.1,
    "participation": 0.85,
    "app_share": 0.7,
    "turnover": 0.65,
    "rate": 0.55,
    "app_change": 0.5,
    "losing_streak": 0.4,
    "pair_novelty": 0.3,
    "pair_youth": 0.3,
    "sweep_breadth": 0.3,
    "taker_excess": 0.3,
    "concentration": 0.25,
    "accumulation": 0.2,
    "push": 0.15,
    "network_novelty": 0.15,
    "slippage": 0.1,
    "round_trip_loss": 0.1,
}
BIAS: Final = -4.95  # of a fill that surprises in nothing
# What the key itself does otherwise than it used to; the rest is its market.
CONDUCT: Final = (
    "size",
    "accumulation",
    "rate",
    "turnover",
    "sweep_breadth",
    "sweep_funding",
    "losing_streak",
    "network_novelty",
    "app_change",
)
USUAL: Final = 2.0  # conduct less surprising than this is usual
USUAL_WEIGHT: Final = 0.95  # and each decade below it speaks for the key
FAMILIAR_WEIGHT: Final = 3.0  # what buying in its usual company speaks for the key
ROUND_TRIP: Final = 1.0  # a sale counts only where losing round trips surprise this much

# What makes a rogue buyer of one among others. In a hot, thin market everybody pays up and weighs
# much, followers of a signal above all; a thief's victims besides do what they never did.
PERSONAL: Final[dict[str, float]] = {
    "rate": 0.85,
    "accumulation": 0.8,
    "network_novelty": 0.55,
    "app_change": 0.4,
    "sweep_funding": 0.25,
    "sweep_breadth": 0.2,
    "concentration": 0.2,
    "taker_excess": 0.2,
    "participation": 0.2,
    "turnover": 0.15,
    "new_sellers": 0.1,
}
SHARED: Final = 0.5  # of the log odds, the surge left out: others around share much of them
RARITY: Final = 4.35  # log of honest buyers per rogue one: the weights were fitted on as many

NOTABLE: Final = 0.0  # log odds from which the alert stage hears of a fill
SUSPECT: Final = 2.0  # log odds from which a fill is not learned as part of the key's past
NO_EVIDENCE: Final = -50.0  # of what is never held against a key

_ODDS: Final = np.array([WEIGHTS.get(name, 0.0) for name in k.FEATURES])
_PERSONAL: Final = np.array([PERSONAL.get(name, 0.0) for name in k.FEATURES])
CONDUCT_COLUMNS: Final = np.array([k.FEATURES.index(name) for name in CONDUCT])


def blank_scale() -> Float64s:
    """Give the scale on which nothing surprises: for the first pass of training."""
    return np.full((len(k.FEATURES), PLACES), np.inf)


@njit(cache=True)
def weigh(
    scale: Float64s, features: Float32s, familiarity: float, side: int, surprises: Float32s
) -> float:
    """Write the surprises of a fill, shape (FEATURES,), and give its log odds of being rogue.

    `scale` says how surprising each value of each feature is, shape (FEATURES, PLACES).
    `familiarity`, 0 to 1, is that of its company (`models.keys.companions`).
    """
    odds = BIAS - FAMILIAR_WEIGHT * familiarity
    for j in range(len(features)):
        surprises[j] = min(LIMIT, surprise_of(scale[j], features[j]))
        odds += _ODDS[j] * surprises[j]
    conduct = 0.0
    for j in CONDUCT_COLUMNS:
        conduct = max(conduct, surprises[j])
    odds -= USUAL_WEIGHT * max(0.0, USUAL - conduct)
    if side == SELL and surprises[k.F_LOSING_STREAK] <= ROUND_TRIP:
        return NO_EVIDENCE
    return float(odds)


@njit(cache=True)
def chance(odds: float, surprises: Float32s) -> float:
    """Chance that a purchase is rogue, judged more by its key than by what all around share."""
    personal = SHARED * (odds - _ODDS[k.F_SURGE] * surprises[k.F_SURGE]) - RARITY
    for j in range(len(surprises)):
        personal += _PERSONAL[j] * surprises[j]
    return float(1.0 / (1.0 + np.exp(-personal)))
