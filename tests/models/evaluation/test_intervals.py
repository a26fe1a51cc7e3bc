import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from models.evaluation.intervals import Estimate, pooled_share, rate_of


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_a_pooled_share_lies_within_its_interval_and_the_interval_within_the_possible(
    pairs: list[tuple[int, int]],
) -> None:
    parts, wholes = [min(pair) for pair in pairs], [max(pair) for pair in pairs]
    share = pooled_share(parts, wholes)
    assert 0.0 <= share.low <= share.high <= 1.0
    assert share.value == pytest.approx(sum(parts) / sum(wholes) if sum(wholes) else 0.0)


def test_the_interval_is_over_incidents_not_over_keys() -> None:
    few, many = pooled_share([50, 0], [50, 50]), pooled_share([1, 0] * 50, [1] * 100)
    assert few.value == many.value == 0.5
    assert (few.low, few.high) == (0.0, 1.0)
    assert many.high - many.low < 0.25


@pytest.mark.parametrize("count", [0, 1, 2, 5, 30, 1000])
def test_a_rate_has_the_exact_interval_of_its_count_to_some_per_cent(count: int) -> None:
    rate = rate_of(count, 2.0)
    low = chi2.ppf(0.05, 2 * count) / 2 if count else 0.0
    assert rate.value == count / 2.0
    assert rate.low == pytest.approx(low / 2.0, rel=0.3, abs=0.005)
    assert rate.high == pytest.approx(chi2.ppf(0.95, 2 * count + 2) / 2 / 2.0, rel=0.03)


def test_without_exposure_there_is_no_rate() -> None:
    assert rate_of(0, 0.0) == Estimate(0.0, 0.0, 0.0)
