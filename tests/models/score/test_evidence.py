import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.keys.state import F_LOSING_STREAK, F_SURGE, FEATURES
from models.orders.batch import BUY, SELL
from models.score.evidence import (
    BIAS,
    CONDUCT,
    FAMILIAR_WEIGHT,
    LIMIT,
    NO_EVIDENCE,
    ROUND_TRIP,
    USUAL,
    USUAL_WEIGHT,
    WEIGHTS,
    blank_scale,
    chance,
    weigh,
)
from models.score.surprise import DEPTH, STEP

N = len(FEATURES)
# A surprise of 0.1 for each 0.1: on this scale features are their own surprises.
OWN = np.tile(np.append(STEP * np.arange(DEPTH + 1), 1.0), (N, 1))
surprises = st.lists(st.floats(0.0, 5.0, width=32), min_size=N, max_size=N).map(
    lambda values: np.array(values, np.float32)
)


def odds_of(
    features: np.ndarray, side: int = BUY, scale: np.ndarray = OWN, familiarity: float = 0.0
) -> float:
    return float(weigh(scale, features, familiarity, side, np.zeros(N, np.float32)))


@given(surprises, st.floats(0.0, 1.0, width=32))
def test_log_odds_are_the_sum_of_what_each_surprise_adds(
    features: np.ndarray, familiarity: float
) -> None:
    written = np.zeros(N, np.float32)
    odds = weigh(OWN, features, familiarity, BUY, written)
    capped = dict(zip(FEATURES, np.minimum(features, LIMIT).tolist(), strict=True))
    np.testing.assert_allclose(written, list(capped.values()), rtol=1e-5, atol=1e-6)
    added = sum(WEIGHTS.get(name, 0.0) * value for name, value in capped.items())
    unusual = max(capped[name] for name in CONDUCT)
    expected = BIAS + added - USUAL_WEIGHT * max(0.0, USUAL - unusual)
    expected -= FAMILIAR_WEIGHT * familiarity
    assert odds == pytest.approx(expected, abs=1e-4)


@given(surprises, st.integers(0, N - 1), st.floats(0, 5, width=32), st.sampled_from([BUY, SELL]))
def test_more_surprise_never_speaks_for_a_key(
    features: np.ndarray, which: int, more: float, side: int
) -> None:
    raised = features.copy()
    raised[which] += np.float32(more)
    assert odds_of(raised, side) >= odds_of(features, side) - 1e-5


@given(surprises)
def test_a_sale_counts_only_where_losing_round_trips_surprise(features: np.ndarray) -> None:
    features[F_LOSING_STREAK] = ROUND_TRIP
    assert odds_of(features, SELL) == NO_EVIDENCE
    assert odds_of(features, BUY) > NO_EVIDENCE
    features[F_LOSING_STREAK] = ROUND_TRIP + 0.05
    assert odds_of(features, SELL) == odds_of(features, BUY)


def test_every_weight_is_of_a_feature_and_speaks_against_the_key() -> None:
    assert WEIGHTS.keys() <= set(FEATURES)
    assert set(CONDUCT) <= set(FEATURES)
    assert min(WEIGHTS.values()) > 0.0


@given(surprises)
def test_nothing_surprises_on_the_blank_scale(features: np.ndarray) -> None:
    assert odds_of(features, BUY, blank_scale()) == pytest.approx(BIAS - USUAL * USUAL_WEIGHT)


def test_no_surprise_counts_for_more_than_the_limit() -> None:
    assert odds_of(np.full(N, 1e30, np.float32)) == odds_of(np.full(N, LIMIT, np.float32))


@given(st.floats(-60, 60), surprises)
def test_the_chance_that_a_fill_is_rogue_leaves_out_the_surge(
    odds: float, features: np.ndarray
) -> None:
    with_surge = features.copy()
    with_surge[F_SURGE] += np.float32(1.0)
    found = chance(odds, features)
    assert 0.0 <= found <= 1.0
    assert chance(odds + WEIGHTS["surge"], with_surge) == pytest.approx(found, abs=1e-5)
    assert chance(odds + 1.0, features) >= found
