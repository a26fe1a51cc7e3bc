from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.orders.batch import Names, OrderBatch
from models.rows import NEVER, Merge, Rows
from tests.factories import Event, bare_order, batch_of, tapes

MARKETS = 6


def rows_of(events: list[Event]) -> Rows:
    batch = batch_of(events)
    mark = np.array([int(event["event_id"][2:]) for event in events], np.int64)
    return Rows(batch, batch.ts, batch.ts, {"mark": mark, "pair": np.stack([mark, -mark], 1)})


@st.composite
def keyed_tapes(draw: st.DrawFn) -> list[Event]:
    """Events of few keys in few markets, often at the same time."""
    steps = draw(st.lists(st.integers(0, 2), max_size=40))
    times = np.cumsum([1_670_562_611_123, *steps])[1:].tolist()
    return [
        bare_order(
            event_id=f"e-{n}",
            ts=ts,
            symbol=f"S{draw(st.integers(0, MARKETS - 1))}",
            api_key=draw(st.sampled_from(["k1", "k2", "k3"])),
        )
        for n, ts in enumerate(times)
    ]


def released(merge: Merge) -> list[str]:
    ready = merge.ready()
    return [] if ready is None else ready.orders.event_id


def all_at_once(tape: list[Event]) -> list[str]:
    merge = Merge(1)
    merge.add(0, rows_of(tape) if tape else None, NEVER)
    return released(merge)


@given(keyed_tapes(), st.integers(1, 8), st.data())
def test_the_order_depends_neither_on_the_number_of_sources_nor_on_how_they_are_cut(
    tape: list[Event], sources: int, data: st.DataObject
) -> None:
    source_of = data.draw(st.lists(st.integers(0, sources - 1), min_size=8, max_size=8))
    queues: list[list[Event]] = [[] for _ in range(sources)]
    for event in tape:
        queues[source_of[int(event["symbol"][1:])]].append(event)
    merge = Merge(sources)
    order: list[str] = []
    ended: set[int] = set()
    while len(ended) < sources:
        source = data.draw(st.sampled_from([n for n in range(sources) if n not in ended]))
        queue = queues[source]
        if not queue:
            merge.idle(source)
            ended.add(source)
        else:
            cut = data.draw(st.integers(1, len(queue)))
            chunk, queues[source] = queue[:cut], queue[cut:]
            # What has been passed: the last event, or any time up to the next one.
            until = queues[source][0]["ts"] if queues[source] else chunk[-1]["ts"]
            merge.add(
                source, rows_of(chunk), data.draw(st.integers(chunk[-1]["ts"], max_value=until))
            )
        if data.draw(st.booleans()):
            order += released(merge)
    order += released(merge)
    assert order == all_at_once(tape)
    assert merge.late == 0


@given(keyed_tapes())
def test_events_come_out_by_time_and_as_they_came_within_one_market_and_key(
    tape: list[Event],
) -> None:
    order = [tape[int(event_id[2:])] for event_id in all_at_once(tape)]
    assert [event["ts"] for event in order] == [event["ts"] for event in tape]
    for name in {(event["symbol"], event["api_key"]) for event in tape}:
        came = [e for e in tape if (e["symbol"], e["api_key"]) == name]
        assert [e for e in order if (e["symbol"], e["api_key"]) == name] == came


def event(number: int, ts: int, symbol: str = "S0") -> Event:
    return bare_order(event_id=f"e-{number}", ts=1_670_562_611_123 + ts, symbol=symbol)


def at(ts: int) -> int:
    return 1_670_562_611_123 + ts


def test_nothing_is_released_that_a_source_may_still_come_before() -> None:
    merge = Merge(2)
    merge.add(0, rows_of([event(0, 5), event(1, 7)]), at(7))
    assert merge.ready() is None
    merge.add(1, None, at(5))  # it may still come at 5 itself
    assert merge.ready() is None
    merge.add(1, None, at(6))
    assert released(merge) == ["e-0"]
    merge.idle(1)
    assert merge.ready() is None
    merge.idle(0)
    assert released(merge) == ["e-1"]
    assert merge.ready() is None


def test_the_watermark_is_what_all_sources_that_are_not_idle_have_passed() -> None:
    merge = Merge(3)
    assert merge.watermark == np.iinfo(np.int64).min
    for source, passed in enumerate([30, 10, 20]):
        merge.add(source, None, passed)
    assert merge.watermark == 10
    merge.idle(1)
    assert merge.watermark == 20
    merge.add(1, None, 15)  # it goes on
    assert merge.watermark == 15
    for source in range(3):
        merge.idle(source)
    assert merge.watermark == NEVER


def test_a_late_event_is_used_on_arrival_and_counted() -> None:
    merge = Merge(2)
    merge.add(0, rows_of([event(0, 5), event(1, 9)]), at(9))
    merge.idle(1)
    assert released(merge) == ["e-0"]
    merge.add(1, rows_of([event(2, 3, "S1"), event(3, 8, "S1")]), at(8))
    assert merge.late == 0
    assert released(merge) == ["e-2"]
    assert merge.late == 1
    merge.idle(1)
    merge.idle(0)
    assert released(merge) == ["e-3", "e-1"]
    assert merge.late == 1


def test_events_of_one_release_are_in_order_though_the_first_of_them_is_late() -> None:
    merge = Merge(1)
    merge.add(0, rows_of([event(0, 5)]), NEVER)
    merge.ready()
    merge.add(0, rows_of([event(1, 7), event(2, 4)]), NEVER)
    assert released(merge) == ["e-2", "e-1"]


def test_after_a_leap_that_the_clock_of_the_partition_awaits_time_decides() -> None:
    tape = [event(0, 1, "S0"), event(1, 9, "S1"), event(2, 5, "S2"), event(3, 1, "S3")]
    rows = rows_of(tape)
    waiting = Rows(rows.orders, rows.time, np.full(4, at(1)), rows.extra)
    merge = Merge(1)
    merge.add(0, waiting, NEVER)
    assert released(merge)[2:] == ["e-2", "e-1"]


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
    rows = rows_of([event(n, n) for n in range(4)]).with_columns(score=np.arange(4.0))
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


def test_what_is_held_for_a_partition_that_lags_is_not_touched_until_it_is_due() -> None:
    merge = Merge(2)
    parts = [rows_of([event(2 * n, 2 * n), event(2 * n + 1, 2 * n + 1)]) for n in range(20)]
    for n, part in enumerate(parts):
        merge.add(0, part, at(2 * n + 1))
        assert merge.ready() is None
    order: list[str] = []
    for ts in range(1, 42, 3):  # behind the last of one part, or behind the first of the next
        merge.add(1, None, at(ts))
        order += released(merge)
    merge.idle(0)
    order += released(merge)
    assert order == [f"e-{n}" for n in range(40)]
    assert merge.late == 0
