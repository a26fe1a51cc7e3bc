"""What a checkpoint is made of, and how the state comes back; nothing here touches Kafka.

A checkpoint of one partition of a stage is a set of records for its changelog: those rows of the
state that changed since the last checkpoint, packed into parts; everything else as one value, in
parts, too; and, when the brokers have all of these, a header that names every part that the state
now consists of, and the offset up to which it contains the input.

No record is ever overwritten but a writer's own header, so nothing that a dying or a frozen worker
sends can spoil what a header names. A state is a function of its input up to an offset; hence of
all headers whose parts are complete the one that is furthest is right, whoever wrote it. What no
header needs any more is removed when a commit of the group's offsets has proved that the writer
still owned the partition.

Each checkpoint also writes some rows that did not change, in turn, at least as many as did and at
least a `LAPS`th of all. When a lap is done, what was written before it is in no use any more: the
changelog holds little more than twice the state, and no checkpoint has to write all of it.
"""

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from models.orders.batch import Int64s
from models.snapshot import Records, Snapshot
from streams.worker.compression import decompress

FORMAT: Final = 9  # changes when the meaning of what is written changes
LAPS: Final = 128
PART_BYTES: Final = 1 << 19  # of rows, before they are compressed
LEVEL: Final = 1  # of zstd

AFRESH: Final = "to start afresh, give app_id, keys_topic and suspects_topic other names"

_HEADER: Final = "header"  # what the keys of the records begin with
_ROWS: Final = "rows"
_VALUES: Final = "values"

Place = tuple[int, int]  # lap, row
Message = tuple[bytes, bytes | None]  # key and value of a record; None removes it


class StateError(RuntimeError):
    """The state in the changelog is not one that this worker can go on from."""


class Identity(msgspec.Struct, frozen=True, array_like=True):
    """What a state belongs to."""

    model: str
    partitions: int
    kind: str = ""  # of stage
    layout: str = ""  # of its records


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """Parts that were written together."""

    writer: str
    number: int
    parts: int

    def keys(self, what: str) -> list[bytes]:
        """Keys of the parts."""
        name = f"{what}/{self.writer}/{self.number}"
        return [f"{name}/{part}".encode() for part in range(self.parts)]


class Lapped(msgspec.Struct, frozen=True, array_like=True):
    """Rows that were written together, and where the laps stood then, by name."""

    batch: Batch
    places: dict[str, Place]


class Header(msgspec.Struct, frozen=True, array_like=True):
    """All that a state consists of."""

    format: int
    identity: Identity
    end: int  # offset up to which the input is contained
    born: int  # when the state began, ms
    values: Batch
    rows: list[Lapped]  # the oldest first
    lengths: dict[str, int]
    places: dict[str, Place]


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """Some records of one name."""

    name: str
    places: bytes  # int64
    records: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """What a checkpoint takes out of the running state."""

    end: int
    born: int
    rows: list[tuple[str, Int64s, NDArray[Any]]]  # name, places, records
    lengths: dict[str, int]
    values: bytes


@dataclass(frozen=True, slots=True)
class Packed:
    """The same as it is written: parts, compressed."""

    rows: list[bytes]
    values: list[bytes]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(map(len, self.rows)) + sum(map(len, self.values))


@dataclass(frozen=True, slots=True)
class Found:
    """A state as it was read back."""

    header: Header
    records: dict[str, NDArray[Any]]
    values: bytes
    needless: list[bytes]  # keys of all that the next writer's state will not consist of


class Checkpoints:
    """The checkpoints of one partition of one stage, by one writer, one after the other."""

    def __init__(self, identity: Identity, found: Found | None = None) -> None:
        self._writer = os.urandom(6).hex()
        self._identity = identity
        self._number = 0
        self._rows = list(found.header.rows) if found else []
        self._places = dict(found.header.places) if found else {}
        self._values = found.header.values if found else None
        self._needless = found.needless if found else []  # keys

    def cut(self, snapshot: Snapshot, end: int, born: int) -> Cut:
        """Take out what the next checkpoint has to write; from now on it counts as written."""
        rows = []
        for name, records in snapshot.records.items():
            places = self._pick(name, records)
            if len(places):
                rows.append((name, places, _raw(records.array)[places]))
        lengths = {name: len(records.array) for name, records in snapshot.records.items()}
        return Cut(end, born, rows, lengths, snapshot.values)

    def seal(self, cut: Cut, packed: Packed) -> tuple[list[Message], Message]:
        """Give the records of a checkpoint, and its header, to be sent when they are there."""
        self._number += 1
        rows = Batch(self._writer, self._number, len(packed.rows))
        values = Batch(self._writer, self._number, len(packed.values))
        kept = [entry for entry in self._rows if not _is_lapped(entry.places, self._places)]
        for entry in self._rows[: len(self._rows) - len(kept)]:  # the oldest
            self._needless += entry.batch.keys(_ROWS)
        self._needless += self._values.keys(_VALUES) if self._values else []
        self._rows = [*kept, Lapped(rows, dict(self._places))] if packed.rows else kept
        self._values = values
        header = Header(
            FORMAT,
            self._identity,
            cut.end,
            cut.born,
            values,
            self._rows,
            cut.lengths,
            dict(self._places),
        )
        records: list[Message] = [
            *zip(rows.keys(_ROWS), packed.rows, strict=True),
            *zip(values.keys(_VALUES), packed.values, strict=True),
        ]
        key = f"{_HEADER}/{self._writer}".encode()
        return records, (key, _compress(msgspec.msgpack.encode(header)))

    def needless(self) -> list[Message]:
        """Remove what our last header does not name: only when it is certain that it counts."""
        if not self._number:  # we have not written any: all is needed
            return []
        needless, self._needless = self._needless, []
        return [(key, None) for key in needless]

    def _pick(self, name: str, records: Records) -> Int64s:
        """Choose the rows to be written, and note that they have been."""
        changed, length = records.changed, len(records.array)
        lap, start = self._places.get(name, (0, 0))
        stop = start + max(int(np.count_nonzero(changed)), math.ceil(length / LAPS))
        changed[start:stop] = 1
        self._places[name] = (lap, stop) if stop < length else (lap + 1, 0)
        picked: Int64s = np.flatnonzero(changed)
        changed[:] = 0
        return picked


