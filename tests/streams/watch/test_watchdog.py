import numpy as np
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.watch.watchdog import Place, Progress, Stillness, Watchdog

ORDERS, KEYS = TP("orders", 3), TP("roguekey.keys", 0)
LIMIT = 60.0
EVERY = 5.0


def watched(places: list[Place], every: float = EVERY) -> list[str]:
    """What a watchdog says of one partition, look by look."""
    dog = Watchdog(LIMIT, EVERY)
    return [dog.look({ORDERS: at}, step * every).get(ORDERS, "") for step, at in enumerate(places)]


def test_an_offset_that_stands_still_while_the_lag_grows_is_told_once_the_limit_is_reached() -> (
    None
):
    said = watched([Place(1200, 1240 + 100 * step) for step in range(14)])
    assert said[:12] == [""] * 12
    assert said[12] == (
        "orders[3] stands still at offset 1200 for 60 s while its lag grew from 40 to 1240"
    )


def test_a_lag_that_does_not_grow_is_not_told() -> None:
    assert not any(watched([Place(10, 11)] * 50))


def test_a_quiet_partition_is_not_told() -> None:
    assert not any(watched([Place(10, 10)] * 50))


def test_an_offset_that_moves_is_not_told_however_far_it_falls_behind() -> None:
    assert not any(watched([Place(step // 11, 10_000 * step) for step in range(100)]))


def test_an_offset_that_goes_back_has_moved() -> None:
    places = [Place(900, 1000 + step) for step in range(11)]
    assert not any(watched([*places, *(Place(500, at.end + 20) for at in places)]))


def test_the_lag_is_held_against_that_of_the_moment_when_it_came_to_stand() -> None:
    falling = [Place(step, 1000) for step in range(500)]
    said = watched([*falling, *([Place(500, 1001)] * 13)])
    assert not any(said)  # it was 1000 once, but 501 all the while it stood


@given(st.lists(st.integers(0, 3), min_size=2, max_size=60))
def test_nothing_is_told_before_the_offset_stood_for_the_limit(moves: list[int]) -> None:
    offsets = np.cumsum(moves).tolist()
    said = watched([Place(offset, 1000 + step) for step, offset in enumerate(offsets)])
    stood = 0.0
    for step, told in enumerate(said):
        stood = stood + EVERY if step and offsets[step] == offsets[step - 1] else 0.0
        assert bool(told) == (stood >= LIMIT)


def test_time_in_which_nobody_looked_does_not_count() -> None:
    frozen = watched([Place(1, 2 + step) for step in range(3)], every=3600.0)
    assert not any(frozen)


def test_a_watchdog_that_could_not_look_begins_anew() -> None:
    dog = Watchdog(LIMIT, EVERY)
    for step in range(12):
        assert not dog.look({ORDERS: Place(1, 2 + step)}, step * EVERY)
    dog.forget()
    assert not dog.look({ORDERS: Place(1, 99)}, 60.0)


def test_a_partition_that_went_away_and_came_back_begins_anew() -> None:
    dog = Watchdog(LIMIT, EVERY)
    for step in range(12):
        dog.look({ORDERS: Place(1, 2 + step)}, step * EVERY)
    dog.look({KEYS: Place(0, 0)}, 58.0)
    assert not dog.look({ORDERS: Place(1, 99)}, 61.0)


def test_each_partition_is_judged_by_itself() -> None:
    dog = Watchdog(LIMIT, EVERY)
    for step in range(13):
        places = {ORDERS: Place(1, 2 + step), KEYS: Place(step, 2 + step)}
        said = dog.look(places, step * EVERY)
    assert list(said) == [ORDERS]


def test_stillness_begins_at_zero_with_every_change() -> None:
    still = Stillness(EVERY)
    assert [still.look(value, now) for value, now in [("a", 0), ("a", 4), ("b", 8), ("b", 9)]] == [
        0.0,
        4.0,
        0.0,
        1.0,
    ]


def test_progress_is_where_the_run_in_hand_begins_and_then_where_it_ended() -> None:
    progress = Progress()
    progress.ends[ORDERS] = 100
    progress.begin(ORDERS, 40)
    assert (progress.places(), progress.in_hand) == ({ORDERS: Place(40, 100)}, ORDERS)
    progress.done(ORDERS, 50)
    assert (progress.places(), progress.in_hand) == ({ORDERS: Place(50, 100)}, None)
    progress.begin(ORDERS, 52)
    assert progress.offsets == {ORDERS: 50}  # what lies between was no record
    progress.assigned()
    assert progress.places() == {}


def test_a_partition_that_rests_on_purpose_is_counted_but_not_watched() -> None:
    progress = Progress()
    for tp in (ORDERS, KEYS):
        progress.done(tp, 10)
        progress.ends[tp] = 15
    progress.resting = {ORDERS}
    assert progress.places().keys() == {ORDERS, KEYS}
    assert progress.moving() == {KEYS: Place(10, 15)}
    progress.assigned()
    assert not progress.resting
