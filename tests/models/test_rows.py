from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.orders.batch import ORDER, Names, OrderBatch
from models.rows import Rows
from tests.factories import Event, batch_of, numbered, rows_of, tapes


@given(tapes(min_size=1), st.data())
def test_rows_taken_apart_and_put_together_are_the_same_rows(
    tape: list[Event], data: st.DataObject
) -> None:
    rows = rows_of(tape)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(rows)), max_size=4)) | {len(rows)})
    parts = [rows.take(np.arange(start, end)) for start, end in zip([0, *cuts], cuts, strict=False)]
    again = Rows.concat(parts)
    assert_same(again.orders, rows.orders)
    assert again.told.tobytes() == rows.told.tobytes()


@given(tapes(min_size=1), st.data())
def test_taking_rows_gives_them_in_that_order_and_keeps_only_their_names(
    tape: list[Event], data: st.DataObject
) -> None:
    batch = batch_of(tape)
    chosen = data.draw(st.lists(st.integers(0, len(tape) - 1), max_size=10))
    taken = batch.take(np.array(chosen, np.int64))
    assert_same(taken, batch_of([tape[n] | {"event_id": f"c-{n}"} for n in chosen]), but="event_id")
    for table, columns in TABLES.items():
        used = {code for column in columns for code in getattr(taken, column).tolist()} - {-1}
        assert used == set(range(len(getattr(taken, table))))


@given(st.lists(tapes(max_size=6), min_size=1, max_size=4), st.data())
def test_a_batch_put_together_of_several_can_be_put_together_and_reduced_again(
    tapes_: list[list[Event]], data: st.DataObject
) -> None:
    numbered = [
        [event | {"event_id": f"{part}-{n}"} for n, event in enumerate(tape)]
        for part, tape in enumerate(tapes_)
    ]
    whole = OrderBatch.concat([batch_of(tape) for tape in numbered])
    twice = OrderBatch.concat([whole, whole])  # each name now stands at least twice
    flat = [event for tape in numbered for event in tape]
    assert_same(whole, batch_of(flat), but="offset")
    back = twice.take(np.arange(len(whole), len(twice)))
    assert_same(back, whole)
    assert len(back.accounts) <= len(whole.accounts)


def test_what_a_stage_tells_stays_with_its_rows() -> None:
    rows = rows_of([numbered(n, n) for n in range(4)])
    assert rows.take(np.array([3, 1])).told["company"].tolist() == [3, 1]
    assert rows.select(np.array([3, 1])).told["company"].tolist() == [3, 1]


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_no_rows_can_be_taken_of_any_batch(dtype: Any) -> None:
    none = batch_of([]).take(np.empty(0, dtype))
    assert len(none) == 0
    assert len(OrderBatch.concat([none, none])) == 0


TABLES = {
    "markets": ["market"],
    "keys": ["key"],
    "apps": ["app", "home"],
    "networks": ["network"],
    "accounts": ["account", "counterparty"],
}


def assert_same(one: OrderBatch, other: OrderBatch, but: str = "") -> None:
    """Batches say the same of their events, whatever the order of names in their tables."""
    skipped = {but, *(["event_hash", "offset"] if but == "event_id" else []), *TABLES}
    coded = {column: table for table, columns in TABLES.items() for column in columns}
    for column in ORDER.names or ():
        if column in coded:
            table = coded[column]
            assert meant(one, column, table) == meant(other, column, table)
        elif column not in skipped:
            mine, theirs = one.events[column], other.events[column]
            np.testing.assert_array_equal(mine, theirs, err_msg=column)
    assert "event_id" in skipped or one.event_id == other.event_id


def meant(batch: OrderBatch, column: str, table: str) -> list[tuple[str, int] | None]:
    names: Names = getattr(batch, table)
    codes = batch.events[column]
    assert codes.dtype == np.int32
    return [
        (names.strings[code], int(names.hashes[code])) if code >= 0 else None
        for code in codes.tolist()
    ]
