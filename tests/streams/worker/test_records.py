import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import given
from hypothesis import strategies as st

from streams.worker.records import FetchedRuns, locate
from streams.worker.runs import Run

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
APPEND_TIME, TRANSACTIONAL, CONTROL = 0x08, 0x10, 0x20
ABORT, COMMIT = (struct.pack(">hh", 0, kind) for kind in (0, 1))
MOST = 1000

Record = tuple[int, int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]


@dataclass(frozen=True)
class Batch:
    """A batch to be written; `gap` offsets of it were compacted away at its end."""

    records: Sequence[Record] = ((0, 5, None, b"v", []),)  # offset, timestamp, key, value, headers
    codec: int = NONE
    attributes: int = 0
    producer: int = -1
    gap: int = 0

    @property
    def size(self) -> int:
        return (self.records[-1][0] if self.records else -1) + 1 + self.gap

    def written(self, base: int) -> bytes:
        builder = DefaultRecordBatchBuilder(2, self.codec, 0, self.producer, 0, 0, 1 << 20)
        for record in self.records or [(0, 5, None, b"v", [])]:
            builder.append(*record)
        data = bytearray(builder.build())
        if not self.records:  # which a builder would not build
            data = data[:57] + struct.pack(">i", 0)
            struct.pack_into(">i", data, 8, len(data) - 12)
        attributes = struct.unpack_from(">h", data, 21)[0] | self.attributes
        struct.pack_into(">hi", data, 21, attributes, self.size - 1)
        struct.pack_into(">q", data, 0, base)
        struct.pack_into(">I", data, 17, calc_crc32c(bytes(data[21:])))
        return bytes(data)


@dataclass(frozen=True)
class Fetch:
    """What a broker answered."""

    batches: Sequence[Batch]
    begin: int = 0  # of the first batch
    offset: int = 0  # asked for, counted from there
    isolation: int = READ_UNCOMMITTED
    aborted: Sequence[tuple[int, int]] = ()  # producer, first offset
    cut: int = 0  # bytes that are missing at the end

    @property
    def data(self) -> bytes:
        base, written = self.begin, []
        for batch in self.batches:
            written.append(batch.written(base))
            base += batch.size
        data = b"".join(written)
        return data[: len(data) - self.cut]

    def records(self, data: bytes) -> PartitionRecords:
        offset = self.begin + self.offset
        tp, found = TopicPartition("orders", 0), MemoryRecords(data)
        args = tp, found, list(self.aborted), offset, None, None, True, self.isolation
        return PartitionRecords(*args)


values = st.none() | st.binary(max_size=300)
headers = st.lists(st.tuples(st.text(max_size=3), values), max_size=2)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    transactional = draw(st.booleans())
    if transactional and draw(st.integers(0, 3)) == 0:
        key = draw(st.sampled_from([ABORT, COMMIT]))
        marks = TRANSACTIONAL | CONTROL
        return Batch([(0, 0, key, b"\0" * 6, [])], NONE, marks, draw(st.integers(1, 2)))
    steps = draw(st.lists(st.integers(1, 200) | st.just(1), max_size=12))
    offsets = (np.cumsum(steps) - 1).tolist() if steps else []
    times = st.integers(0, 2**41)
    records = [(o, draw(times), draw(values), draw(values), draw(headers)) for o in offsets]
    return Batch(
        records,
        draw(st.integers(NONE, ZSTD)) if records else NONE,
        (TRANSACTIONAL * transactional) | draw(st.sampled_from([0, APPEND_TIME])),
        draw(st.integers(1, 2)) if transactional else -1,
        draw(st.integers(0, 3)) if records else 1,
    )


@st.composite
def fetches(draw: st.DrawFn) -> Fetch:
    all_batches = draw(st.lists(batches(), min_size=1, max_size=6))
    begin = draw(st.integers(0, 2**40))
    end = sum(batch.size for batch in all_batches)
    first = st.tuples(st.integers(1, 2), st.integers(begin, begin + end))
    return Fetch(
        all_batches,
        begin,
        draw(st.integers(0, all_batches[0].size)),
        draw(st.sampled_from([READ_COMMITTED, READ_UNCOMMITTED])),
        draw(st.lists(first, max_size=3)),
        draw(st.integers(0, 80)),
    )


def triples(runs: Sequence[Run]) -> list[tuple[bytes, int, int]]:
    return [
        found
        for run in runs
        for found in zip(run.values, run.offsets.tolist(), run.timestamps.tolist(), strict=True)
    ]


def agree(fetch: Fetch, data: bytes, most: int) -> None:
    """Hold the runs against the records that aiokafka itself makes."""
    theirs = fetch.records(data)
    expected = [
        (record.value or b"", record.offset, -1 if record.timestamp is None else record.timestamp)
        for record in theirs
    ]
    ours = FetchedRuns(fetch.records(data), data, most)
    runs = []
    for run in ours:
        runs.append(run)
        assert ours.next_fetch_offset >= run.end
    assert triples(runs) == expected
    assert [len(run) for run in runs[:-1]] == [most] * (len(runs) - 1)
    assert all(0 < len(run) <= most for run in runs)
    assert ours.next_fetch_offset == theirs.next_fetch_offset


