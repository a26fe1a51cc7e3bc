"""Where a row's path ends in each tree of an isolation forest: the kernels.

Values and thresholds are compared as unsigned integers that sort as their float32 values do, and
rows lie in tiles of eight, so one step down is three loads, a compare and an or, without a
branch. Path lengths are fixed-point integers: their sums do not depend on order, so a row gets the
same bits alone and in any batch.
"""

from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.orders.batch import Float64s, Int32s, Int64s

UInt16s: TypeAlias = NDArray[np.uint16]
UInt32s: TypeAlias = NDArray[np.uint32]

LANES: Final = 8  # rows in a tile
FRACTION_BITS: Final = 40  # of a fixed-point path length; 2**23 splits over all trees fit above it
HIGHEST_KEY: Final = 0xFFFFFFFF  # nothing is above it: the threshold of a node that is no split
BLOCK: Final = 128  # rows scored at a time, so that their tiles and one tree stay in the L1 cache
SIGN: Final = np.uint32(0x80000000)
ALL_BITS: Final = np.uint32(HIGHEST_KEY)
ONE: Final = np.uint64(1)


class Trees(NamedTuple):
    """T trees as arrays; node 1 is the root, and the children of a node are neighbours.

    Complete trees (`left` has no columns): node k's children are 2k and 2k + 1, the W leaves are
    the nodes from W on, and `column` and `threshold` have W places. Other trees: node k's children
    are left[k] and left[k] + 1, a leaf is its own left child, and all arrays have one width.
    """

    column: UInt16s  # LANES × the split's feature: where that feature starts in a tile
    threshold: UInt32s  # sort key; a row goes right where its own key is above
    left: Int32s  # left child; shape (T, 0) for complete trees
    path: Int64s  # mean path length of the training rows in the node, 2**-FRACTION_BITS splits
    exponent: float  # score = 2 ** (exponent × sum of path over the trees)


@njit(cache=True)
def to_sort_keys(values: UInt32s) -> None:
    """Turn the bits of float32 values into integers of the same order, in place; shape (n,)."""
    for place in range(values.shape[0]):
        bits = values[place]
        values[place] = bits ^ (SIGN if bits < SIGN else ALL_BITS)


@njit(cache=True)
def tiled_keys(x: Float64s) -> UInt32s:
    """Sort keys of rows (n, d), as tiles: that of row r, feature f is [r // 8, 8 f + r % 8].

    Values are rounded to float32, as scikit-learn does. A NaN is above every threshold.
    """
    rows, features = x.shape
    tiles = np.zeros((rows + LANES - 1) // LANES * LANES * features, np.float32)
    for row in range(rows):
        start = row // LANES * LANES * features + row % LANES
        for feature in range(features):
            value = np.float32(x[row, feature])
            if np.isnan(value):
                value = np.float32(np.nan)  # one of positive sign
            tiles[start + LANES * feature] = value
    keys = tiles.view(np.uint32)
    to_sort_keys(keys)
    return keys.reshape((-1, LANES * features))


@njit(cache=True, inline="always")
def _down(
    node: np.uint64, lane: np.uint64, column: UInt16s, threshold: UInt32s, keys: UInt32s
) -> np.uint64:
    right = threshold[node] < keys[np.uint64(column[node]) + lane]
    return (node << ONE) | np.uint64(right)


@njit(cache=True)
def _depth(width: int) -> int:
    depth = 0
    while (1 << depth) < width:
        depth += 1
    return depth


@njit(cache=True)
def _sum_complete(keys: UInt32s, trees: Trees, sums: Int64s) -> None:
    depth = _depth(trees.threshold.shape[1])
    full = sums.shape[0] // LANES
    for tree in range(trees.threshold.shape[0]):
        column, threshold, path = trees.column[tree], trees.threshold[tree], trees.path[tree]
        for tile in range(full):
            row = keys[tile]
            a = b = c = d = e = f = g = h = ONE
            for _ in range(depth):
                a = _down(a, np.uint64(0), column, threshold, row)
                b = _down(b, np.uint64(1), column, threshold, row)
                c = _down(c, np.uint64(2), column, threshold, row)
                d = _down(d, np.uint64(3), column, threshold, row)
                e = _down(e, np.uint64(4), column, threshold, row)
                f = _down(f, np.uint64(5), column, threshold, row)
                g = _down(g, np.uint64(6), column, threshold, row)
                h = _down(h, np.uint64(7), column, threshold, row)
            of_tile = sums[tile * LANES : tile * LANES + LANES]
            of_tile[0] += path[a]
            of_tile[1] += path[b]
            of_tile[2] += path[c]
            of_tile[3] += path[d]
            of_tile[4] += path[e]
            of_tile[5] += path[f]
            of_tile[6] += path[g]
            of_tile[7] += path[h]
        for left_over in range(full * LANES, sums.shape[0]):
            node, lane = ONE, np.uint64(left_over % LANES)
            for _ in range(depth):
                node = _down(node, lane, column, threshold, keys[full])
            sums[left_over] += path[node]


@njit(cache=True)
def _sum_walked(keys: UInt32s, trees: Trees, sums: Int64s) -> None:
    for tree in range(trees.threshold.shape[0]):
        column, threshold, left = trees.column[tree], trees.threshold[tree], trees.left[tree]
        for row in range(sums.shape[0]):
            tile, lane = keys[row // LANES], row % LANES
            node = 1
            while left[node] != node:
                node = left[node] + (threshold[node] < tile[column[node] + lane])
            sums[row] += trees.path[tree, node]


@njit(cache=True)
def path_sums(x: Float64s, trees: Trees) -> Int64s:
    """Path length of each row summed over the trees, 2**-FRACTION_BITS splits; shape (n,)."""
    sums = np.zeros(x.shape[0], np.int64)
    keys = tiled_keys(x)
    if trees.left.shape[1] == 0:
        _sum_complete(keys, trees, sums)
    else:
        _sum_walked(keys, trees, sums)
    return sums


@njit(cache=True)
def path_scores(
    x: Float64s, column: UInt16s, threshold: UInt32s, left: Int32s, path: Int64s, exponent: float
) -> Float64s:
    """Anomaly score of each row, shape (n,); no bounds are checked.

    Takes the fields of `Trees` one by one: Numba unpacks arrays faster than a tuple of them, which
    is a fifth of the time of a single row.
    """
    trees = Trees(column, threshold, left, path, exponent)
    scores = np.empty(x.shape[0])
    for start in range(0, x.shape[0], BLOCK):
        sums = path_sums(x[start : start + BLOCK], trees)
        for row in range(sums.shape[0]):
            scores[start + row] = np.exp2(exponent * sums[row])
    return scores
