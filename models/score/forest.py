"""The isolation forest: fitted by scikit-learn offline, scored by kernels of our own.

A higher score is more anomalous. Scores equal those of scikit-learn's `IsolationForest`, with the
sign turned; `models.score.traversal` says how they are computed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.orders.batch import Float64s, Int64s
from models.score.traversal import (
    FRACTION_BITS,
    HIGHEST_KEY,
    LANES,
    Trees,
    UInt32s,
    path_scores,
    to_sort_keys,
)

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest
    from sklearn.tree import Tree

COMPLETE_DEPTH: Final = 10  # trees of at most this depth are padded; beyond, padding costs memory
MAX_FEATURES: Final = 1 << 13  # LANES × feature must fit 16 bits


@dataclass(frozen=True, slots=True)
class Forest:
    """A fitted isolation forest as arrays."""

    trees: Trees
    n_features: int
    sample_size: int  # training rows drawn for each tree

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Rebuild what `arrays` gave.

        Raises
        ------
        ValueError
            If an array is missing or could lead a kernel out of its bounds.
        """
        missing = {"column", "threshold", "left", "path", "shape"} - arrays.keys()
        if missing:
            raise ValueError(f"forest: arrays {sorted(missing)} are missing")
        if arrays["shape"].shape != (2,):
            raise ValueError(f"forest: shape is {arrays['shape']}; must be features, sample size")
        n_features, sample_size = arrays["shape"].tolist()
        if sample_size < 2:
            raise ValueError(f"forest: sample size is {sample_size}; must be at least 2")
        trees = Trees(
            np.ascontiguousarray(arrays["column"], np.uint16),
            np.ascontiguousarray(arrays["threshold"], np.uint32),
            np.ascontiguousarray(arrays["left"], np.int32),
            np.ascontiguousarray(arrays["path"], np.int64),
            _exponent(len(arrays["path"]), sample_size),
        )
        _refuse_out_of_bounds(trees, n_features)
        return cls(trees, n_features, sample_size)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give all that scoring needs, by name, for an artifact."""
        named: dict[str, NDArray[Any]] = dict(self.trees._asdict())
        del named["exponent"]
        return named | {"shape": np.array([self.n_features, self.sample_size], np.int64)}


def score(forest: Forest, x: Float64s) -> Float64s:
    """Anomaly score in (0, 1] of each row, 2 ** (-mean path length / c(sample size)); shape (n,).

    Parameters
    ----------
    forest : the fitted forest.
    x : shape (n, d), in the units of the training rows; compared as float32. A NaN is above all
        values.

    Raises
    ------
    ValueError
        If x does not have the forest's number of features.

    References
    ----------
    Liu, F. T., Ting, K. M., Zhou, Z.-H. (2008). Isolation Forest. ICDM, eq. 2.
    """
    return path_scores(checked_rows(forest, x), *forest.trees)


def checked_rows(forest: Forest, x: Float64s) -> Float64s:
    """Give `x` as the kernels need it, or raise ValueError where its shape does not fit."""
    if x.ndim != 2 or x.shape[1] != forest.n_features:
        raise ValueError(f"x has shape {x.shape}; must be (n, {forest.n_features})")
    return np.ascontiguousarray(x, np.float64)


def average_path_length(size: Int64s) -> Float64s:
    """Mean path length c(n) of an unsuccessful search in a binary tree of n rows.

    Parameters
    ----------
    size : number of rows, at least 1, any shape.

    Examples
    --------
    >>> average_path_length(np.array([1, 2, 256])).round(3).tolist()
    [0.0, 1.0, 10.245]

    References
    ----------
    Liu, Ting, Zhou (2008), eq. 1, with H(i) = ln(i) + Euler's constant as there.
    """
    large = np.maximum(size, 3)
    length = 2.0 * (np.log(large - 1.0) + np.euler_gamma) - 2.0 * (large - 1.0) / large
    return np.where(size <= 2, np.maximum(size - 1.0, 0.0), length)


def fit_forest(x: Float64s, *, trees: int, sample_size: int, seed: int) -> Forest:
    """Fit an isolation forest.

    Parameters
    ----------
    x : training rows, shape (n, d), finite also as float32; n at least 2.
    trees : number of trees.
    sample_size : rows drawn for each tree (ψ), at least 2; at most n are drawn.
    seed : the same seed and rows give the same forest.

    Raises
    ------
    ValueError
        If x or sample_size is not as said above.
    """
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415 - seconds that only training pays

    if x.ndim != 2 or len(x) < 2 or not 1 <= x.shape[1] <= MAX_FEATURES:
        raise ValueError(f"x has shape {x.shape}; must be (n >= 2, 1 <= d <= {MAX_FEATURES})")
    if sample_size < 2:
        raise ValueError(f"sample_size is {sample_size}; must be at least 2")
    if not (np.abs(x) <= np.finfo(np.float32).max).all():
        raise ValueError("x holds a value that is not finite as float32")
    model = IsolationForest(
        n_estimators=trees, max_samples=min(sample_size, len(x)), random_state=seed
    )
    return flatten(model.fit(x))


def flatten(model: "IsolationForest") -> Forest:
    """Turn a fitted scikit-learn forest, whose trees see all features, into arrays."""
    if model.max_features != 1.0:
        raise ValueError(f"max_features is {model.max_features}; must be 1.0, all features")
    fitted = [estimator.tree_ for estimator in model.estimators_]
    depth = max(tree.max_depth for tree in fitted)
    complete = depth <= COMPLETE_DEPTH
    width = 1 << depth if complete else 1 + max(tree.node_count for tree in fitted)
    count = len(fitted)
    trees = Trees(
        column=np.zeros((count, width), np.uint16),
        threshold=np.full((count, width), HIGHEST_KEY, np.uint32),
        left=np.tile(np.arange(0 if complete else width, dtype=np.int32), (count, 1)),
        path=np.zeros((count, 2 * width if complete else width), np.int64),
        exponent=_exponent(count, model.max_samples_),
    )
    for index, tree in enumerate(fitted):
        _place(tree, index, trees, complete=complete)
    return Forest(trees, model.n_features_in_, model.max_samples_)


def _exponent(trees: int, sample_size: int) -> float:
    normal = float(average_path_length(np.array(sample_size)))
    return float(-np.ldexp(1.0 / (trees * normal), -FRACTION_BITS))


def _place(tree: "Tree", index: int, trees: Trees, *, complete: bool) -> None:
    """Write one fitted tree into row `index` of the arrays."""
    place = _places(tree, complete=complete)
    splits = tree.children_left >= 0
    trees.column[index, place[splits]] = LANES * tree.feature[splits]
    trees.threshold[index, place[splits]] = _keys(tree.threshold[splits])
    path = np.rint(np.ldexp(_mean_path_lengths(tree), FRACTION_BITS)).astype(np.int64)
    trees.path[index, place] = path
    if not complete:
        trees.left[index, place[splits]] = place[tree.children_left[splits]]
        return
    for leaf in np.flatnonzero(~splits):
        deeper = 2 * place[leaf]  # padding has the highest threshold: the way on is always left
        while deeper < trees.path.shape[1]:
            trees.path[index, deeper] = path[leaf]
            deeper *= 2


def _places(tree: "Tree", *, complete: bool) -> Int64s:
    """Our number of each of scikit-learn's nodes, which come parents first; shape (nodes,)."""
    place = np.ones(tree.node_count, np.int64)
    free = 2
    for node in np.flatnonzero(tree.children_left >= 0):
        first = 2 * place[node] if complete else free
        place[tree.children_left[node]], place[tree.children_right[node]] = first, first + 1
        free += 2
    return place


