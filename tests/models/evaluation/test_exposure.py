import pytest

from models.evaluation.exposure import Exposure, Watched
from tests.factories import TS, bare_order, batch_of

DAY = 86_400_000
TAPE = [
    bare_order(event_id="a", ts=TS, api_key="k1"),
    bare_order(event_id="b", ts=TS + 1, api_key="k1"),
    bare_order(event_id="c", ts=TS + 2, api_key=None),
    bare_order(event_id="d", ts=TS + 3 * DAY, api_key="k1"),
    bare_order(event_id="e", ts=TS + 4 * DAY, api_key="k2"),
]


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_a_key_counts_for_every_day_of_the_tape_and_actively_for_those_on_which_it_traded(
    cut: int,
) -> None:
    watched = Watched()
    for start in range(0, len(TAPE), cut):
        watched.add(batch_of(TAPE[start : start + cut], now_ms=TS + 10 * DAY))
    assert watched.exposure() == Exposure(orders=5, key_days=8.0, active_key_days=3)
    assert (watched.first_ts, watched.last_ts) == (TS, TS + 4 * DAY)


def test_where_nothing_was_read_nothing_was_watched() -> None:
    watched = Watched()
    watched.add(batch_of([]))
    assert watched.exposure() == Exposure(0, 0.0, 0)
    assert watched.first_ts is watched.last_ts is None
