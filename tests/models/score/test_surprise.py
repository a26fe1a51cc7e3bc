import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.score.surprise import (
    DEPTH,
    LIMIT,
    PLACES,
    STEP,
    fit_surprise,
    surprise_of,
    weighted_quantile,
)

numbers = st.floats(-1e6, 1e6).filter(lambda x: x == 0.0 or abs(x) > 1e-6)
columns = st.lists(numbers, min_size=2, max_size=200).map(np.array)


def alike(values: np.ndarray) -> np.ndarray:
    return np.ones(len(values))


def tail(values: np.ndarray, weights: np.ndarray, x: float) -> float:
    """Naive surprise: -log10 of the weighted share of values that are at least x."""
    return -float(np.log10(max(weights[values >= x].sum() / weights.sum(), 1e-300)))


def test_surprise_is_the_empirical_tail_of_many_distinct_values() -> None:
    random = np.random.default_rng(1)
    values, weights = random.normal(size=20_000), random.random(20_000)
    table = fit_surprise(values, weights)
    for x in np.quantile(values, [0.3, 0.5, 0.9, 0.99, 0.995]):
        assert surprise_of(table, x) == pytest.approx(tail(values, weights, x), abs=0.03)


def test_a_value_that_counts_ten_times_counts_as_ten_values() -> None:
    random = np.random.default_rng(2)
    values = random.normal(size=300)
    counts = random.integers(1, 11, 300)
    repeated = np.repeat(values, counts)
    one, other = (
        fit_surprise(values, counts.astype(np.float64)),
        fit_surprise(repeated, alike(repeated)),
    )
    np.testing.assert_allclose(one, other)


@given(columns, st.lists(numbers, min_size=2))
def test_surprise_never_falls_as_the_value_rises(values: np.ndarray, probes: list[float]) -> None:
    table = fit_surprise(values, alike(values))
    found = [surprise_of(table, x) for x in sorted([*probes, *values.tolist()])]
    assert (np.diff(found) >= 0).all()
    assert found[0] >= 0.0
    assert found[-1] <= LIMIT


@given(columns)
def test_what_most_show_is_no_surprise(values: np.ndarray) -> None:
    table = fit_surprise(values, alike(values))
    assert surprise_of(table, values.min()) == 0.0
    assert np.isfinite(table).all()
    assert table.shape == (PLACES,)
    assert (np.diff(table[:-1]) >= 0).all()


def test_beyond_the_data_surprise_goes_on_without_a_jump() -> None:
    values = np.random.default_rng(3).normal(size=5_000)
    table = fit_surprise(values, alike(values))
    edge = table[DEPTH]
    assert surprise_of(table, edge) == pytest.approx(STEP * DEPTH)
    assert surprise_of(table, np.nextafter(edge, np.inf)) == pytest.approx(STEP * DEPTH)
    assert surprise_of(table, edge + 0.1) > STEP * DEPTH
    assert surprise_of(table, 1e300) == LIMIT


@pytest.mark.parametrize("constant", [0.0, -3.5, 1e6])
def test_a_column_that_is_always_the_same_surprises_only_above(constant: float) -> None:
    values = np.full(50, constant)
    table = fit_surprise(values, alike(values))
    assert surprise_of(table, constant) == 0.0
    assert surprise_of(table, constant - 1.0) == 0.0
    assert surprise_of(table, constant + 1e6) > 2.5


def test_what_many_share_at_the_top_surprises_no_more_than_all_of_them_do() -> None:
    values = np.concatenate([np.arange(90.0), np.full(10, 100.0)])
    table = fit_surprise(values, alike(values))
    assert surprise_of(table, 100.0) == pytest.approx(1.0, abs=1.01 * STEP)
    assert surprise_of(table, 101.0) > 2.5


def test_one_heavy_key_does_not_make_the_scale() -> None:
    values = np.concatenate([np.zeros(100), np.full(900, 5.0)])
    weights = np.concatenate([np.ones(100), np.full(900, 1 / 900)])  # one key's 900 fills
    table = fit_surprise(values, weights)
    assert surprise_of(table, 4.9) > 1.9


def test_the_weighted_quantile_is_that_of_the_repeated_values() -> None:
    values = np.array([3.0, 1.0, 2.0])
    assert weighted_quantile(values, np.array([1.0, 1.0, 8.0]), 0.5) == 2.0
    assert weighted_quantile(values, np.array([9.0, 1.0, 1.0]), 0.5) == 3.0
    assert weighted_quantile(values, np.ones(3), 1.0) == 3.0
