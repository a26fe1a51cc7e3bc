"""Columnar frames: the binary messages of the internal topics, many rows in each.

Layout, little-endian: 4 bytes of magic, the last of which is the version; the length of the header
as uint32; the header in MessagePack, with names, string tables and the form of each array; then the
arrays in that order, each at the next multiple of 8 bytes from the start of the frame. Arrays are
read in place and cannot be written.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.unreadable import UNREADABLE

MAGIC: Final = b"rkf\x05"  # the last byte is the version: it changes when the layout changes

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


class _Header(msgspec.Struct, array_like=True):
    """All that stands before the arrays."""

    columns: dict[str, tuple[str, tuple[Size, ...]]]  # type and shape
    tables: dict[str, list[str]]
    meta: dict[str, int | str]
    word: bytes = b""


class Label(msgspec.Struct, array_like=True):
    """The same, its columns and tables left as they are: what is said besides costs little."""

    columns: msgspec.Raw
    tables: msgspec.Raw
    meta: dict[str, int | str]
    word: bytes = b""


T = TypeVar("T")

_encode_header: Final = msgspec.msgpack.Encoder().encode
_header: Final = msgspec.msgpack.Decoder(_Header)
_label: Final = msgspec.msgpack.Decoder(Label)


def pack(
    columns: Mapping[str, Array],
    tables: Mapping[str, list[str]],
    meta: Meta,
    word: bytes = b"",
) -> bytes:
    """Write a frame; a `FrameError` names the column that does not fit in one."""
    forms: dict[str, tuple[str, tuple[int, ...]]] = {}
    parts: list[memoryview | bytes] = []
    for name, array in columns.items():
        dtype = _NAMES.get(array.dtype) or array.dtype.newbyteorder("<").str
        kind = _DTYPES.get(dtype)
        if kind is None or array.ndim not in _DIMENSIONS:
            raise FrameError(
                f"column {name} is {array.dtype} with {array.ndim} dimensions; must be numbers or "
                "booleans of at most 8 bytes, with 1 or 2 dimensions"
            )
        forms[name] = dtype, array.shape
        stored = np.ascontiguousarray(array, kind)
        parts += (stored.data, bytes(-stored.nbytes % _ALIGNMENT))
    try:
        header = _encode_header(_Header(forms, dict(tables), dict(meta), word))
    except (OverflowError, TypeError, UnicodeEncodeError) as error:
        raise FrameError(f"the header of the frame cannot be written: {error}") from None
    padding = bytes(-(_PREFIX.size + len(header)) % _ALIGNMENT)
    return b"".join([_PREFIX.pack(MAGIC, len(header)), header, padding, *parts])


def unpack(data: bytes) -> Frame:
    """Read a frame without copying its columns; a `FrameError` says what is wrong with it."""
    header, end = _read_header(data, _header)
    columns: dict[str, Array] = {}
    for name, (form, shape) in header.columns.items():
        start = end + -end % _ALIGNMENT
        columns[name], end = _array(data, start, name, form, shape)
    return Frame(columns, header.tables, header.meta, header.word)


def peek(data: bytes) -> Label:
    """Read what is said in a frame and nothing else; a `FrameError` as far as that is wrong."""
    label, _ = _read_header(data, _label)
    return label


def _read_header(data: bytes, decoder: msgspec.msgpack.Decoder[T]) -> tuple[T, int]:
    """Give the header, and at which byte it ends."""
    if len(data) < _PREFIX.size:
        raise FrameError(f"the frame has {len(data)} bytes; must have at least {_PREFIX.size}")
    magic, length = _PREFIX.unpack_from(data)
    if magic != MAGIC:
        raise FrameError(f"the frame starts with {magic!r}; must start with {MAGIC!r}")
    end = _PREFIX.size + length
    if end > len(data):
        raise FrameError(f"the header ends at byte {end}; the frame has {len(data)} bytes")
    try:
        return decoder.decode(memoryview(data)[_PREFIX.size : end]), end
    except UNREADABLE as error:
        raise FrameError(f"the header of the frame cannot be read: {error}") from None


def _array(
    data: bytes, start: int, name: str, form: str, shape: tuple[int, ...]
) -> tuple[Array, int]:
    """Give a view of the array that begins at a byte, and where it ends."""
    dtype = _DTYPES.get(form)
    if dtype is None or len(shape) not in _DIMENSIONS:
        raise FrameError(f"column {name} is {form} {shape}; this is never written")
    count = math.prod(shape)
    end = start + count * dtype.itemsize
    if end > len(data):
        raise FrameError(f"column {name} lies at bytes {start} to {end} of {len(data)}")
    if not count:  # frombuffer refuses to read nothing
        return np.empty(shape, dtype), end
    array = np.frombuffer(data, dtype, count, start)
    return array if len(shape) == 1 else array.reshape(shape), end
