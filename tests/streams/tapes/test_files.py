import codecs
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from models.orders.refusals import Refusal
from streams.tapes.files import DeadLetterFile, TapeError, _chunks, new_tape, read_tape

COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "orders.jsonl": bytes,
    "orders.jsonl.gz": gzip.compress,
    "orders.jsonl.zst": zstandard.compress,
}
REFUSAL = Refusal(0, "price", "price is 0; must be between 1e-12 and 1e+12")


def numbered(path: Path, chunk_lines: int = 4096) -> list[tuple[int, bytes]]:
    return [
        (number, line)
        for chunk in read_tape(path, chunk_lines)
        for number, line in zip(chunk.numbers.tolist(), chunk.lines, strict=True)
    ]


@pytest.mark.parametrize("name", COMPRESSED)
def test_lines_come_with_their_numbers_whatever_the_compression(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(COMPRESSED[name](b'{"a":1}\n\n{"b":2}\r\n\r\n  \n{"c":3}'))
    assert numbered(path) == [(1, b'{"a":1}'), (3, b'{"b":2}'), (6, b'{"c":3}')]


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_tape_is_cut_into_full_chunks_and_a_rest(name: str, tmp_path: Path) -> None:
    lines = [b"%d" % n + b"x" * 300 for n in range(10_001)]
    path = tmp_path / name
    path.write_bytes(COMPRESSED[name](b"\n".join(lines) + b"\n"))
    chunks = list(read_tape(path))
    assert [len(chunk.lines) for chunk in chunks] == [4096, 4096, 1809]
    assert [line for chunk in chunks for line in chunk.lines] == lines
    assert np.concatenate([chunk.numbers for chunk in chunks]).tolist() == list(range(1, 10_002))


@pytest.mark.parametrize("name", COMPRESSED)
def test_progress_rises_to_the_size_of_the_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(COMPRESSED[name](b"\n".join(b"%d" % n for n in range(300_000))))
    done = [chunk.bytes_done for chunk in read_tape(path)]
    assert done == sorted(done)
    assert done[0] < done[-1] == path.stat().st_size


@given(
    st.sampled_from([b"", codecs.BOM_UTF8]),
    st.binary(max_size=60),
    st.lists(st.integers(1, 9), max_size=30),
    st.integers(1, 5),
)
def test_where_blocks_and_chunks_are_cut_changes_nothing(
    mark: bytes, rest: bytes, cuts: list[int], chunk_lines: int
) -> None:
    text = mark + rest
    blocks, start = [], 0
    for size in cuts:
        blocks.append((text[start : start + size], 0))
        start += size
    blocks.append((text[start:], 0))
    read = [
        (int(number), line)
        for lines, numbers, _ in _chunks(iter(blocks), chunk_lines)
        for number, line in zip(numbers, lines, strict=True)
    ]
    expected = []
    for number, raw in enumerate(text.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        line = raw.removesuffix(b"\r")
        if line.strip():
            expected.append((number, line))
    assert read == expected


@pytest.mark.parametrize("name", COMPRESSED)
def test_the_mark_of_utf_8_at_the_start_of_a_file_belongs_to_no_line(
    name: str, tmp_path: Path
) -> None:
    path, mark = tmp_path / name, codecs.BOM_UTF8
    path.write_bytes(COMPRESSED[name](mark + b"one\n" + mark + b"two\n"))
    assert numbered(path) == [(1, b"one"), (2, mark + b"two")]


@pytest.mark.parametrize("name", ["orders.jsonl.gz", "orders.jsonl.zst"])
def test_several_compressed_parts_make_one_tape(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(COMPRESSED[name](b"one\ntw") + COMPRESSED[name](b"o\nthree\n"))
    assert numbered(path) == [(1, b"one"), (2, b"two"), (3, b"three")]


@pytest.mark.parametrize("name", COMPRESSED)
def test_an_empty_file_is_a_tape_without_events(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    for content in (b"", COMPRESSED[name](b""), COMPRESSED[name](b"\n\n")):
        path.write_bytes(content)
        assert list(read_tape(path)) == []


@pytest.mark.parametrize("name", ["orders.jsonl.gz", "orders.jsonl.zst"])
def test_a_compressed_file_that_breaks_off_is_an_error(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    whole = COMPRESSED[name](b"\n".join(b"%d" % (n * n) for n in range(5000)))
    for kept in (3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(TapeError, match=f"{name} cannot be read: the compressed data breaks"):
            list(read_tape(path))


def read_until_broken(path: Path) -> list[bytes]:
    lines: list[bytes] = []
    with pytest.raises(TapeError, match=f"{path.name} cannot be read: "):
        lines.extend(line for chunk in read_tape(path) for line in chunk.lines)
    return lines


@pytest.mark.parametrize("name", ["orders.jsonl.gz", "orders.jsonl.zst"])
def test_whole_lines_before_a_break_come_before_the_error(name: str, tmp_path: Path) -> None:
    """Fewer than fill a chunk, so that they wait when the file breaks off."""
    draw = random.Random(7)
    lines = [b"%d" % draw.getrandbits(2000) for _ in range(1000)]
    whole = COMPRESSED[name](b"\n".join(lines) + b"\n")
    path = tmp_path / name
    path.write_bytes(whole[: len(whole) * 3 // 4])
    read = read_until_broken(path)
    assert 500 < len(read) < 1000
    assert read == lines[: len(read)]
    path.write_bytes(whole + b"not compressed")
    assert read_until_broken(path) == lines


@pytest.mark.parametrize("name", ["orders.jsonl.gz", "orders.jsonl.zst"])
def test_a_file_that_is_not_what_its_name_says_is_an_error(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b'{"event_id":"plain"}\n')
    with pytest.raises(TapeError, match=f"{name} cannot be read: "):
        list(read_tape(path))


def test_a_damaged_gzip_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl.gz"
    damaged = bytearray(gzip.compress(b"line\n" * 1000))
    damaged[-8] ^= 1  # its check sum
    path.write_bytes(damaged)
    with pytest.raises(TapeError, match="check"):
        list(read_tape(path))


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match=r"nowhere\.jsonl cannot be read: No such file"):
        list(read_tape(tmp_path / "nowhere.jsonl"))
    with pytest.raises(TapeError, match="cannot be read: Is a directory"):
        list(read_tape(tmp_path))
    with pytest.raises(TapeError, match=r"dead\.jsonl cannot be written: No such file"):
        DeadLetterFile(tmp_path / "nowhere" / "dead.jsonl")


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_new_tape_is_compressed_as_its_name_says_and_the_same_bytes_again(
    name: str, tmp_path: Path
) -> None:
    paths = [tmp_path / name, tmp_path / "again" / name]
    paths[1].parent.mkdir()
    for path in paths:
        with new_tape(path) as file:
            file.writelines([b"one\n", b"two\n"])
        assert numbered(path) == [(1, b"one"), (2, b"two")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


NAUGHTY = [b"{", b"\xff\xfe\x00", b"two\nlines\n", b"", b"\r", '{"é":"北"}'.encode()]


def test_dead_letters_keep_every_byte_and_the_reason_lies_beside(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    with DeadLetterFile(path) as dead:
        for row, value in enumerate(NAUGHTY):
            dead.write(value, REFUSAL, source="orders.jsonl", offset=row + 10)
        dead.write(None, REFUSAL, source="orders[3]", offset=99)
    kept = path.read_bytes()
    assert kept == b"".join(value + b"\n" for value in [*NAUGHTY, b""])
    reasons = [json.loads(line) for line in dead.reasons_path.read_bytes().splitlines()]
    assert dead.reasons_path.name == "dead.reasons.jsonl"
    assert [kept[r["at"] : r["at"] + r["bytes"]] for r in reasons] == [*NAUGHTY, b""]
    assert reasons[1] == {
        "source": "orders.jsonl",
        "offset": 11,
        "field": "price",
        "reason": REFUSAL.reason,
        "at": 2,
        "bytes": 3,
    }


@pytest.mark.parametrize("name", COMPRESSED)
def test_dead_letters_can_be_fed_in_again_whatever_the_compression(
    name: str, tmp_path: Path
) -> None:
    lines = [b'{"price":0}', b"{", b"\xff"]
    with DeadLetterFile(tmp_path / name) as dead:
        for line in lines:
            dead.write(line, REFUSAL, source="orders.jsonl", offset=1)
    assert dead.reasons_path.name == f"{name.split('.', maxsplit=1)[0]}.reasons.jsonl"
    assert [line for _, line in numbered(dead.path)] == lines
    assert json.loads(dead.reasons_path.read_bytes().splitlines()[1])["at"] == len(lines[0]) + 1


def test_a_run_that_refuses_nothing_leaves_empty_files(tmp_path: Path) -> None:
    with DeadLetterFile(tmp_path / "dead.jsonl") as dead:
        pass
    assert dead.path.read_bytes() == dead.reasons_path.read_bytes() == b""