def _mean_path_lengths(tree: "Tree") -> Float64s:
    """Mean path length of the training rows in each node, in splits from the root; (nodes,)."""
    rows = tree.n_node_samples
    # compute_node_depths counts nodes, so the root has 1.
    lengths: Float64s = tree.compute_node_depths() - 1.0 + average_path_length(rows)
    for node in np.flatnonzero(tree.children_left >= 0)[::-1]:
        children = np.array([tree.children_left[node], tree.children_right[node]])
        lengths[node] = np.average(lengths[children], weights=rows[children])
    return lengths


def _keys(thresholds: Float64s) -> UInt32s:
    """Sort keys of thresholds: x <= t holds for the float32 below t just when it does for t."""
    below = thresholds.astype(np.float32)
    below = np.where(below > thresholds, np.nextafter(below, np.float32(-np.inf)), below)
    # Adding 0 turns -0.0 into 0.0: then neither zero is above it, though their keys differ.
    keys = (below + np.float32(0.0)).view(np.uint32)
    to_sort_keys(keys)
    return keys


def _refuse_out_of_bounds(trees: Trees, n_features: int) -> None:
    count, width = trees.column.shape if trees.column.ndim == 2 else (0, 0)
    complete = trees.left.shape == (count, 0)
    wanted = {
        "threshold": (count, width),
        "left": (count, 0 if complete else width),
        "path": (count, 2 * width if complete else width),
    }
    if not count or (complete and width & (width - 1)) or width < (1 if complete else 2):
        raise ValueError(f"forest: column has shape {trees.column.shape}; that is no forest")
    for name, shape in wanted.items():
        if getattr(trees, name).shape != shape:
            raise ValueError(f"forest: {name} has shape {getattr(trees, name).shape}, not {shape}")
    if (trees.column % LANES).any() or trees.column.max() >= LANES * n_features:
        raise ValueError(f"forest: column leads beyond the {n_features} features")
    own = np.arange(trees.left.shape[1])
    if not ((trees.left == own) | ((trees.left > own) & (trees.left < width - 1))).all():
        raise ValueError("forest: left leads beyond the tree, or back")
