"""Rows between stages as frames: events, what was said of them, and how far their source is.

A frame without rows carries the clock of its source alone.
"""

from dataclasses import dataclass

import numpy as np

from models.rows import Rows
from streams.frames import FrameError, pack, unpack
from streams.order_frames import orders_of, pack_orders
from streams.topics import FRAME_BYTES

MARGIN_BYTES = 4096  # that Kafka puts around a record

_TIME = "time"
_MERGE_TIME = "merge_time"
_COLUMN = "column "  # so that no stage's column is taken for one of the two above


@dataclass(frozen=True, slots=True)
class RowFrame:
    """What a source sent: rows or None, and the time (ms) up to which it has now been read."""

    rows: Rows | None
    source: int
    passed: int  # models.rows.NEVER: read to its end, nobody needs to wait for it


def pack_rows(
    rows: Rows | None, *, source: int, passed: int, most_bytes: int = FRAME_BYTES - MARGIN_BYTES
) -> list[bytes]:
    """Write rows as frames of at most `most_bytes` each, to be sent in this order.

    Only the last says that the source has come as far as `passed`; those before it say so of their
    own last row, behind which none of the following rows may lie.
    """
    if rows is None or not len(rows):
        return [pack({}, {}, {"source": source, "passed": passed})]
    columns = {_TIME: rows.time, _MERGE_TIME: rows.merge_time}
    columns |= {_COLUMN + name: column for name, column in rows.extra.items()}
    frame = pack_orders(rows.orders, columns, {"source": source, "passed": passed})
    if len(frame) <= most_bytes or len(rows) == 1:
        return [frame]
    first, second = (rows.take(half) for half in np.array_split(np.arange(len(rows)), 2))
    until = min(passed, int(first.merge_time[-1]))
    return [
        *pack_rows(first, source=source, passed=until, most_bytes=most_bytes),
        *pack_rows(second, source=source, passed=passed, most_bytes=most_bytes),
    ]


def unpack_rows(data: bytes) -> RowFrame:
    """Read a frame of rows; a `FrameError` where it is none."""
    frame = unpack(data)
    source, passed = frame.meta.get("source"), frame.meta.get("passed")
    if not isinstance(source, int) or not isinstance(passed, int):
        raise FrameError(f"the frame's source is {source}, its passed {passed}; must be numbers")
    if not frame.tables:
        return RowFrame(None, source, passed)
    held = orders_of(frame)
    extra = dict(held.extra)
    try:
        time, merge_time = extra.pop(_TIME), extra.pop(_MERGE_TIME)
    except KeyError as error:
        raise FrameError(f"the frame holds no rows: {error} is missing") from None
    named = {name.removeprefix(_COLUMN): column for name, column in extra.items()}
    return RowFrame(Rows(held.batch, time, merge_time, named), source, passed)
