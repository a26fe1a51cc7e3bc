from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from models.keys import state as keys
from models.market import state as market
from models.orders.batch import TABLE_OF
from models.rows import LONG_AGO, NEVER, Rows
from streams.kafka.partitioning import route
from streams.worker.frames import FrameError, pack, unpack
from streams.worker.row_frames import Word, pack_rows, pack_words
from tests.factories import Event, at_home, bare_order, batch_of, order, rows_at, tapes
from tests.streams.worker.sources import unpack_rows

WORD = Word(source=3, passed=(17, int(NEVER)), quiet=(4, LONG_AGO), born=9, first=5, read=8, seen=2)


def rows_of(tape: list[Event], kind: np.dtype[Any] = market.TOLD) -> Rows:
    batch = batch_of(tape)
    dealer = np.arange(len(batch) * len(market.DEALING)).reshape(len(batch), -1)
    return rows_at(batch, batch.ts, kind, time=batch.ts - 1, dealer=dealer)


def changed(rows: Rows, column: str, value: int) -> Rows:
    """Give rows with one value in a whole column of their events."""
    events = rows.orders.events.copy()
    events[column] = value
    return Rows(replace(rows.orders, events=events), rows.told)


@pytest.mark.parametrize("kind", [market.TOLD, keys.TOLD])
@given(tape=tapes(min_size=1))
def test_rows_come_out_as_they_went_in(kind: np.dtype[Any], tape: list[Event]) -> None:
    rows = rows_of(tape, kind)
    homes = ["home" if row % 2 else None for row in range(len(rows))]
    rows = Rows(at_home(rows.orders, homes), rows.told)
    [frame] = pack_rows(rows, WORD)
    found = unpack_rows(frame)
    assert found.word == WORD
    assert found.rows is not None
    assert found.rows.told.dtype == kind
    assert found.rows.told.tobytes() == rows.told.tobytes()
    assert found.rows.orders.events.tobytes() == rows.orders.events.tobytes()
    assert found.rows.orders.event_id == rows.orders.event_id
    for ours, theirs in zip(found.rows.orders.tables, rows.orders.tables, strict=True):
        assert ours.strings == theirs.strings
        np.testing.assert_array_equal(ours.hashes, theirs.hashes)


@given(tapes(min_size=1))
def test_what_is_routed_to_all_partitions_is_the_whole_batch(tape: list[Event]) -> None:
    rows = rows_of(tape)
    parts = [rows.take(chosen) for _, chosen in route(rows.orders.market % 3)]
    arrived = [unpack_rows(frame).rows for part in parts for frame in pack_rows(part, WORD)]
    ids = [part.orders.event_id for part in arrived if part]
    assert sorted(id_ for part in ids for id_ in part) == sorted(rows.orders.event_id)
    for part in arrived:
        assert part is not None
        assert (np.diff(part.orders.offset) > 0).all()


def test_a_frame_without_rows_carries_what_its_source_says() -> None:
    for rows in (None, rows_of([order()]).take(np.empty(0, np.int64))):
        [frame] = pack_rows(rows, WORD)
        assert (unpack_rows(frame).rows, unpack_rows(frame).word) == (None, WORD)


def test_several_sources_can_speak_in_one_frame() -> None:
    other = Word(source=1, passed=(2,))
    frame = unpack_rows(pack_words([WORD, other]))
    assert (frame.rows, frame.word, frame.more) == (None, WORD, (other,))


@given(tapes(min_size=1))
def test_what_is_too_large_goes_in_parts_that_never_say_too_much(tape: list[Event]) -> None:
    rows = rows_of(tape)
    word = Word(source=0, passed=(int(NEVER),), quiet=(5,), first=7)
    frames = [unpack_rows(frame) for frame in pack_rows(rows, word, most_bytes=3000)]
    ids = [id_ for frame in frames if frame.rows for id_ in frame.rows.orders.event_id]
    assert ids == rows.orders.event_id
    assert frames[-1].word.passed == (NEVER,)
    assert frames[-1].word.quiet == (5,)
    for frame, following in pairwise(frames):
        assert frame.rows is not None
        assert following.rows is not None
        assert following.word.first == frame.word.first + len(frame.rows)
        assert frame.word.passed[0] <= following.rows.merge_time.min()
        assert frame.word.quiet == (LONG_AGO,)


def test_other_frames_are_refused() -> None:
    with pytest.raises(FrameError, match=r"says that it holds None rows; must be a number"):
        unpack_rows(pack({}, {}, {}))
    with pytest.raises(FrameError, match=r"holds -1 rows; must be a number, 0 or more"):
        unpack_rows(pack({}, {}, {"rows": -1}))
    with pytest.raises(FrameError, match=r"source does not say what it has read"):
        unpack_rows(pack({}, {}, {"rows": 0}))
    word = b"\x92\x00\x91\x00"  # source 0 has passed 0
    with pytest.raises(FrameError, match=r"holds no rows, but nothing"):
        unpack_rows(pack({}, {}, {"rows": 1}, word))
    one = unpack(pack_rows(rows_of([order()]), WORD)[0])
    with pytest.raises(FrameError, match=r"holds no rows, but hashes, events, told by market"):
        unpack_rows(pack(one.columns, {}, {"rows": 1}, word))
    with pytest.raises(FrameError, match=r"says that it holds 2 rows; must be all it has"):
        unpack_rows(pack(one.columns, one.tables, {"rows": 2}, word))


@pytest.mark.parametrize("array", ["hashes", "events", "told by market"])
def test_arrays_of_another_type_or_shape_are_refused(array: str) -> None:
    frame = unpack(pack_rows(rows_of([order()]), WORD)[0])
    found = frame.columns[array]
    for wrong in (
        found.astype(np.float64),
        found[1:],
        found[:, None] if found.ndim == 1 else found.T,
    ):
        columns = frame.columns | {array: wrong}
        with pytest.raises(FrameError, match=f"{array} are {wrong.dtype} .*; must be uint64"):
            unpack_rows(pack(columns, frame.tables, frame.meta, frame.word))


def test_every_event_must_be_told_of() -> None:
    rows = rows_of([order(), order(event_id="e-2")])
    with pytest.raises(FrameError, match="of 2 events 1 are told of; must be all"):
        pack_rows(Rows(rows.orders, rows.told[:1]), WORD)


@pytest.mark.parametrize("column", TABLE_OF)
@pytest.mark.parametrize("code", [-2, 3])
def test_a_code_outside_its_table_never_reaches_a_kernel(column: str, code: int) -> None:
    three = ["1", "2", "3"]  # names in each table, so that 3 is the first code behind its end
    whole = [order(symbol=n, api_key=n, account=n, app=n, counterparty=n, network=n) for n in three]
    [frame] = pack_rows(changed(rows_of(whole), column, code), WORD)
    with pytest.raises(FrameError, match=f"column {column} holds codes {code} to {code}"):
        unpack_rows(frame)


@pytest.mark.parametrize("column", ["market", "account"])
def test_every_event_has_a_market_and_an_account(column: str) -> None:
    [frame] = pack_rows(changed(rows_of([bare_order()]), column, -1), WORD)
    with pytest.raises(FrameError, match="must be from 0"):
        unpack_rows(frame)
