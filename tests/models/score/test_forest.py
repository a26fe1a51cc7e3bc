"""The forest against scikit-learn's own, on random and on awkward data."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from models.orders.batch import Float64s
from models.score.forest import Forest, average_path_length, fit_forest, flatten, score

LARGEST = float(np.finfo(np.float32).max)


def rows_of(kind: str, n: int, d: int, seed: int) -> Float64s:
    """Training rows of one kind: smooth, tied, with constant columns, or of extreme size."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d))
    if kind == "tied":
        rows = rng.integers(-2, 3, (n, d)).astype(np.float64)
    elif kind == "constant":
        rows[:, ::2] = 7.0
    elif kind == "extreme":
        rows = np.where(rng.random((n, d)) < 0.5, rng.choice([-1.0, 1.0, 1e-45], (n, d)), rows)
        rows *= 10.0 ** rng.integers(-44, 38, (n, d))
    return rows


def queries(model: IsolationForest, train: Float64s, n: int, seed: int) -> Float64s:
    """Rows to score: training rows, new rows, and rows that lie on, or a hair off, thresholds."""
    rng = np.random.default_rng(seed)
    rows = train[rng.integers(0, len(train), n)] + rng.normal(size=(n, train.shape[1]))
    same = rng.random(n) < 0.3
    rows[same] = train[rng.integers(0, len(train), int(same.sum()))]
    for row in np.flatnonzero(rng.random(n) < 0.5):
        tree = model.estimators_[rng.integers(len(model.estimators_))].tree_
        split = rng.integers(tree.node_count)
        if tree.feature[split] >= 0:
            cut = float(tree.threshold[split])
            near = np.float32(cut)
            choices = [near, np.nextafter(near, np.float32(9)), np.nextafter(near, np.float32(-9))]
            rows[row, tree.feature[split]] = rng.choice([cut, *map(float, choices)])
    return np.asarray(np.clip(rows, -LARGEST, LARGEST))


@cache
def typical() -> tuple[IsolationForest, Forest]:
    train = rows_of("smooth", 3000, 20, seed=1)
    model = IsolationForest(n_estimators=100, max_samples=256, random_state=1).fit(train)
    return model, flatten(model)


