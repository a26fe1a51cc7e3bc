"""One-sided surprise: -log10 of the chance to see a value at least so high on benign flow.

A quiet key is not suspicious, so only the upper tail counts. The tail is empirical as far as the
data carry it, and beyond that falls off as fast as it did before (an exponential tail in features
that are logarithms or standard deviations already).
"""

from typing import Final

import numpy as np
from numba import njit

from models.orders.batch import Float64s

STEP: Final = 0.1  # surprise from one place of the table to the next
DEPTH: Final = 25  # the tail is empirical up to surprise 2.5, one in 316
FROM: Final = 12  # and beyond goes on as it did from surprise 1.2
LIMIT: Final = 8.0  # no surprise counts for more
PLACES: Final = DEPTH + 2  # the values at each step, then the slope beyond


def fit_surprise(values: Float64s, weights: Float64s) -> Float64s:
    """Table of one feature's upper tail, shape (PLACES,).

    Parameters
    ----------
    values : shape (n,), n at least 1, the feature on benign flow; finite, as NaN would sort last
        and pass for the highest.
    weights : shape (n,), so that a key with many orders does not count for many keys.
    """
    order = np.argsort(values)
    below = np.cumsum(weights[order]) / weights.sum()
    tails = 10.0 ** (-STEP * np.arange(DEPTH + 1))
    places = np.searchsorted(below, 1.0 - tails, side="left").clip(0, len(values) - 1)
    table = np.empty(PLACES)
    table[:-1] = values[order][places]
    spread = (table[DEPTH] - table[FROM]) / (STEP * (DEPTH - FROM))
    table[-1] = 1.0 / max(spread, 1e-3 * (1.0 + abs(table[DEPTH])))
    return table


def weighted_quantile(values: Float64s, weights: Float64s, q: float) -> float:
    """Smallest of the values, shape (n,), that at least the share `q` of the weight lies below."""
    order = np.argsort(values)
    below = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(below, q)), len(values) - 1)])


@njit(cache=True)
def surprise_of(table: Float64s, value: float) -> float:
    """-log10 P(X >= value) from the feature's table, 0..LIMIT.

    Of places that hold the same value the first counts: what many fills share surprises no more
    than all of them do together.
    """
    if value <= table[0]:
        return 0.0
    if value > table[DEPTH]:
        beyond = STEP * DEPTH + (value - table[DEPTH]) * table[DEPTH + 1]
        return float(min(LIMIT, beyond))
    low, high = 0, DEPTH  # table[low] < value <= table[high]
    while high - low > 1:
        middle = (low + high) // 2
        if table[middle] < value:
            low = middle
        else:
            high = middle
    part = (value - table[low]) / (table[high] - table[low])
    return STEP * (low + float(part))
