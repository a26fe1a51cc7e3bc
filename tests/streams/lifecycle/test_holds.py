import pytest

from streams.lifecycle.holds import Watch, acknowledge, silences
from streams.lifecycle.store import HOUR_MS
from tests.streams.lifecycle.worlds import START, World

HOUR = START // HOUR_MS


@pytest.mark.parametrize(
    ("hours", "found"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], []),
        ([0, 1, 6, 9], [(2, 6)]),  # four whole hours
        ([0, 1, 5, 8], []),  # three
        ([0, 1], [(2, 9)]),
        ([], [(0, 9)]),
        ([9], [(0, 9)]),
    ],
)
def test_a_silence_is_so_many_whole_hours_without_orders(
    hours: list[int], found: list[tuple[int, int]]
) -> None:
    assert silences(hours, 0, 9, 4) == found


def test_nothing_is_silent_before_the_first_order_or_where_silence_is_allowed(
    world: World,
) -> None:
    assert Watch(1, 30).holds(world.store, 0, START) == []
    assert Watch(0, 30).holds(world.store, START, START + 99 * HOUR_MS) == []
    assert Watch(1, 30).holds(world.store, START, START + 99 * HOUR_MS) != []


def test_to_acknowledge_restarts_the_days_or_vouches_for_the_silence(world: World) -> None:
    watch, later = Watch(6, 30), START + 99 * HOUR_MS
    world.store.keep("first_order", START)
    (said,) = acknowledge(world.store, watch, later, "ann", "weekend", keep=True)
    assert said.startswith("no orders from 2026-01-05 10:00 UTC to ")
    assert watch.holds(world.store, START, later) == []
    assert world.store.time("restarted") == 0
    world.store.sql.execute("DELETE FROM hours")
    acknowledge(world.store, watch, later, "ann", "weekend", keep=False)
    assert world.store.time("restarted") == later
    assert acknowledge(world.store, watch, later, "ann", "again", keep=False) == []
