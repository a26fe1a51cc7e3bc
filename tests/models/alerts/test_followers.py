import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.alerts.followers import COMPANY, FOLLOWERS, MEMORY, SPELL, follows
from models.entities import new_table, saved
from models.market.state import DAY, HOUR
from tests.factories import TS

KEY, OTHER = np.uint64(7), np.uint64(8)
steps = st.sampled_from([0, 1, HOUR, SPELL, SPELL + 1, DAY, 9 * DAY, MEMORY, MEMORY + 1])
meetings = st.lists(st.tuples(steps, st.sampled_from([0.0, COMPANY, 20.0])), max_size=20)


@given(meetings)
def test_a_key_follows_once_it_stood_in_an_earlier_crowd_within_memory(
    tape: list[tuple[int, float]],
) -> None:
    followers, now = new_table(FOLLOWERS, 16), TS
    crowds: list[int] = []  # when each of them began
    for step, company in tape:
        now += step
        if crowds and now - crowds[-1] > MEMORY:
            crowds = []
        earlier = [began for began in crowds if now - began > SPELL or began != crowds[-1]]
        assert follows(followers, KEY, now, company) == bool(earlier)
        if company >= COMPANY and (not crowds or now - crowds[-1] > SPELL):
            crowds.append(now)


def test_who_stands_alone_is_not_remembered() -> None:
    followers = new_table(FOLLOWERS, 16)
    for day in range(5):
        assert not follows(followers, KEY, TS + day * DAY, COMPANY - 0.01)
    assert not len(saved(followers).array)


def test_each_key_follows_for_itself() -> None:
    followers = new_table(FOLLOWERS, 16)
    follows(followers, KEY, TS, 20.0)
    assert follows(followers, KEY, TS + DAY, 20.0)
    assert not follows(followers, OTHER, TS + DAY, 20.0)


def test_a_time_far_ahead_that_is_taken_back_makes_nobody_a_follower() -> None:
    followers = new_table(FOLLOWERS, 16)
    assert not follows(followers, KEY, TS + 9 * DAY, 20.0)
    assert not follows(followers, KEY, TS, 20.0)
    assert not follows(followers, KEY, TS + HOUR, 20.0)
    assert follows(followers, KEY, TS + DAY, 20.0)


def test_a_crowd_that_lasts_over_midnight_is_one() -> None:
    followers, midnight = new_table(FOLLOWERS, 16), (TS // DAY + 1) * DAY
    for second in range(-60, 60):
        assert not follows(followers, KEY, midnight + 1000 * second, 20.0)
