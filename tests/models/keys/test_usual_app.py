from collections.abc import Iterable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.entities import new_table
from models.keys.kernel import enter_key
from models.keys.state import KEY
from models.keys.usual_app import MOST_ORDERS, home_app, is_stranger, learn_app
from models.market.state import DAY, MINUTE

NONE, MINE, THIEFS = 0, 11, 99


def key_of(days: Iterable[Iterable[int]]) -> Any:
    """A key that bought through these apps, one a minute, on each of some days, and comes back."""
    keys, at = new_table(KEY, 1), DAY
    for day in days:
        for app in day:
            at += MINUTE
            enter_key(keys, np.uint64(7), at)
            learn_app(keys.rows[0], np.uint64(app))
        at += 2 * DAY
    enter_key(keys, np.uint64(7), at)
    return keys.rows[0]


def bought_today(key: Any, apps: Iterable[int]) -> int:
    """The home of the key after it bought through these apps today."""
    for app in apps:
        learn_app(key, np.uint64(app))
    return int(home_app(key))


def test_a_key_that_never_bought_has_no_app() -> None:
    assert bought_today(key_of([]), []) == NONE


def test_a_key_is_a_stranger_until_it_has_bought() -> None:
    assert is_stranger(key_of([]))
    for app in (MINE, NONE):
        assert not is_stranger(key_of([[app]]))


def test_the_home_is_the_app_that_most_of_the_purchases_came_through() -> None:
    assert bought_today(key_of([[MINE, MINE, THIEFS], [MINE]]), []) == MINE


def test_a_key_on_its_first_day_is_at_home_where_it_has_bought_until_now() -> None:
    assert bought_today(key_of([]), [MINE]) == MINE


@given(st.lists(st.sampled_from([NONE, MINE, THIEFS]), max_size=200))
def test_no_purchases_of_a_day_change_the_home_before_it_is_over(today: list[int]) -> None:
    for home in (MINE, NONE):
        assert bought_today(key_of([[home] * 9]), today) == home


def test_a_user_who_moves_to_another_app_is_at_home_there_after_two_days() -> None:
    days = [[MINE] * 20, [THIEFS] * 30]
    assert bought_today(key_of(days), []) == MINE
    assert bought_today(key_of([*days, [THIEFS]]), []) == THIEFS


def test_purchases_across_the_end_of_a_day_move_no_key() -> None:
    bait = [THIEFS] * 200
    assert bought_today(key_of([[MINE] * 9, [MINE, *bait]]), bait) == MINE
    assert bought_today(key_of([[MINE] * 9, bait, [MINE] * 99]), bait) == MINE


def test_an_app_of_years_gives_way_after_as_many_purchases_as_it_can_be_ahead() -> None:
    moved = int(MOST_ORDERS) + 1
    for last, home in ((moved - 1, MINE), (moved, THIEFS)):
        days = [[MINE] * 500, [THIEFS] * last, [THIEFS] if last == moved else []]
        assert bought_today(key_of(days), []) == home