@settings(deadline=None, max_examples=30)
@given(
    kind=st.sampled_from(["smooth", "tied", "constant", "extreme"]),
    n=st.integers(2, 300),
    d=st.integers(1, 12),
    trees=st.integers(1, 8),
    sample_size=st.integers(2, 300),
    seed=st.integers(0, 2**32 - 1),
)
def test_scores_equal_scikit_learns(
    kind: str, n: int, d: int, trees: int, sample_size: int, seed: int
) -> None:
    train = rows_of(kind, n, d, seed)
    size = min(sample_size, n)
    model = IsolationForest(n_estimators=trees, max_samples=size, random_state=seed).fit(train)
    x = queries(model, train, 33, seed)
    ours = score(fit_forest(train, trees=trees, sample_size=sample_size, seed=seed), x)
    np.testing.assert_allclose(ours, -model.score_samples(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("n", [1, 7, 64, 4096])
def test_any_number_of_rows_scores_as_scikit_learn_does(n: int) -> None:
    model, forest = typical()
    x = queries(model, rows_of("smooth", 500, 20, seed=2), n, seed=n)
    np.testing.assert_allclose(score(forest, x), -model.score_samples(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("sample_size", [1024, 2048])
def test_trees_too_deep_to_pad_are_walked(sample_size: int) -> None:
    train = rows_of("smooth", 3000, 5, seed=3)
    model = IsolationForest(n_estimators=10, max_samples=sample_size, random_state=3).fit(train)
    forest = flatten(model)
    assert (forest.trees.left.size > 0) == (sample_size > 1024)
    x = queries(model, train, 200, seed=3)
    np.testing.assert_allclose(score(forest, x), -model.score_samples(x), rtol=0, atol=1e-9)


def test_a_row_scores_the_same_bits_alone_and_in_any_batch() -> None:
    model, forest = typical()
    x = queries(model, rows_of("smooth", 500, 20, seed=4), 300, seed=4)
    whole = score(forest, x)
    for cut in (1, 7, 64, 129):
        parts = [score(forest, x[start : start + cut]) for start in range(0, len(x), cut)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("cut", [0.0, -0.0])
def test_the_sign_of_zero_does_not_matter(cut: float) -> None:
    train = rows_of("smooth", 100, 1, seed=10)
    model = IsolationForest(n_estimators=5, max_samples=64, random_state=10).fit(train)
    for estimator in model.estimators_:
        estimator.tree_.threshold[0] = cut
    x = np.array([[0.0], [-0.0], [1e-45], [-1e-45]])
    expected = -model.score_samples(x)
    assert expected[0] == expected[1] != expected[2]
    np.testing.assert_allclose(score(flatten(model), x), expected, rtol=0, atol=1e-9)


def test_rows_that_lie_on_a_threshold_go_the_way_scikit_learn_sends_them() -> None:
    for sample_size in (64, 2048):
        train = rows_of("smooth", 3000, 2, seed=11)
        model = IsolationForest(n_estimators=3, max_samples=sample_size, random_state=11).fit(train)
        for estimator in model.estimators_:  # thresholds that are float32 values can be met
            estimator.tree_.threshold[:] = estimator.tree_.threshold.astype(np.float32)
        x = np.concatenate([np.repeat(e.tree_.threshold[:, None], 2, 1) for e in model.estimators_])
        ours = score(flatten(model), x)
        np.testing.assert_allclose(ours, -model.score_samples(x), rtol=0, atol=1e-9)


def test_a_value_that_is_missing_counts_as_above_all_others() -> None:
    _, forest = typical()
    x = np.zeros((3, 20))
    x[:, 4] = [np.inf, np.nan, -np.nan]
    assert len(set(score(forest, x).tolist())) == 1


def test_rows_that_lie_apart_score_higher() -> None:
    _, forest = typical()
    near, far = score(forest, np.vstack([np.zeros(20), np.full(20, 6.0)]))
    assert near < 0.5 < far


def test_no_rows_have_no_scores() -> None:
    assert score(typical()[1], np.empty((0, 20))).shape == (0,)


def test_rows_of_any_memory_layout_and_type_are_scored() -> None:
    _, forest = typical()
    x = rows_of("smooth", 40, 20, seed=6).astype(np.float32)
    expected = score(forest, x.astype(np.float64))
    np.testing.assert_array_equal(score(forest, np.asfortranarray(x).astype(np.float64)), expected)
    np.testing.assert_array_equal(score(forest, x.astype(np.float64)[::2]), expected[::2])


def test_the_same_seed_gives_the_same_forest() -> None:
    train = rows_of("smooth", 200, 3, seed=7)
    one, same, other = (fit_forest(train, trees=5, sample_size=64, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.trees.threshold, same.trees.threshold)
    assert not np.array_equal(one.trees.threshold, other.trees.threshold)


def test_average_path_length_equals_its_definition_for_small_samples() -> None:
    harmonic = np.log(np.array([3.0, 99.0])) + np.euler_gamma
    expected = 2 * harmonic - 2 * np.array([3 / 4, 99 / 100])
    np.testing.assert_allclose(average_path_length(np.array([4, 100])), expected, rtol=1e-15)


@pytest.mark.parametrize("shape", [(4,), (2, 19), (2, 21), (1, 2, 20)])
def test_rows_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be \(n, 20\)"):
        score(typical()[1], np.zeros(shape))


@pytest.mark.parametrize(
    ("x", "sample_size", "rule"),
    [
        (np.zeros((1, 3)), 2, "n >= 2"),
        (np.zeros((5, 0)), 2, "1 <= d"),
        (np.zeros((5, 3)), 1, "at least 2"),
        (np.full((5, 3), np.nan), 2, "not finite"),
        (np.full((5, 3), 1e39), 2, "not finite"),
    ],
)
def test_training_rows_that_cannot_be_fitted_are_refused(
    x: Float64s, sample_size: int, rule: str
) -> None:
    with pytest.raises(ValueError, match=rule):
        fit_forest(x, trees=2, sample_size=sample_size, seed=0)


@pytest.mark.parametrize("sample_size", [64, 2048])
def test_a_forest_comes_back_from_its_arrays(sample_size: int) -> None:
    train = rows_of("smooth", 3000, 4, seed=8)
    forest = fit_forest(train, trees=5, sample_size=sample_size, seed=8)
    again = Forest.from_arrays(forest.arrays())
    assert (again.n_features, again.sample_size) == (4, sample_size)
    np.testing.assert_array_equal(score(again, train), score(forest, train))


def spoiled(forest: Forest, name: str, value: Any) -> dict[str, NDArray[Any]]:
    array = forest.arrays()[name].copy()
    array[0, -1] = value
    return forest.arrays() | {name: array}


def test_arrays_that_would_lead_a_kernel_out_of_bounds_are_refused() -> None:
    train = rows_of("smooth", 3000, 4, seed=9)
    padded = fit_forest(train, trees=3, sample_size=64, seed=9)
    walked = fit_forest(train, trees=3, sample_size=2048, seed=9)
    arrays = padded.arrays()
    for wrong, rule in [
        ({key: value for key, value in arrays.items() if key != "path"}, "missing"),
        (arrays | {"path": arrays["path"][:, 1:]}, "path has shape"),
        (arrays | {"threshold": arrays["threshold"][:2]}, "threshold has shape"),
        (arrays | {"column": arrays["column"][:, :63]}, "no forest"),
        (arrays | {"column": arrays["column"][0]}, "no forest"),
        (arrays | {"shape": np.array([4])}, "features, sample size"),
        (arrays | {"shape": np.array([3, 64])}, "beyond the 3 features"),
        (arrays | {"shape": np.array([4, 1])}, "sample size is 1"),
        (spoiled(padded, "column", 4 * 8), "beyond the 4 features"),
        (spoiled(padded, "column", 3), "beyond the 4 features"),
        (spoiled(walked, "left", 1 << 20), "left leads beyond"),
        (spoiled(walked, "left", 1), "left leads beyond"),
    ]:
        with pytest.raises(ValueError, match=rule):
            Forest.from_arrays(wrong)


def test_a_forest_whose_trees_see_some_features_only_is_refused() -> None:
    model = IsolationForest(n_estimators=3, max_features=0.5, random_state=0)
    with pytest.raises(ValueError, match="max_features"):
        flatten(model.fit(rows_of("smooth", 50, 4, seed=0)))


def test_a_forest_cannot_be_changed() -> None:
    _, forest = typical()
    assert replace(forest).trees is forest.trees
    with pytest.raises(AttributeError):
        forest.n_features = 3  # type: ignore[misc]  # what is tested
