import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.market.duplicates import Duplicates

# Few values, and some with the same low bits, so that ids repeat and their slots collide.
ids = st.integers(1, 12) | st.builds(lambda n: (n << 32) | 7, st.integers(0, 8))
id_lists = st.lists(ids, max_size=80)


def first_times(duplicates: Duplicates, names: list[int]) -> list[bool]:
    found: list[bool] = duplicates.first_time(np.array(names, np.uint64)).tolist()
    return found


@given(id_lists)
def test_an_id_is_new_once(names: list[int]) -> None:
    expected = [name not in names[:n] for n, name in enumerate(names)]
    assert first_times(Duplicates(remembered=100), names) == expected


@given(id_lists, st.integers(1, 8), st.data())
def test_nothing_depends_on_how_ids_are_cut(
    names: list[int], remembered: int, data: st.DataObject
) -> None:
    whole, cut = Duplicates(remembered), Duplicates(remembered)
    found, start = [], 0
    while start < len(names):
        end = start + data.draw(st.integers(1, 20))
        found += first_times(cut, names[start:end])
        start = end
    assert found == first_times(whole, names)


@given(id_lists, st.integers(1, 8))
def test_the_last_ids_are_known_as_many_as_were_asked_for(
    names: list[int], remembered: int
) -> None:
    found = first_times(Duplicates(remembered), names)
    for n, name in enumerate(names):
        if name not in names[:n]:
            assert found[n]
            continue
        latest = n - 1 - names[:n][::-1].index(name)
        if len(set(names[latest:n])) <= remembered:
            assert not found[n]


@given(id_lists, st.integers(1, 8))
def test_no_more_than_twice_as_many_are_remembered(names: list[int], remembered: int) -> None:
    duplicates = Duplicates(remembered)
    first_times(duplicates, names)
    known = np.count_nonzero(duplicates._young) + np.count_nonzero(duplicates._old)
    assert known <= 2 * remembered
    assert np.count_nonzero(duplicates._young) == duplicates._count < remembered


def test_an_id_that_was_forgotten_is_new_again() -> None:
    duplicates = Duplicates(remembered=4)
    assert first_times(duplicates, [1, *range(10, 18), 1]) == [True] * 10


@pytest.mark.parametrize("names", [[0], [2**64 - 1], [2**63]])
def test_any_64_bits_are_an_id(names: list[int]) -> None:
    assert first_times(Duplicates(4), names * 2) == [True, False]


def test_zero_and_one_are_the_only_ids_that_are_taken_for_each_other() -> None:
    assert first_times(Duplicates(8), [0, 1, 2]) == [True, False, True]


def test_no_ids_are_no_news() -> None:
    assert first_times(Duplicates(), []) == []
