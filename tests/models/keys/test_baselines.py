"""Baselines against numpy over plain lists of everything that was observed."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.entities import Record
from models.keys.baselines import close_day, close_hour, estimate, learn, surprise
from models.keys.state import ACCUMULATION, BASELINE, BASELINES, MEMORY, PRIORS, SETTLED, SIZE

values = st.floats(-12.0, 20.0, width=32)  # logarithms of money, rates and shares
hours = st.lists(values, max_size=12)
days = st.lists(hours, max_size=4)
quantities = st.sampled_from(range(len(BASELINES)))


def blank() -> Record:
    return np.zeros(1, BASELINE).view(np.recarray)[0]


def observed(*observations: float) -> Record:
    """A baseline with observations in its running hour."""
    baseline = blank()
    for value in observations:
        learn(baseline, value)
    return baseline


def lived(past: list[list[float]], today: list[list[float]]) -> Record:
    """A baseline after days of one hour each and the hours of today; nothing is in this hour."""
    baseline = blank()
    for day in past:
        for value in day:
            learn(baseline, value)
        close_hour(baseline)
        close_day(baseline)
    for hour in today:
        for value in hour:
            learn(baseline, value)
        close_hour(baseline)
    return baseline


def assert_pool_is(pool: Record, observations: list[float]) -> None:
    assert pool["n"] == len(observations)
    if observations:
        assert pool["mean"] == pytest.approx(np.mean(observations), abs=1e-4)
        assert pool["m2"] == pytest.approx(
            np.var(observations) * len(observations), rel=1e-3, abs=1e-3
        )
    else:
        assert (pool["mean"], pool["m2"]) == (0.0, 0.0)


def expected(which: int, observations: list[float]) -> tuple[float, float]:
    """What `estimate` promises, from a plain list."""
    usual, between, within = PRIORS[which]
    n = len(observations)
    mean = float(np.mean(observations)) if n else 0.0
    squares = n * float(np.var(observations)) if n else 0.0
    variance = (squares + 2 * within**2) / (n + 2) + 2 / (n + 2) * between**2
    return (n * mean + 2 * usual) / (n + 2), sqrt(variance)


@given(st.lists(values, max_size=60))
def test_an_hour_has_the_mean_and_variance_of_what_was_observed(observations: list[float]) -> None:
    assert_pool_is(observed(*observations).hour, observations)


@given(st.lists(hours, max_size=8))
def test_hours_join_today_as_if_observed_in_one(today: list[list[float]]) -> None:
    baseline = lived([], today)
    assert_pool_is(baseline.today, [value for hour in today for value in hour])
    assert_pool_is(baseline.hour, [])
    assert_pool_is(baseline.past, [])


@given(days, hours)
def test_days_join_the_past_as_if_observed_in_one(
    past: list[list[float]], today: list[float]
) -> None:
    baseline = lived(past, [today])
    assert_pool_is(baseline.past, [value for day in past for value in day])
    assert_pool_is(baseline.today, today)


def test_a_day_closes_over_its_closed_hours_only() -> None:
    baseline = observed(1.0, 2.0)
    close_day(baseline)
    assert_pool_is(baseline.past, [])
    assert_pool_is(baseline.hour, [1.0, 2.0])


@given(quantities, days, hours)
def test_the_estimate_is_the_past_shrunk_towards_what_is_usual_for_keys(
    which: int, past: list[list[float]], today: list[float]
) -> None:
    known = [value for day in past for value in day]
    if len(known) < SETTLED:
        known += today
    mean, deviation = estimate(lived(past, [today]), which)
    assert (mean, deviation) == pytest.approx(expected(which, known), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("which", range(len(BASELINES)))
def test_a_key_without_a_past_is_expected_to_be_as_keys_are(which: int) -> None:
    usual, between, within = PRIORS[which]
    assert estimate(blank(), which) == pytest.approx((usual, sqrt(within**2 + between**2)))


@given(days, hours, st.lists(values, min_size=1, max_size=30))
def test_the_running_hour_never_counts(
    past: list[list[float]], today: list[float], burst: list[float]
) -> None:
    baseline = lived(past, [today])
    before = estimate(baseline, ACCUMULATION)
    for value in burst:
        learn(baseline, value)
        assert estimate(baseline, ACCUMULATION) == before


@given(st.lists(values, min_size=int(SETTLED), max_size=20))
def test_a_ramp_within_a_day_moves_nothing_for_a_settled_key(past: list[float]) -> None:
    ramp = [[6.0 + hour, 6.5 + hour] for hour in range(24)]
    assert estimate(lived([past], ramp), SIZE) == estimate(lived([past], []), SIZE)


def test_the_same_ramp_moves_the_estimate_once_the_day_is_over() -> None:
    baseline = lived([[5.0] * 20], [[6.0 + hour] for hour in range(10)])
    before, _ = estimate(baseline, SIZE)
    close_day(baseline)
    after, _ = estimate(baseline, SIZE)
    assert after > before + 1.0


def test_a_key_that_is_not_settled_learns_within_the_day() -> None:
    past = [5.0] * (int(SETTLED) - 1)
    mean, _ = estimate(lived([past], [[9.0] * 10]), SIZE)
    assert mean == pytest.approx(expected(SIZE, past + [9.0] * 10)[0])


def test_the_past_weighs_at_most_its_memory_and_keeps_its_moments() -> None:
    busy = np.random.default_rng(3).normal(5.0, 1.5, 1_000).tolist()
    past = lived([busy], []).past
    assert past["n"] == MEMORY
    assert past["mean"] == pytest.approx(np.mean(busy), abs=1e-3)
    assert past["m2"] / past["n"] == pytest.approx(np.var(busy), rel=1e-3)


def test_a_past_at_its_memory_fades_as_new_days_come() -> None:
    full = int(MEMORY)
    past = lived([[5.0] * 10 * full, [8.0] * full], []).past
    assert past["n"] == MEMORY
    assert past["mean"] == pytest.approx(
        6.5
    )  # the old days weigh as much as MEMORY observations, no more
    assert past["m2"] / past["n"] == pytest.approx(1.5**2)


@given(quantities, days, values)
def test_a_surprise_counts_the_standard_deviations_above_the_estimate(
    which: int, past: list[list[float]], value: float
) -> None:
    baseline = lived(past, [])
    mean, deviation = estimate(baseline, which)
    assert surprise(baseline, which, value) == pytest.approx((value - mean) / deviation, abs=1e-6)
    assert surprise(baseline, which, value + 1.0) > surprise(baseline, which, value)
