import contextlib
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streams.worker.frames import MAGIC, FrameError, pack, peek, unpack

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
numbers = (
    st.sampled_from([np.bool_, np.int8, np.int32, np.int64, np.uint64, np.float32, np.float64])
    .map(np.dtype)
    .flatmap(
        lambda dtype: arrays.arrays(
            dtype, arrays.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=5)
        )
    )
)
frames = st.tuples(
    st.dictionaries(names, numbers, max_size=4),
    st.dictionaries(names, st.lists(names, max_size=5), max_size=3),
    st.dictionaries(names, names | st.integers(-(2**63), 2**63 - 1), max_size=3),
)
SAMPLE = pack(
    {"score": np.arange(12, dtype=np.float32).reshape(4, 3), "row": np.arange(4)},
    {"keys": ["k1", "", "clé", "北京"]},
    {"stage": "keys", "epoch": 7},
)


@given(frames)
def test_a_frame_gives_back_what_was_packed(parts: tuple[Any, Any, Any]) -> None:
    columns, tables, meta = parts
    frame = unpack(pack(columns, tables, meta))
    assert frame.tables == tables
    assert frame.meta == meta
    assert frame.columns.keys() == columns.keys()
    for name, column in columns.items():
        assert frame.columns[name].dtype == column.dtype
        np.testing.assert_array_equal(frame.columns[name], column)


@given(frames)
def test_the_same_parts_give_the_same_bytes(parts: tuple[Any, Any, Any]) -> None:
    data = pack(*parts)
    frame = unpack(data)
    assert pack(frame.columns, frame.tables, frame.meta) == data


def test_columns_are_read_in_place_aligned_and_cannot_be_written() -> None:
    frame = unpack(SAMPLE)
    whole = np.frombuffer(SAMPLE, np.uint8)
    for column in frame.columns.values():
        assert np.shares_memory(column, whole)
        assert (column.ctypes.data - whole.ctypes.data) % 8 == 0
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1


def test_columns_of_any_layout_are_packed_by_their_values() -> None:
    matrix = np.arange(12, dtype=">f4").reshape(3, 4)
    frame = unpack(pack({"t": matrix.T, "every second": np.arange(8)[::2]}, {}, {}))
    np.testing.assert_array_equal(frame.columns["t"], matrix.T)
    assert frame.columns["t"].dtype == np.dtype("<f4")
    assert frame.columns["every second"].tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize(
    "column",
    [
        np.array(["a"]),
        np.array([None]),
        np.array([1j]),
        np.array(1.0),
        np.zeros((1, 1, 1)),
        np.array(["2022"], "M8[s]"),
    ],
    ids=lambda column: str(column.dtype),
)
def test_a_column_that_no_frame_holds_is_named(column: np.ndarray[Any, Any]) -> None:
    with pytest.raises(FrameError, match="column odd is "):
        pack({"odd": column}, {}, {})


def test_what_cannot_be_written_in_the_header_is_said() -> None:
    with pytest.raises(FrameError, match="header"):
        pack({}, {"keys": ["\ud800"]}, {})
    with pytest.raises(FrameError, match="header"):
        pack({}, {}, {"epoch": 2**64})


@pytest.mark.parametrize("end", range(len(SAMPLE)))
def test_a_frame_that_breaks_off_is_refused(end: int) -> None:
    with pytest.raises(FrameError):
        unpack(SAMPLE[:end])


def test_another_version_is_refused() -> None:
    with pytest.raises(FrameError, match="must start with"):
        unpack(b"rkf\x01" + SAMPLE[4:])


def test_what_is_said_in_a_frame_can_be_read_alone() -> None:
    label, frame = peek(SAMPLE), unpack(SAMPLE)
    assert (label.meta, label.word) == (frame.meta, frame.word)
    with pytest.raises(FrameError, match="the frame has"):
        peek(SAMPLE[:50])


@given(st.integers(0, len(SAMPLE) - 1), st.integers(1, 255))
def test_a_damaged_byte_is_an_error_or_a_frame_and_never_a_crash(place: int, change: int) -> None:
    damaged = bytearray(SAMPLE)
    damaged[place] ^= change
    try:
        frame = unpack(bytes(damaged))
    except FrameError:
        return
    for column in frame.columns.values():
        assert column.size <= len(damaged)


@given(st.binary(max_size=64))
def test_any_bytes_behind_the_magic_are_an_error_or_a_frame(tail: bytes) -> None:
    with contextlib.suppress(FrameError):
        unpack(MAGIC + tail)


@pytest.mark.parametrize(
    "form",
    [
        ["<f8", [2]],
        ["<f8", [2**39, 2**39]],
        ["<f8", [-1]],
        ["<f8", [2**40]],
        ["|O", [1]],
        ["|S7", [1]],
        ["<U1", [1]],
        ["nonsense", [1]],
        ["<f8", [1, 1, 1]],
        ["<f8", []],
    ],
    ids=str,
)
def test_a_header_that_promises_more_than_there_is_is_refused(form: list[Any]) -> None:
    header = msgspec.msgpack.encode([{"c": form}, {}, {}])
    data = MAGIC + len(header).to_bytes(4, "little") + header
    data += bytes(-len(data) % 8) + bytes(8)
    with pytest.raises(FrameError):
        unpack(data)
