import threading
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.tapes.ahead import AHEAD, read_ahead
from tests.patience import wait_until


def is_as_long_as(made: list[int], length: int) -> bool:
    return len(made) == length


def counted(stop: int, made: list[int]) -> Iterator[int]:
    for number in range(stop):
        made.append(number)
        yield number


@given(st.lists(st.none() | st.integers()), st.integers(1, 5))
def test_all_things_come_in_their_order(things: list[int | None], most: int) -> None:
    assert list(read_ahead(things, most)) == things


def test_things_are_made_by_another_thread_before_they_are_wanted_but_not_too_many() -> None:
    made: list[int] = []
    makers: set[str] = set()

    def making() -> Iterator[int]:
        for number in counted(100, made):
            makers.add(threading.current_thread().name)
            yield number

    things = read_ahead(making())
    for number in range(10):
        assert next(things) == number
        wait_until(partial(is_as_long_as, made, number + 1 + AHEAD))
    things.close()
    assert threading.current_thread().name not in makers
    assert len(makers) == 1


def test_an_error_comes_behind_what_was_made_before_it() -> None:
    def breaking_off() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the tape breaks off")

    things = read_ahead(breaking_off())
    assert [next(things), next(things)] == [1, 2]
    with pytest.raises(ValueError, match="the tape breaks off"):
        next(things)


def test_a_thread_that_waits_for_ever_keeps_nobody() -> None:
    never = threading.Event()
    makers: list[threading.Thread] = []

    def stalling() -> Iterator[int]:
        makers.append(threading.current_thread())
        yield 1
        never.wait()

    things = read_ahead(stalling())
    assert next(things) == 1
    things.close()
    assert makers[0].is_alive()
    assert makers[0].daemon
    never.set()
    makers[0].join()


def test_a_thread_of_which_nothing_more_is_wanted_is_gone() -> None:
    made: list[int] = []
    makers: list[threading.Thread] = []

    def making() -> Iterator[int]:
        makers.append(threading.current_thread())
        yield from counted(10**9, made)

    things = read_ahead(making())
    assert next(things) == 0
    assert makers[0].is_alive()
    things.close()
    assert not makers[0].is_alive()
    assert len(made) <= 2 + AHEAD
