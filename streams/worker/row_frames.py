"""Rows between stages as frames: events, what was said of them, and what their source says.

A source numbers the rows that it sends to one partition, without gaps, as they come out of its
input in order: a function of that input alone. So whoever receives a frame knows which of its rows
it has had before, in whatever cuts they come again. A frame without rows carries the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from models.rows import LONG_AGO, NEVER, Rows
from streams.topics import FRAME_BYTES
from streams.worker.frames import FrameError, pack, peek, unpack
from streams.worker.order_frames import orders_of, pack_orders

MARGIN_BYTES = 4096  # that Kafka puts around a record

_TIME = "time"
_MERGE_TIME = "merge_time"
_WORDS = "words"
_ROWS = "rows"
_COLUMN = "column "  # so that no stage's column is taken for one of the two above


class Word(msgspec.Struct, frozen=True, array_like=True):
    """What a source says of itself, and of the rows that come with it."""

    source: int
    passed: tuple[int, ...]  # by lane: event time before which everything has been sent, ms
    quiet: tuple[int, ...] = (LONG_AGO,)  # by lane: see models.merge
    born: int = 0  # when the source's state began, ms: greater where it began anew
    first: int = 0  # number of the first row of the frame
    read: int = 0  # offset up to which the source has read its input
    seen: int = NEVER  # of the rows: see models.merge


_encode_word = msgspec.msgpack.Encoder().encode
_decode_word = msgspec.msgpack.Decoder(Word).decode
_decode_words = msgspec.msgpack.Decoder(tuple[Word, ...]).decode


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a source says, and its rows, not looked at yet: whoever has had them before need not."""

    word: Word
    more: tuple[Word, ...]  # what other sources say, in a frame without rows
    count: int  # of rows
    frame: bytes

    def __len__(self) -> int:
        return self.count

    def rows(self) -> Rows | None:
        """Take the rows out; a `FrameError` where they do not fit together."""
        if not self.count:
            return None
        held = orders_of(unpack(self.frame))
        if len(held.batch) != self.count:
            raise FrameError(f"the frame says that it holds {self.count} rows; must be all it has")
        extra = dict(held.extra)
        try:
            time, merge_time = extra.pop(_TIME), extra.pop(_MERGE_TIME)
        except KeyError as error:
            raise FrameError(f"the frame holds no rows: {error} is missing") from None
        named = {name.removeprefix(_COLUMN): column for name, column in extra.items()}
        return Rows(held.batch, time, merge_time, named)


def pack_rows(
    rows: Rows | None, word: Word, *, most_bytes: int = FRAME_BYTES - MARGIN_BYTES
) -> list[bytes]:
    """Write rows as frames of at most `most_bytes` each, to be sent in this order.

    Only the last says that the source has come as far as `word` has it; those before it say so of
    their own last row, behind which none of the following rows may lie.
    """
    if rows is None or not len(rows):
        return [pack({}, {}, {_ROWS: 0}, _encode_word(word))]
    columns = {_TIME: rows.time, _MERGE_TIME: rows.merge_time}
    columns |= {_COLUMN + name: column for name, column in rows.extra.items()}
    frame = pack_orders(rows.orders, columns, {_ROWS: len(rows)}, _encode_word(word))
    if len(frame) <= most_bytes or len(rows) == 1:
        return [frame]
    first, second = (rows.take(half) for half in np.array_split(np.arange(len(rows)), 2))
    until = int(first.merge_time[-1])
    earlier = msgspec.structs.replace(
        word,
        passed=tuple(min(passed, until) for passed in word.passed),
        quiet=(LONG_AGO,) * len(word.quiet),
    )
    later = msgspec.structs.replace(word, first=word.first + len(first))
    return [
        *pack_rows(first, earlier, most_bytes=most_bytes),
        *pack_rows(second, later, most_bytes=most_bytes),
    ]


def pack_words(words: Sequence[Word]) -> bytes:
    """Write what one or several sources say as one frame without rows."""
    return pack({}, {}, {_ROWS: 0, _WORDS: len(words)}, _encode_word(words))


def unseal(data: bytes) -> Sealed:
    """Read what is said in a frame of rows; a `FrameError` where it is none."""
    label = peek(data)
    count = label.meta.get(_ROWS)
    if not isinstance(count, int):
        raise FrameError(f"the frame says that it holds {count} rows; must be a number")
    try:
        if label.meta.get(_WORDS):
            first, *more = _decode_words(label.word)
            return Sealed(first, tuple(more), count, data)
        return Sealed(_decode_word(label.word), (), count, data)
    except msgspec.MsgspecError as error:
        raise FrameError(f"the frame's source does not say what it has read: {error}") from None
