from typing import Any, Final

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from numpy.typing import NDArray

from models.entities import find_or_add, new_table
from models.prefetch import AT_ONCE, LINE, STEPS, ask_for, ask_for_item, upcoming

ROW: Final = np.dtype([("hash", "u8"), ("time", "i8"), ("much", "u1", (LINE,))], align=True)
hashes = st.integers(0, 2**64 - 1)


@given(st.lists(hashes, max_size=20), st.lists(hashes, max_size=20))
def test_asking_changes_nothing_whether_the_entity_is_known_or_not(
    known: list[int], asked: list[int]
) -> None:
    table = new_table(ROW, 32)
    for name in known:
        find_or_add(table, np.uint64(name))
    before = [array.copy() for array in table]
    for step in range(STEPS):
        for name in known + asked:
            ask_for(table, np.uint64(name), step)
    assert all((array == then).all() for array, then in zip(table, before, strict=True))


def test_every_line_of_an_item_is_asked_for_wherever_it_begins() -> None:
    @njit
    def ask(items: NDArray[Any]) -> None:
        ask_for_item(items, 1)

    for items in (np.zeros(2, np.int64), new_table(ROW, 2).rows):
        ask(items)
    asked = [str(code).count("call void @llvm.prefetch") for code in ask.inspect_llvm().values()]
    assert ROW.itemsize == LINE + 16
    assert asked == [1, 3]


@given(st.integers(0, 5 * AT_ONCE))
def test_every_event_is_asked_for_once_and_no_later_than_it_is_worked_on(count: int) -> None:
    asked: list[int] = []
    for event in range(count):
        asked += _places(event, count)
        assert event in asked
    assert asked == list(range(count))


@njit(cache=True)
def _places(event: int, count: int) -> list[int]:
    return list(upcoming(event, count))
