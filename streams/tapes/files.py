"""Tapes: files of order events, one to a line, read in chunks; and the file of those refused.

A tape is `.jsonl`, `.jsonl.gz` or `.jsonl.zst`, told by its last suffix. Lines end in LF or CRLF,
the last one perhaps in nothing; blank lines are skipped but counted.
"""

import codecs
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TypeAlias

import msgspec
import numpy as np
import zstandard
from typing_extensions import override

from models.orders.batch import Int64s
from models.orders.refusals import Refusal
from streams.closing import Closing

CHUNK_LINES: Final = 4096
GZIP_LEVEL: Final = 6  # takes less than half as long as 9 for a twentieth more

_PLAIN_BLOCK: Final = 1 << 20
# Small, because it may expand a thousandfold, and because a damaged one is lost as a whole.
_COMPRESSED_BLOCK: Final = 1 << 14
_GZIP: Final = 16 + zlib.MAX_WBITS  # zlib: expect a gzip header and check sum
_BREAKS: Final = (OSError, EOFError, zlib.error, zstandard.ZstdError)


class TapeError(Exception):
    """The file cannot be read or written, or its compressed data is broken."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Up to CHUNK_LINES events, with their line numbers and how far into the file they reach."""

    lines: list[bytes]  # without their line ends
    numbers: Int64s  # line in the file, from 1, shape (n,)
    bytes_done: int  # of the file as stored, read so far


class _Decompressor(Protocol):
    """What zlib and zstandard offer for one gzip member or one zstd frame."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


_Block: TypeAlias = tuple[bytes, int]  # text of the tape, stored bytes read so far

_DECOMPRESSORS: Final[dict[str, Callable[[], _Decompressor]]] = {
    ".gz": lambda: zlib.decompressobj(_GZIP),
    ".zst": lambda: zstandard.ZstdDecompressor().decompressobj(),
}


def read_tape(path: Path, chunk_lines: int = CHUNK_LINES) -> Iterator[Chunk]:
    """Read a tape chunk by chunk; a `TapeError` names the file and what is wrong with it.

    It is raised behind the last whole line that could be read.
    """
    try:
        with path.open("rb", buffering=0) as file:
            for lines, numbers, done in _chunks(_blocks(file, path.suffix), chunk_lines):
                yield Chunk(lines, numbers, done)
    except _BREAKS as error:
        cause = error.strerror if isinstance(error, OSError) else error
        raise TapeError(f"{path} cannot be read: {cause}") from None


def _blocks(file: BinaryIO, suffix: str) -> Iterator[_Block]:
    """Read the text of a tape in blocks of any size."""
    new = _DECOMPRESSORS.get(suffix)
    size = _PLAIN_BLOCK if new is None else _COMPRESSED_BLOCK
    done = 0
    decompressor: _Decompressor | None = None
    while block := file.read(size):
        done += len(block)
        if new is None:
            yield block, done
            continue
        while block:  # several gzip members or zstd frames may follow one another
            decompressor = decompressor or new()
            yield decompressor.decompress(block), done
            block = decompressor.unused_data
            if decompressor.eof:
                decompressor = None
    if decompressor is not None:
        raise EOFError("the compressed data breaks off")


def _chunks(
    blocks: Iterator[_Block], chunk_lines: int
) -> Iterator[tuple[list[bytes], Int64s, int]]:
    """Cut blocks into chunks of lines that are not blank, with their numbers."""
    waiting: list[bytes] = []
    numbers = np.empty(0, np.int64)
    seen = done = 0
    broken: Exception | None = None
    try:
        for lines, done in _whole_lines(blocks):
            if not seen:  # some editors mark a file as UTF-8
                lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
            places, filled = _not_blank(lines)
            waiting += filled
            numbers = np.concatenate([numbers, places + (seen + 1)])
            seen += len(lines)
            start = 0
            while len(waiting) - start >= chunk_lines:
                end = start + chunk_lines
                yield waiting[start:end], numbers[start:end], done
                start = end
            waiting, numbers = waiting[start:], numbers[start:]
    except _BREAKS as error:
        broken = error
    if waiting:
        yield waiting, numbers, done
    if broken:
        raise broken


def _whole_lines(blocks: Iterator[_Block]) -> Iterator[tuple[list[bytes], int]]:
    """Cut blocks at line feeds, joining the line that a block's end cuts in two."""
    begun: list[bytes] = []
    done = 0
    for block, done in blocks:
        first, *others = block.split(b"\n")
        begun.append(first)
        if others:
            last = others.pop()
            yield [b"".join(begun), *others], done
            begun = [last]
    rest = b"".join(begun)
    if rest:
        yield [rest], done


def _not_blank(lines: list[bytes]) -> tuple[Int64s, list[bytes]]:
    """Strip the carriage returns, and give the lines that hold anything, with their places."""
    stripped = [line[:-1] if line.endswith(b"\r") else line for line in lines]
    filled = [line for line in stripped if line and not line.isspace()]
    if len(filled) == len(lines):
        return np.arange(len(lines)), filled
    kept = [place for place, line in enumerate(stripped) if line and not line.isspace()]
    return np.array(kept, np.int64), filled


def new_tape(path: Path) -> BinaryIO:
    """Open a new tape, compressed as its name says; a `TapeError` where it cannot be written."""
    try:
        if path.suffix == ".gz":  # no time of writing inside, so that equal events give equal bytes
            return io.BufferedWriter(gzip.GzipFile(path, "wb", GZIP_LEVEL, mtime=0))
        if path.suffix == ".zst":
            return io.BufferedWriter(zstandard.open(path, "wb"))
        return path.open("wb")
    except OSError as error:
        raise TapeError(f"{path} cannot be written: {error.strerror}") from None


class _Reason(msgspec.Struct):
    """Why one event was refused, and where its bytes lie in the dead-letter file."""

    source: str  # file or topic partition that it came from
    offset: int  # its line or its Kafka offset there
    field: str
    reason: str
    at: int  # first byte in the dead-letter file, as it is without compression
    bytes: int


class DeadLetterFile(Closing):
    """Refused events, byte for byte, one after the other, each followed by a line feed.

    So the file is itself a tape: mend it and feed it in again. The reasons lie beside it, in
    `….reasons.jsonl`, in the same order. They say where each event's bytes lie, because an event
    from Kafka may hold line feeds of its own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        plain = path.with_suffix("") if path.suffix in _DECOMPRESSORS else path
        self.reasons_path = plain.with_suffix(".reasons.jsonl")
        self._size = 0
        self._events = new_tape(path)
        self._reasons = new_tape(self.reasons_path)

    def write(self, value: bytes | None, refusal: Refusal, *, source: str, offset: int) -> None:
        """Add one refused event with its reason."""
        kept = value or b""
        reason = _Reason(source, offset, refusal.field, refusal.reason, self._size, len(kept))
        self._size += self._events.write(kept + b"\n")
        self._reasons.write(msgspec.json.encode(reason) + b"\n")

    @override
    def close(self) -> None:
        """Bring both files to an end."""
        self._events.close()
        self._reasons.close()
