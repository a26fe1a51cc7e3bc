from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given

from models.rows import LONG_AGO, NEVER, Rows
from streams.worker.frames import Array, FrameError, pack
from streams.worker.order_frames import pack_orders
from streams.worker.row_frames import Word, pack_rows, pack_words
from tests.factories import Event, batch_of, order, tapes
from tests.streams.worker.sources import unpack_rows

WORD = Word(source=3, passed=(17, int(NEVER)), quiet=(4, LONG_AGO), born=9, first=5, read=8, seen=2)


def rows_of(tape: list[Event]) -> Rows:
    batch = batch_of(tape)
    extra: dict[str, Array] = {
        "time": np.arange(len(batch), dtype=np.int8),
        "two": np.zeros((len(batch), 2)),
    }
    return Rows(batch, batch.ts - 1, batch.ts, extra)


@given(tapes(min_size=1))
def test_rows_come_out_as_they_went_in(tape: list[Event]) -> None:
    rows = rows_of(tape)
    [frame] = pack_rows(rows, WORD)
    found = unpack_rows(frame)
    assert found.word == WORD
    assert found.rows is not None
    assert found.rows.orders.event_id == rows.orders.event_id
    np.testing.assert_array_equal(found.rows.time, rows.time)
    np.testing.assert_array_equal(found.rows.merge_time, rows.merge_time)
    assert found.rows.extra.keys() == rows.extra.keys()
    for name, column in rows.extra.items():
        np.testing.assert_array_equal(found.rows.extra[name], column)


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
    frames = [unpack_rows(frame) for frame in pack_rows(rows, word, most_bytes=2500)]
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
    with pytest.raises(FrameError, match=r"source does not say what it has read"):
        unpack_rows(pack({}, {}, {"rows": 0}))
    word = b"\x92\x00\x91\x00"  # source 0 has passed 0
    with pytest.raises(FrameError, match=r"holds no rows: 'time' is missing"):
        unpack_rows(pack_orders(batch_of([order()]), meta={"rows": 1}, word=word))
    with pytest.raises(FrameError, match=r"says that it holds 2 rows; must be all it has"):
        unpack_rows(pack_orders(batch_of([order()]), meta={"rows": 2}, word=word))
