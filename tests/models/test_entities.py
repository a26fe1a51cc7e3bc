from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.entities import (
    COUNT,
    EVICTED,
    FREE,
    HAND,
    SWEEP,
    Table,
    _unindex,
    find,
    find_or_add,
    joint_hash,
    new_table,
    restored,
    with_room,
)

ROW: Final = np.dtype([("hash", "u8"), ("time", "i8"), ("seen", "i8")], align=True)
# Few homes, so that probe sequences collide and wrap round: low bits all zero, or all one.
crowded = st.builds(
    lambda home, high: (high << 32) | (home & 0xFFFFFFFF),
    st.sampled_from([0, 1, 2, -1, -2]),
    st.integers(0, 40),
)
touches = st.lists(st.tuples(crowded, st.integers(0, 50)), max_size=120)


class NaiveTable:
    """The table as a list that is searched from its start."""

    def __init__(self, max_rows: int) -> None:
        self.max_rows = max_rows
        self.rows: list[dict[str, int]] = []
        self.hand = 0
        self.evicted = 0

    def touch(self, name: int, time: int) -> None:
        row = next((row for row in self.rows if row["hash"] == name), None)
        if row is None:
            row = {"hash": name, "seen": 0}
            if len(self.rows) < self.max_rows:
                self.rows.append(row)
            else:
                self.rows[self.longest_idle()] = row
                self.evicted += 1
        row["time"] = time
        row["seen"] += 1

    def longest_idle(self) -> int:
        size = self.max_rows
        swept = [(self.hand + step) % size for step in range(min(SWEEP, size))]
        self.hand = (self.hand + SWEEP) % size
        return min(swept, key=lambda row: self.rows[row]["time"])


def touch(table: Table, name: int, time: int) -> None:
    row = find_or_add(table, np.uint64(name))
    table.rows[row]["time"] = time
    table.rows[row]["seen"] += 1


def kept(table: Table) -> list[dict[str, Any]]:
    rows = table.rows[: table.meta[COUNT]]
    return [{name: row[name].item() for name in ("hash", "seen", "time")} for row in rows]


def assert_indexed(table: Table) -> None:
    """Every row is found under its hash, and nothing else is."""
    for row in range(int(table.meta[COUNT])):
        assert find(table, table.rows[row]["hash"]) == row
    assert (table.slot_row != FREE).sum() == table.meta[COUNT]


@given(touches, st.integers(1, 40), st.data())
def test_a_table_does_what_a_list_does_however_it_grows_and_is_restored(
    tape: list[tuple[int, int]], max_rows: int, data: st.DataObject
) -> None:
    naive = NaiveTable(max_rows)
    table = new_table(ROW, data.draw(st.integers(1, max_rows)))
    start = 0
    while start < len(tape):
        end = start + data.draw(st.integers(1, 40))
        if data.draw(st.booleans()):
            table = restored(table.rows[: table.meta[COUNT]].copy(), table.meta, max_rows)
        table = with_room(table, min(end, len(tape)) - start, max_rows)
        for name, time in tape[start:end]:
            touch(table, name, time)
            naive.touch(name, time)
        start = end
    assert kept(table) == [{n: row[n] for n in ("hash", "seen", "time")} for row in naive.rows]
    assert (table.meta[EVICTED], table.meta[HAND]) == (naive.evicted, naive.hand)
    assert_indexed(table)
    names = {name for name, _ in tape}
    gone = names - {row["hash"] for row in naive.rows}
    assert all(find(table, np.uint64(name)) == FREE for name in gone)


@given(st.lists(crowded, min_size=1, max_size=60, unique=True), st.data())
def test_taking_names_out_of_the_index_never_loses_another(
    names: list[int], data: st.DataObject
) -> None:
    table = new_table(ROW, len(names))
    rows = {name: find_or_add(table, np.uint64(name)) for name in names}
    for name in data.draw(st.permutations(names)):
        _unindex(table, np.uint64(name))
        del rows[name]
        assert find(table, np.uint64(name)) == FREE
        assert {n: find(table, np.uint64(n)) for n in rows} == rows


def test_the_longest_idle_of_the_next_sixteen_makes_room() -> None:
    size = 3 * SWEEP
    table = new_table(ROW, size)
    for row in range(size):
        touch(table, row, 1_000 + row)
    table.rows["time"][[7, SWEEP + 3]] = 5, 1  # the second is idle for longer, but not yet due
    touch(table, 900, 2_000)
    assert find(table, np.uint64(7)) == FREE
    assert find(table, np.uint64(SWEEP + 3)) != FREE
    touch(table, 901, 2_000)
    assert find(table, np.uint64(SWEEP + 3)) == FREE
    assert table.meta[EVICTED] == 2


def test_who_takes_an_evicted_row_finds_it_empty() -> None:
    table = new_table(ROW, 1)
    touch(table, 1, 50)
    row = find_or_add(table, np.uint64(2))
    assert table.rows[row].tolist() == (2, 0, 0)


@pytest.mark.parametrize("name", [0, 2**64 - 1])
def test_any_64_bit_hash_is_a_name(name: int) -> None:
    table = new_table(ROW, 4)
    assert find(table, np.uint64(name)) == FREE
    row = find_or_add(table, np.uint64(name))
    assert find(table, np.uint64(name)) == row


def test_looking_for_a_name_adds_nothing() -> None:
    table = new_table(ROW, 4)
    find(table, np.uint64(3))
    assert table.meta[COUNT] == 0


@given(st.integers(1, 300), st.integers(0, 300), st.integers(1, 300))
def test_a_table_has_the_room_that_was_asked_for_and_never_more_rows_than_allowed(
    rows: int, extra: int, max_rows: int
) -> None:
    table = with_room(new_table(ROW, min(rows, max_rows)), extra, max_rows)
    assert min(extra, max_rows) <= len(table.rows) <= max_rows
    assert len(table.slot_row) >= 2 * len(table.rows)  # at most half full, so probes stay short


def test_records_that_do_not_fit_are_refused_with_both_numbers() -> None:
    table = new_table(ROW, 5)
    for name in range(5):
        touch(table, name, name)
    with pytest.raises(ValueError, match="5 records do not fit into a table of at most 4"):
        restored(table.rows, table.meta, 4)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=2, unique=True))
def test_a_pair_and_its_reverse_have_different_hashes(pair: list[int]) -> None:
    left, right = (np.uint64(name) for name in pair)
    assert joint_hash(left, right) != joint_hash(right, left)


def test_hashes_of_pairs_do_not_meet_and_fill_the_slots_evenly() -> None:
    names = [np.uint64(name) for name in range(200)]
    hashes = np.array([joint_hash(a, b) for a in names for b in names], np.uint64)
    assert len(np.unique(hashes)) == len(hashes)
    used = np.bincount((hashes & np.uint64(255)).astype(np.int64), minlength=256)
    assert used.min() > 90  # 156 are expected, with a standard deviation of 12
    assert used.max() < 230
