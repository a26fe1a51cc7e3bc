from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.orders.batch import Names, OrderBatch
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
    np.testing.assert_array_equal(again.time, rows.time)
    np.testing.assert_array_equal(again.merge_time, rows.merge_time)
    for name, column in rows.extra.items():
        np.testing.assert_array_equal(again.extra[name], column)


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


def test_columns_that_a_stage_adds_stay_with_their_rows() -> None:
    rows = rows_of([numbered(n, n) for n in range(4)]).with_columns(score=np.arange(4.0))
    assert rows.take(np.array([3, 1])).extra["score"].tolist() == [3.0, 1.0]
    assert rows.take(np.array([3, 1])).extra["mark"].tolist() == [3, 1]


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_no_rows_can_be_taken_of_any_batch(dtype: Any) -> None:
    none = batch_of([]).take(np.empty(0, dtype))
    assert len(none) == 0
    assert len(OrderBatch.concat([none, none])) == 0


TABLES = {
    "markets": ["market"],
    "keys": ["key"],
    "apps": ["app"],
    "networks": ["network"],
    "accounts": ["account", "counterparty"],
}


def assert_same(one: OrderBatch, other: OrderBatch, but: str = "") -> None:
    """Batches say the same of their events, whatever the order of names in their tables."""
    skipped = {but, *(["event_hash", "offset"] if but == "event_id" else []), *TABLES}
    coded = {column: table for table, columns in TABLES.items() for column in columns}
    for field in fields(OrderBatch):
        if field.name in coded:
            table = coded[field.name]
            assert meant(one, field.name, table) == meant(other, field.name, table)
        elif field.name not in skipped:
            mine, theirs = getattr(one, field.name), getattr(other, field.name)
            np.testing.assert_array_equal(mine, theirs, err_msg=field.name)
            assert field.name == "event_id" or mine.dtype == theirs.dtype


def meant(batch: OrderBatch, column: str, table: str) -> list[tuple[str, int] | None]:
    names: Names = getattr(batch, table)
    codes = getattr(batch, column)
    assert codes.dtype == np.int32
    return [
        (names.strings[code], int(names.hashes[code])) if code >= 0 else None
        for code in codes.tolist()
    ]
