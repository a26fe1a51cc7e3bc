from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.orders.batch import Float64s
from models.simulation import to_orders
from models.training import (
    FEWEST_FILLS,
    FURTHEST,
    ONE_IN,
    THEFTS,
    USUAL_CRITICAL,
    critical_of,
    train,
)
from tests.factories import TS, bare_order, batch_of
from tests.models.simulation.worlds import small_tape


@pytest.mark.parametrize(
    ("count", "changes"),
    [
        (0, {}),
        (FEWEST_FILLS + 1, {"api_key": None}),
        (FEWEST_FILLS + 1, {"api_key": "only"}),
        (FEWEST_FILLS - 1, {}),
        (FEWEST_FILLS + 1, {"status": "new"}),
    ],
)
def test_a_tape_that_says_too_little_is_refused(count: int, changes: dict[str, Any]) -> None:
    tape = [
        bare_order(event_id=f"e-{n}", ts=TS + n * 1_000, api_key=f"k{n % 20}") | changes
        for n in range(count)
    ]
    with pytest.raises(ValueError, match="training needs at least 1000 fills of 10 keys"):
        train(lambda: [batch_of(tape)])


def key_days(count: int) -> Float64s:
    """Highest strengths with an exponential tail: 4.9 at 96 %, 8.2 at one in a thousand."""
    return 2.0 - 0.9 * np.log1p(-(np.arange(count) + 0.5) / count)


def test_an_honest_tape_says_itself_what_one_key_day_in_a_thousand_reaches() -> None:
    honest = key_days(20_000)
    reached = np.quantile(honest, 1.0 - 1.0 / ONE_IN)
    assert reached + THEFTS <= critical_of(honest) <= reached + THEFTS + 0.5


@given(st.integers(1, 300), st.floats(10.0, 30.0), st.integers(ONE_IN, 20_000))
def test_leaked_keys_on_the_tape_never_lower_the_threshold_nor_raise_it_without_bound(
    leaked: int, strength: float, count: int
) -> None:
    honest = key_days(count)
    tape = np.concatenate([honest, np.full(leaked, strength)])
    assert critical_of(honest) <= critical_of(tape) <= USUAL_CRITICAL + FURTHEST


def test_a_tame_tape_lowers_the_threshold_so_far_and_a_short_one_not_at_all() -> None:
    assert critical_of(np.zeros(20_000)) == USUAL_CRITICAL - FURTHEST
    assert critical_of(np.full(ONE_IN - 1, 4.8)) == pytest.approx(USUAL_CRITICAL)


@pytest.mark.slow
def test_the_same_tape_gives_the_same_model() -> None:
    one, other = (train(lambda: [to_orders(small_tape())]) for _ in range(2))
    assert one.scale.tobytes() == other.scale.tobytes()
    assert one.medians.tobytes() == other.medians.tobytes()
    assert one.critical == other.critical
    for name, array in one.forest.arrays().items():
        assert array.tobytes() == other.forest.arrays()[name].tobytes()
