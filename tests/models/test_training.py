from typing import Any

import pytest

from models.simulation import to_orders
from models.training import FEWEST_FILLS, train
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


@pytest.mark.slow
def test_the_same_tape_gives_the_same_model() -> None:
    one, other = (train(lambda: [to_orders(small_tape())]) for _ in range(2))
    assert one.scale.tobytes() == other.scale.tobytes()
    assert one.medians.tobytes() == other.medians.tobytes()
    assert one.critical == other.critical
    for name, array in one.forest.arrays().items():
        assert array.tobytes() == other.forest.arrays()[name].tobytes()