def pack(cut: Cut) -> Packed:
    """Pack and compress; takes as long as it takes, so let a thread do it."""
    parts = [_compress(msgspec.msgpack.encode(segments)) for segments in _segments(cut.rows)]
    values = [
        _compress(cut.values[start : start + PART_BYTES])
        for start in range(0, len(cut.values), PART_BYTES)
    ]
    return Packed(parts, values)


def layout_of(records: Mapping[str, Records]) -> str:
    """Short id of the form of all records, so that none is ever read as something else."""
    forms = {name: str(kept.array.dtype) for name, kept in records.items()}
    return blake2b(msgspec.json.encode(forms, order="sorted"), digest_size=6).hexdigest()


def find(
    contents: Mapping[bytes, bytes], identity: Identity, blank: Snapshot, *, adopt: bool = False
) -> Found | None:
    """Read the state back from the live records of a changelog; None where there is none.

    `blank`, of a new partition, says what the records look like; with `adopt`, that of another
    model will do.

    Raises
    ------
    StateError
        If there are headers, but none of them can be used, or the state belongs to another model,
        another number of partitions or another version.
    """
    headers = [_header(key, contents[key]) for key in contents if key.startswith(b"header/")]
    for header in sorted(headers, key=lambda found: (found.end, found.born), reverse=True):
        if all(key in contents for key in _parts_of(header)):
            _require(header.identity, identity, adopt=adopt)
            return _read(header, contents, blank)
    if headers:
        raise StateError(f"parts of the state are missing: {AFRESH}")
    return None


def _require(found: Identity, wanted: Identity, *, adopt: bool) -> None:
    if (found.kind, found.layout) != (wanted.kind, wanted.layout):
        raise StateError(f"the state was written by another version of roguekey: {AFRESH}")
    if found.partitions != wanted.partitions:
        raise StateError(
            f"the state is that of {found.partitions} partitions, where there are now "
            f"{wanted.partitions}: set partitions to {found.partitions}, or {AFRESH}"
        )
    if found.model != wanted.model and not adopt:
        raise StateError(
            f"the state belongs to the model {found.model}, the worker has {wanted.model}: "
            f"start it with --adopt-state true to go on with it under the new model, or {AFRESH}"
        )


def _read(header: Header, contents: Mapping[bytes, bytes], snapshot: Snapshot) -> Found:
    records = {
        name: np.zeros(header.lengths[name], blank.array.dtype)
        for name, blank in snapshot.records.items()
    }
    for entry in header.rows:
        for key in entry.batch.keys(_ROWS):
            for segment in msgspec.msgpack.decode(decompress(contents[key]), type=list[Segment]):
                rows = records[segment.name]
                rows[np.frombuffer(segment.places, np.int64)] = np.frombuffer(
                    segment.records, rows.dtype
                )
    values = b"".join(decompress(contents[key]) for key in header.values.keys(_VALUES))
    needed = set(_parts_of(header))
    return Found(header, records, values, [key for key in contents if key not in needed])


def _parts_of(header: Header) -> list[bytes]:
    rows = [key for entry in header.rows for key in entry.batch.keys(_ROWS)]
    return rows + header.values.keys(_VALUES)


def _header(key: bytes, value: bytes) -> Header:
    """Read a header; its format is looked at first, since all else depends on it."""
    try:
        fields = msgspec.msgpack.decode(decompress(value))
        if fields[0] == FORMAT:
            return msgspec.convert(fields, Header)
        wrong = f"its format is {fields[0]!r}; must be {FORMAT}"
    except (msgspec.MsgspecError, zstandard.ZstdError, IndexError, TypeError) as error:
        wrong = str(error)
    name = key.decode(errors="replace")
    raise StateError(f"the {name} of the state cannot be read: {wrong}; {AFRESH}")


def _is_lapped(before: Mapping[str, Place], now: Mapping[str, Place]) -> bool:
    """Whether since then every row has been written again."""
    return all(now[name] >= (lap + 1, row) for name, (lap, row) in before.items())


def _segments(rows: Iterable[tuple[str, Int64s, NDArray[Any]]]) -> Iterable[list[Segment]]:
    """Divide rows into parts of about PART_BYTES."""
    part: list[Segment] = []
    room = PART_BYTES
    for name, places, records in rows:
        start = 0
        while start < len(places):
            count = max(1, min(len(places) - start, room // records.itemsize))
            chosen = slice(start, start + count)
            part.append(Segment(name, places[chosen].tobytes(), records[chosen].tobytes()))
            start, room = start + count, room - count * records.itemsize
            if room < records.itemsize:
                yield part
                part, room = [], PART_BYTES
    if part:
        yield part


def _raw(records: NDArray[Any]) -> NDArray[Any]:
    """Give records as bytes without fields, which are copied several times as fast."""
    return records.view(np.dtype((np.void, records.itemsize)))


def _compress(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=LEVEL).compress(data)
