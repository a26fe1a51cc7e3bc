"""Rows between stages as frames: events, what was told of them, and what their source says.

A source numbers the rows that it sends to one partition, without gaps, as they come out of its
input in order: a function of that input alone. So whoever receives a frame knows which of its rows
it has had before, in whatever cuts they come again. A frame without rows carries the rest.

Records travel in words of eight bytes, each word of all of them together: that compresses like
columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.keys import state as keys
from models.market import state as market
from models.orders.batch import NONE, ORDER, TABLE_OF, TABLES, Events, Names, OrderBatch
from models.rows import LONG_AGO, NEVER, Rows
from streams.topics import FRAME_BYTES
from streams.worker.frames import Array, Frame, FrameError, pack, peek, unpack

MARGIN_BYTES = 4096  # that Kafka puts around a record

_WORDS: Final = "words"
_ROWS: Final = "rows"
_IDS: Final = "event_id"
_HASHES: Final = "hashes"  # of the names in all tables, one after the other
_EVENTS: Final = "events"  # shape (words, n)
_TOLD: Final = {"told by market": market.TOLD, "told by keys": keys.TOLD}  # the same
_WORD: Final = np.dtype(np.uint64)
_NEVER_NONE: Final = ("market", "account")
_LOWEST: Final = np.array([0 if column in _NEVER_NONE else NONE for column in TABLE_OF])


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
        held = unpack(self.frame)
        teller = next((name for name in _TOLD if name in held.columns), None)
        if teller is None or not held.tables.keys() >= {_IDS, *TABLES}:
            found = ", ".join([*held.columns, *held.tables])
            raise FrameError(f"the frame holds no rows, but {found or 'nothing'}")
        if len(held.tables[_IDS]) != self.count:
            raise FrameError(f"the frame says that it holds {self.count} rows; must be all it has")
        told = _records(held, teller, _TOLD[teller], self.count)
        return Rows(_orders(held, self.count), told)


def pack_rows(
    rows: Rows | None, word: Word, *, most_bytes: int = FRAME_BYTES - MARGIN_BYTES
) -> list[bytes]:
    """Write rows as frames of at most `most_bytes` each, to be sent in this order.

    Only the last says that the source has come as far as `word` has it; those before it say so of
    their own last row, behind which none of the following rows may lie.
    """
    if rows is None or not len(rows):
        return [pack({}, {}, {_ROWS: 0}, _encode_word(word))]
    orders = rows.orders
    if len(rows.told) != len(orders):
        raise FrameError(f"of {len(orders)} events {len(rows.told)} are told of; must be all")
    teller = next(name for name, kind in _TOLD.items() if kind == rows.told.dtype)
    arrays = {
        _HASHES: np.concatenate(orders.hashes),
        _EVENTS: _words(orders.events),
        teller: _words(rows.told),
    }
    names = {name: table.strings for name, table in zip(TABLES, orders.tables, strict=True)}
    strings = {_IDS: orders.event_id, **names}
    frame = pack(arrays, strings, {_ROWS: len(rows)}, _encode_word(word))
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
    if not isinstance(count, int) or count < 0:
        raise FrameError(f"the frame says that it holds {count} rows; must be a number, 0 or more")
    try:
        if label.meta.get(_WORDS):
            first, *more = _decode_words(label.word)
            return Sealed(first, tuple(more), count, data)
        return Sealed(_decode_word(label.word), (), count, data)
    except msgspec.MsgspecError as error:
        raise FrameError(f"the frame's source does not say what it has read: {error}") from None


def _words(records: NDArray[Any]) -> Array:
    return records.view(_WORD).reshape(len(records), -1).T


def _records(frame: Frame, name: str, kind: np.dtype[Any], count: int) -> NDArray[np.void]:
    """Give the n records that an array holds, as a copy: kernels are compiled for such."""
    words = _array(frame, name, (kind.itemsize // _WORD.itemsize, count))
    records: NDArray[np.void] = np.array(words.T, order="C").reshape(-1).view(kind)
    return records


def _array(frame: Frame, name: str, shape: tuple[int, ...]) -> Array:
    found = frame.columns.get(name, np.empty(0))
    if found.dtype != _WORD or found.shape != shape:
        raise FrameError(f"{name} are {found.dtype} {found.shape}; must be {_WORD} {shape}")
    return found


def _orders(frame: Frame, count: int) -> OrderBatch:
    counts = [len(frame.tables[name]) for name in TABLES]
    events = _records(frame, _EVENTS, ORDER, count)
    _require_codes(events, counts)
    hashes = _array(frame, _HASHES, (sum(counts),)).copy()
    parts = np.split(hashes, np.cumsum(counts)[:-1])
    names = [Names(frame.tables[name], part) for name, part in zip(TABLES, parts, strict=True)]
    return OrderBatch(events, frame.tables[_IDS], *names)


def _require_codes(events: Events, counts: list[int]) -> None:
    """Keep a broken frame from reaching the kernels, which index without looking."""
    ends = dict(zip(TABLES, counts, strict=True))
    codes = np.array([events[column] for column in TABLE_OF])
    lowest, highest = codes.min(axis=1), codes.max(axis=1)
    most = np.array([ends[table] - 1 for table in TABLE_OF.values()])
    wrong = (lowest < _LOWEST) | (highest > most)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise FrameError(
            f"column {[*TABLE_OF][at]} holds codes {lowest[at]} to {highest[at]}; must be from "
            f"{_LOWEST[at]} to {most[at]}"
        )