@given(fetches(), st.integers(1, 20))
def test_runs_hold_what_aiokafka_reads_whatever_was_written(fetch: Fetch, most: int) -> None:
    agree(fetch, fetch.data, most)


@given(fetches(), st.integers(1, 20), st.integers(0, 30))
def test_whoever_stops_between_two_runs_reads_on_from_there_without_loss(
    fetch: Fetch, most: int, taken: int
) -> None:
    data = fetch.data
    whole = triples(list(FetchedRuns(fetch.records(data), data, most)))
    first = FetchedRuns(fetch.records(data), data, most)
    begun = list(islice(first, taken))
    again = replace(fetch, offset=first.next_fetch_offset - fetch.begin)
    assert triples([*begun, *FetchedRuns(again.records(data), data, most)]) == whole


@pytest.mark.parametrize("codec", [NONE, GZIP, SNAPPY, LZ4, ZSTD])
def test_every_codec_is_read(codec: int) -> None:
    batch = Batch([(n, n, b"k", b"value" * n, []) for n in range(50)], codec)
    fetch = Fetch([batch, batch])
    runs = list(FetchedRuns(fetch.records(fetch.data), fetch.data, 70))
    assert [len(run) for run in runs] == [70, 30]
    assert [value for run in runs for value in run.values] == [b"value" * n for n in range(50)] * 2


def test_what_a_failed_transaction_wrote_is_left_out_where_that_is_asked_for() -> None:
    told = Batch([(0, 5, None, b"kept", [])])
    broken = Batch([(0, 5, None, b"undone", [])], NONE, TRANSACTIONAL, 1)
    marker = Batch([(0, 5, ABORT, b"", [])], NONE, TRANSACTIONAL | CONTROL, 1)
    later = Batch([(0, 5, None, b"done", [])], NONE, TRANSACTIONAL, 1)
    seen = []
    for isolation in (READ_COMMITTED, READ_UNCOMMITTED):
        fetch = Fetch([told, broken, marker, later], 0, 0, isolation, [(1, 1)])
        [run] = FetchedRuns(fetch.records(fetch.data), fetch.data, MOST)
        seen.append(list(run.values))
    assert seen == [[b"kept", b"done"], [b"kept", b"undone", b"done"]]


@given(st.integers(0, 2), st.integers(21, 69))
def test_a_broken_batch_is_refused_and_what_lies_before_it_can_be_read_again(
    broken: int, at: int
) -> None:
    written = [Batch().written(base) for base in range(3)]
    changed = bytearray(written[broken])
    changed[min(at, len(changed) - 1)] ^= 1
    written[broken] = bytes(changed)
    data, fetch = b"".join(written), Fetch([])
    runs = FetchedRuns(fetch.records(data), data, 1)
    assert len(list(islice(runs, broken))) == broken
    with pytest.raises(CorruptRecordException, match="Invalid CRC"):
        next(runs)
    assert list(runs) == []
    assert runs.next_fetch_offset == broken


@pytest.mark.parametrize(
    ("magic", "codec"),
    [(0, NONE), (0, GZIP), (0, SNAPPY), (1, NONE), (1, GZIP), (1, SNAPPY), (1, LZ4)],
)
def test_formats_of_old_are_read_too(magic: int, codec: int) -> None:
    builder = LegacyRecordBatchBuilder(magic, codec, 1 << 20)
    for offset in range(10):
        builder.append(offset, 1000 + offset, None, b"%d" % offset)
    data = bytes(builder.build())
    if codec:  # a broker sets the offset of the message around the others to that of the last
        data = struct.pack(">q", 9) + data[8:]
    agree(Fetch([]), data, 4)
    agree(Fetch([], offset=3), data, 100)


@given(st.binary(max_size=60), st.integers(-1, 5))
def test_whatever_is_no_record_is_refused(data: bytes, count: int) -> None:
    try:
        places = locate(data, 0, count)
    except CorruptRecordException:
        return
    assert places.shape == (count, 4)
    assert (places[:, 0] <= places[:, 1]).all()
    assert ((places[:, :2] >= 0) & (places[:, :2] <= len(data))).all()


@pytest.mark.parametrize(
    "record",
    [
        b"\x0c\x00\x00\x00\x01\x02v",  # ends before its length
        b"\x0e\x00\x00\x00\x01\x0av\x00",  # its value ends behind it
        b"\x0e\x00\x00\x00\x40\x02v\x00",  # its key ends behind it
        b"\x00",
        b"\x80" * 11,
    ],
)
def test_a_record_whose_lengths_do_not_fit_is_refused(record: bytes) -> None:
    assert locate(b"\x0e\x00\x00\x00\x01\x02v\x00", 0, 1).tolist() == [[6, 7, 0, 0]]
    with pytest.raises(CorruptRecordException, match="1 records do not fill"):
        locate(record, 0, 1)
