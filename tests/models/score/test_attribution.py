"""Attribution against a slow restatement that reads scikit-learn's own trees."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from models.orders.batch import Float64s
from models.score.attribution import SPLIT, attribute
from models.score.forest import Forest, average_path_length, fit_forest, flatten, score
from tests.models.score.test_forest import queries, rows_of


def mean_length(tree: Any, node: int, depth: int) -> float:
    """Mean path length of the training rows below a node of one of scikit-learn's trees."""
    rows = tree.n_node_samples
    left, right = int(tree.children_left[node]), int(tree.children_right[node])
    if left < 0:
        return depth + float(average_path_length(rows[node]))
    below = sum(rows[child] * mean_length(tree, child, depth + 1) for child in (left, right))
    return float(below / rows[node])


def reference(model: IsolationForest, row: Float64s) -> tuple[Float64s, float, float]:
    """Credits of one row, and the expected and the actual path length, means over the trees."""
    saved, expected, actual = np.zeros(len(row)), 0.0, 0.0
    for estimator in model.estimators_:
        tree = estimator.tree_
        node = depth = 0
        expected += mean_length(tree, 0, 0)
        while tree.children_left[node] >= 0:
            feature = tree.feature[node]
            right = np.float32(row[feature]) > tree.threshold[node]
            child = (tree.children_right if right else tree.children_left)[node]
            change = mean_length(tree, node, depth) - mean_length(tree, child, depth + 1)
            saved[feature] += change
            node, depth = child, depth + 1
        actual += mean_length(tree, node, depth)
    count = len(model.estimators_)
    return saved / count, expected / count, actual / count


def expected_path_length(forest: Forest) -> float:
    """Mean path length of the trees' own training rows, in splits."""
    return float(forest.trees.path[:, 1].sum() / (SPLIT * len(forest.trees.path)))


@settings(deadline=None, max_examples=20)
@given(
    kind=st.sampled_from(["smooth", "tied", "constant", "extreme"]),
    n=st.integers(2, 60),
    d=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_credits_equal_the_slow_restatement(kind: str, n: int, d: int, seed: int) -> None:
    train = rows_of(kind, n, d, seed)
    model = IsolationForest(n_estimators=4, max_samples=min(32, n), random_state=seed).fit(train)
    forest = flatten(model)
    x = queries(model, train, 3, seed)
    for row, saved in zip(x, attribute(forest, x), strict=True):
        by_feature, expected, actual = reference(model, row)
        np.testing.assert_allclose(saved, by_feature, rtol=0, atol=1e-9)
        assert saved.sum() == pytest.approx(expected - actual, abs=1e-9)
        assert expected_path_length(forest) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("sample_size", [256, 2048])
def test_credits_and_the_expected_path_length_give_back_the_score(sample_size: int) -> None:
    train = rows_of("smooth", 3000, 6, seed=1)
    forest = fit_forest(train, trees=20, sample_size=sample_size, seed=1)
    x = rows_of("smooth", 50, 6, seed=2)
    actual = expected_path_length(forest) - attribute(forest, x).sum(axis=1)
    normal = average_path_length(np.array(sample_size))
    np.testing.assert_allclose(2 ** (-actual / normal), score(forest, x), rtol=0, atol=1e-11)


def test_the_feature_that_stands_out_gets_the_most_credit() -> None:
    train = rows_of("smooth", 2000, 10, seed=3)
    forest = fit_forest(train, trees=50, sample_size=256, seed=3)
    for feature in range(10):
        x = np.zeros((1, 10))
        x[0, feature] = 8.0
        saved = attribute(forest, x)[0]
        assert saved.argmax() == feature
        assert saved[feature] > 0


def test_a_constant_feature_gets_no_credit() -> None:
    train = rows_of("constant", 500, 5, seed=4)
    forest = fit_forest(train, trees=20, sample_size=64, seed=4)
    assert not attribute(forest, np.full((1, 5), 99.0))[:, ::2].any()


def test_rows_of_another_shape_are_refused() -> None:
    forest = fit_forest(rows_of("smooth", 50, 3, seed=5), trees=2, sample_size=8, seed=5)
    with pytest.raises(ValueError, match=r"must be \(n, 3\)"):
        attribute(forest, np.zeros((1, 4)))
