"""Columnar frames: the binary messages of the internal topics, many rows in each.

Layout, little-endian: 4 bytes of magic, the last of which is the version; the length of the header
as uint32; the header in MessagePack; then the arrays, each at a multiple of 8 bytes from the start
of the frame. A string table is two arrays: its UTF-8 bytes, joined, and the length of each string
in characters. Arrays are read in place and cannot be written.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.orders.batch import Int32s, Int64s

MAGIC: Final = b"rkf\x01"  # the last byte is the version: it changes when the layout changes

_PREFIX: Final = struct.Struct("<4sI")
_ALIGNMENT: Final = 8
_DIMENSIONS: Final = (1, 2)
_DTYPES: Final = {
    name: np.dtype(name)
    for name in ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8")
}
_NAMES: Final = {dtype: name for name, dtype in _DTYPES.items()}  # looked up faster than asked for

Array: TypeAlias = NDArray[Any]
Meta: TypeAlias = Mapping[str, int | str]


class FrameError(ValueError):
    """The bytes are not a frame that this version can read, or the columns do not make one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Columns (read-only arrays), string tables and small facts that travelled together."""

    columns: dict[str, Array]
    tables: dict[str, list[str]]
    meta: dict[str, int | str]
    word: bytes = b""  # whatever the sender has to say besides


Size: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=2**40)]


class _Place(msgspec.Struct, array_like=True):
    """What an array is and where it lies, in bytes from the end of the padded header."""

    dtype: str
    shape: tuple[Size, ...]
    offset: Size


class _Header(msgspec.Struct, array_like=True):
    """All that stands before the arrays."""

    columns: dict[str, _Place]
    tables: dict[str, tuple[_Place, _Place]]  # UTF-8 bytes, lengths in characters
    meta: dict[str, int | str]
    word: bytes = b""


_encode_header: Final = msgspec.msgpack.Encoder().encode
_decode_header: Final = msgspec.msgpack.Decoder(_Header).decode


class _Body:
    """The arrays of a frame under construction, with the padding between them."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, name: str, array: Array) -> _Place:
        """Lay down an array and say where it lies."""
        dtype = _NAMES.get(array.dtype) or array.dtype.newbyteorder("<").str
        if dtype not in _DTYPES or array.ndim not in _DIMENSIONS:
            raise FrameError(
                f"column {name} is {array.dtype} with {array.ndim} dimensions; must be numbers or "
                "booleans of at most 8 bytes, with 1 or 2 dimensions"
            )
        place = _Place(dtype, array.shape, self.size)
        stored = np.asarray(array, _DTYPES[dtype]).tobytes()
        padding = -len(stored) % _ALIGNMENT
        self.parts += (stored, bytes(padding))
        self.size += len(stored) + padding
        return place

    def add_table(self, name: str, strings: Sequence[str]) -> tuple[_Place, _Place]:
        """Lay down a string table: its bytes, then its lengths."""
        try:
            text = "".join(strings).encode()
        except UnicodeEncodeError as error:
            raise FrameError(f"table {name} cannot be written in UTF-8: {error}") from None
        lengths = np.fromiter(map(len, strings), np.int32, len(strings))
        return self.add(name, np.frombuffer(text, np.uint8)), self.add(name, lengths)


def pack(
    columns: Mapping[str, Array],
    tables: Mapping[str, Sequence[str]],
    meta: Meta,
    word: bytes = b"",
) -> bytes:
    """Write a frame; a `FrameError` names the column or the table that does not fit in one."""
    body = _Body()
    contents = _Header(
        {name: body.add(name, array) for name, array in columns.items()},
        {name: body.add_table(name, strings) for name, strings in tables.items()},
        dict(meta),
        word,
    )
    try:
        header = _encode_header(contents)
    except (OverflowError, TypeError, UnicodeEncodeError) as error:
        raise FrameError(f"the header of the frame cannot be written: {error}") from None
    padding = bytes(-(_PREFIX.size + len(header)) % _ALIGNMENT)
    return b"".join([_PREFIX.pack(MAGIC, len(header)), header, padding, *body.parts])


def unpack(data: bytes) -> Frame:
    """Read a frame without copying its columns; a `FrameError` says what is wrong with it."""
    if len(data) < _PREFIX.size:
        raise FrameError(f"the frame has {len(data)} bytes; must have at least {_PREFIX.size}")
    magic, length = _PREFIX.unpack_from(data)
    if magic != MAGIC:
        raise FrameError(f"the frame starts with {magic!r}; must start with {MAGIC!r}")
    end = _PREFIX.size + length
    if end > len(data):
        raise FrameError(f"the header ends at byte {end}; the frame has {len(data)} bytes")
    try:
        header = _decode_header(memoryview(data)[_PREFIX.size : end])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FrameError(f"the header of the frame cannot be read: {error}") from None
    body = end + -end % _ALIGNMENT
    return Frame(
        {name: _array(data, body, name, place) for name, place in header.columns.items()},
        {name: _table(data, body, name, places) for name, places in header.tables.items()},
        header.meta,
        header.word,
    )


def _array(data: bytes, body: int, name: str, place: _Place) -> Array:
    """Give a view of the array that lies at `place`."""
    dtype = _DTYPES.get(place.dtype)
    if dtype is None or len(place.shape) not in _DIMENSIONS:
        raise FrameError(f"column {name} is {place.dtype} {place.shape}; this is never written")
    start = body + place.offset
    count = math.prod(place.shape)
    end = start + count * dtype.itemsize
    if place.offset % _ALIGNMENT or end > len(data):
        raise FrameError(
            f"column {name} lies at bytes {start} to {end} of {len(data)}; must lie inside, at a "
            f"multiple of {_ALIGNMENT}"
        )
    if not count:  # frombuffer refuses to read nothing
        return np.empty(place.shape, dtype)
    array = np.frombuffer(data, dtype, count, start)
    return array if len(place.shape) == 1 else array.reshape(place.shape)


def _table(data: bytes, body: int, name: str, places: tuple[_Place, _Place]) -> list[str]:
    """Read a string table with one decoding of its joined bytes."""
    letters, lengths = (_array(data, body, name, place) for place in places)
    try:
        text = letters.tobytes().decode()
    except UnicodeDecodeError as error:
        raise FrameError(f"table {name} is not UTF-8: {error}") from None
    if lengths.dtype != np.int32 or lengths.ndim != 1 or (lengths < 0).any():
        raise FrameError(f"table {name} has lengths that are never written")
    ends = np.cumsum(lengths, dtype=np.int64).tolist()
    if (ends[-1] if ends else 0) != len(text):
        raise FrameError(f"table {name} has {len(text)} characters; its lengths do not add up")
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def route(destination: Int32s) -> list[tuple[int, Int64s]]:
    """Give each destination that occurs, rising, with its rows of `destination` (n,) in order."""
    order = np.argsort(destination, kind="stable")
    found, starts = np.unique(destination[order], return_index=True)
    return list(zip(found.tolist(), np.split(order, starts[1:]), strict=True)) if len(order) else []
