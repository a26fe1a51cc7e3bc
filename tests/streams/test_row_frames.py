from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given

from models.rows import NEVER, Rows
from streams.frames import Array, FrameError, pack
from streams.order_frames import pack_orders
from streams.row_frames import pack_rows, unpack_rows
from tests.factories import Event, batch_of, order, tapes


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
    [frame] = pack_rows(rows, source=3, passed=17)
    found = unpack_rows(frame)
    assert (found.source, found.passed) == (3, 17)
    assert found.rows is not None
    assert found.rows.orders.event_id == rows.orders.event_id
    np.testing.assert_array_equal(found.rows.time, rows.time)
    np.testing.assert_array_equal(found.rows.merge_time, rows.merge_time)
    assert found.rows.extra.keys() == rows.extra.keys()
    for name, column in rows.extra.items():
        np.testing.assert_array_equal(found.rows.extra[name], column)


def test_a_frame_without_rows_carries_the_clock() -> None:
    for rows in (None, rows_of([order()]).take(np.empty(0, np.int64))):
        [frame] = pack_rows(rows, source=1, passed=NEVER)
        found = unpack_rows(frame)
        assert (found.rows, found.source, found.passed) == (None, 1, NEVER)


@given(tapes(min_size=1))
def test_what_is_too_large_goes_in_parts_that_never_say_too_much(tape: list[Event]) -> None:
    rows = rows_of(tape)
    frames = [unpack_rows(f) for f in pack_rows(rows, source=0, passed=int(NEVER), most_bytes=2500)]
    ids = [id_ for frame in frames if frame.rows for id_ in frame.rows.orders.event_id]
    assert ids == rows.orders.event_id
    assert frames[-1].passed == NEVER
    for frame, following in pairwise(frames):
        assert following.rows is not None
        assert frame.passed <= following.rows.merge_time.min()


def test_other_frames_are_refused() -> None:
    with pytest.raises(FrameError, match=r"source is None, its passed None; must be numbers"):
        unpack_rows(pack({}, {}, {}))
    with pytest.raises(FrameError, match=r"holds no rows: 'time' is missing"):
        unpack_rows(pack_orders(batch_of([order()]), {}, {"source": 0, "passed": 0}))
