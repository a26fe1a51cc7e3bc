"""Which features moved a row's score: path length saved by each, against the training rows' mean.

Not a causal statement, and not a Shapley value: it follows the one path that the row took.
"""

from typing import Final

import numpy as np
from numba import njit

from models.orders.batch import Float64s, Int64s
from models.score.forest import Forest, checked_rows
from models.score.traversal import FRACTION_BITS, LANES, Trees, tiled_keys

SPLIT: Final = float(1 << FRACTION_BITS)  # one split in fixed point


def attribute(forest: Forest, x: Float64s) -> Float64s:
    """Path length that each feature saved each row, mean over the trees, in splits; shape (n, d).

    At node v let E(v) be the mean path length of the training rows in v, as scored (depth of the
    leaf plus c(rows in the leaf)). Where a row goes from v to child w, the split's feature is
    credited with E(v) - E(w). Positive: isolated sooner than the training rows, so more
    anomalous. A row's credits sum exactly to expected minus actual mean path length, and
    score = 2 ** ((sum - expected) / c(sample size)).

    Parameters
    ----------
    forest : the fitted forest.
    x : shape (n, d), as for `models.score.forest.score`.

    Raises
    ------
    ValueError
        If x does not have the forest's number of features.

    References
    ----------
    Saabas, A. (2014). Interpreting random forests; applied to the path length of Liu, Ting, Zhou
    (2008), Isolation Forest, in place of the trees' prediction.
    """
    rows = checked_rows(forest, x)
    saved = np.zeros(rows.shape, np.int64)
    for features, of_row in zip(rows, saved, strict=True):
        credit_row(features, forest.trees, of_row)
    return np.asarray(saved / (SPLIT * len(forest.trees.path)))


@njit(cache=True)
def credit_row(features: Float64s, trees: Trees, saved: Int64s) -> None:
    """Add to `saved`, shape (d,), what each feature saved one row, shape (d,), over all trees.

    In units of 2**-FRACTION_BITS splits, so that sums are exact. No bounds are checked.
    """
    keys = tiled_keys(features.reshape((1, features.shape[0])))[0]
    complete = trees.left.shape[1] == 0
    for tree in range(trees.path.shape[0]):
        node = 1
        while True:
            left = 2 * node if complete else trees.left[tree, node]
            if left == node or left >= trees.path.shape[1]:
                break
            column = trees.column[tree, node]
            child = left + (trees.threshold[tree, node] < keys[column])
            saved[column // LANES] += trees.path[tree, node] - trees.path[tree, child]
            node = child
