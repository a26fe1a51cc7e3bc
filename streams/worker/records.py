"""Runs straight from the bytes of a fetch, where aiokafka makes an object of every record."""
# ruff: noqa: SLF001 - private parts of aiokafka, as in the transport

import struct
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

import numpy as np
from aiokafka import codec
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from crc32c import crc32c
from numba import njit
from numpy.typing import NDArray

from models.orders.texts import Texts
from streams.worker.compression import decompress
from streams.worker.runs import Run

_LENGTH: Final = struct.Struct(">8xi")  # of a batch, behind these two fields
_CRC: Final = struct.Struct(">17xI")  # of all behind it
_COUNT: Final = struct.Struct(">57xi")  # of its records
_HEADER: Final = _COUNT.size
_MAGIC_AT: Final = 16
_MAGIC: Final = 2  # the record batches of Kafka 0.11 and later
_DECODERS: Final[dict[int, Callable[[bytes], bytes]]] = {
    DefaultRecordBatch.CODEC_GZIP: codec.gzip_decode,
    DefaultRecordBatch.CODEC_SNAPPY: codec.snappy_decode,
    DefaultRecordBatch.CODEC_LZ4: codec.lz4_decode,
    DefaultRecordBatch.CODEC_ZSTD: decompress,
}


class FetchedRuns:
    """Takes the place of what a fetch found in a partition, and gives it in runs.

    It stands at `next_fetch_offset` as aiokafka's own iterator does: behind all that it has given,
    and behind what is not to be read. Formats before Kafka 0.11 are left to that iterator.
    """

    def __init__(self, found: PartitionRecords, data: bytes, most: int) -> None:
        self.next_fetch_offset: int = found.next_fetch_offset
        self._found = found
        self._runs = self._gathered(data, most) if _is_new(data) else self._record_by_record(most)

    def __iter__(self) -> Iterator[Run]:
        return self

    def __next__(self) -> Run:
        return next(self._runs)

    def _record_by_record(self, most: int) -> Iterator[Run]:
        self._found._consumer_record = _as_it_is
        is_more = True
        while is_more:
            records = list(islice(self._found, most))
            is_more = len(records) == most
            self.next_fetch_offset = self._found.next_fetch_offset
            if records:
                yield Run.of(records)

    def _gathered(self, data: bytes, most: int) -> Iterator[Run]:
        """Give runs of so many records, whatever the batches in which they came."""
        parts: list[Run] = []
        room = most
        for batch in self._batches(data):
            rest: Run | None = batch
            while rest is not None and len(rest) >= room:
                first, rest = rest.divided(room)
                self.next_fetch_offset = first.end
                yield Run.joined([*parts, first])
                parts, room = [], most
            if rest is not None:
                parts.append(rest)
                room -= len(rest)
        if parts:
            yield Run.joined(parts)

    def _batches(self, data: bytes) -> Iterator[Run]:
        """Give the records of each batch that is to be read, from the fetch offset on."""
        start, found = 0, self._found
        while found._records.has_next():
            batch = found._records.next_batch()
            end = start + _LENGTH.size + _LENGTH.unpack_from(data, start)[0]
            if found._check_crcs and not _is_whole(data, start, end):
                raise CorruptRecordException(f"Invalid CRC - {found._tp}")
            if not (self._is_aborted(batch) or batch.is_control_batch):
                run = _read(batch, data[start:end]).since(self.next_fetch_offset)
                if run:
                    yield run
            self.next_fetch_offset = max(self.next_fetch_offset, batch.next_offset)
            start = end

    def _is_aborted(self, batch: Any) -> bool:
        """Whether a batch belongs to a transaction that failed, which some readers want to see."""
        found = self._found
        if found._isolation_level != READ_COMMITTED or batch.producer_id is None:
            return False
        found._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and found._contains_abort_marker(batch):
            found._aborted_producers.discard(batch.producer_id)
        return batch.is_transactional and batch.producer_id in found._aborted_producers


def _is_whole(data: bytes, start: int, end: int) -> bool:
    """Whether a batch is as it was written; to ask aiokafka takes over ten times longer."""
    (crc,) = _CRC.unpack_from(data, start)
    return crc32c(memoryview(data)[start + _CRC.size : end]) == int(crc)


def locate(data: bytes, start: int, count: int) -> NDArray[np.int64]:
    """Find records that lie one after the other, to the end of the data.

    Gives for each where its value begins and ends (at once, without one), its offset and its
    timestamp, both counted from those of the batch: shape (count, 4).
    """
    places = np.empty((max(count, 0), 4), np.int64)
    if _locate(np.frombuffer(data, np.uint8), start, places) != len(data) or count < 0:
        raise CorruptRecordException(
            f"{count} records do not fill the {len(data)} bytes of a batch"
        )
    return places


def _read(batch: Any, data: bytes) -> Run:
    """Give the records of a batch."""
    (count,) = _COUNT.unpack_from(data)
    start = _HEADER
    if batch.compression_type != DefaultRecordBatch.CODEC_NONE:
        data, start = _DECODERS[batch.compression_type](data[_HEADER:]), 0
    places = locate(data, start, count)
    timestamps: NDArray[np.int64] = batch.first_timestamp + places[:, 3]
    if batch.timestamp_type:  # the broker's, one for all
        timestamps[:] = batch.max_timestamp
    return Run(
        Texts(data, np.ascontiguousarray(places[:, :2])),
        batch.base_offset + places[:, 2],
        timestamps,
    )


def _is_new(data: bytes) -> bool:
    """Whether all batches that are there in full are of the present format."""
    start, size = 0, len(data)
    while start + _LENGTH.size <= size:
        end = start + _LENGTH.size + int(_LENGTH.unpack_from(data, start)[0])
        if end > size:
            break
        if end < start + _HEADER or data[start + _MAGIC_AT] != _MAGIC:
            return False
        start = end
    return True


def _as_it_is(_: Any, record: Any) -> Any:
    return record


@njit(cache=True, nogil=True)
def _locate(data: NDArray[np.uint8], at: int, places: NDArray[np.int64]) -> int:
    """Fill in the places; gives where the last record ends, or -1 where one is broken."""
    for row in range(len(places)):
        length, at = _number(data, at)
        if not 0 < length <= len(data) - at:
            return -1
        end = at + length
        places[row, 3], at = _number(data, at + 1)  # behind attributes that say nothing yet
        places[row, 2], at = _number(data, at)
        key, at = _number(data, at)
        at += max(0, min(key, end - at))
        value, at = _number(data, at)
        if max(value, 0) >= end - at:  # where at least the number of headers follows
            return -1
        places[row, 0], places[row, 1] = at, at + max(value, 0)
        at = end  # behind the headers
    return at


@njit(cache=True, nogil=True)
def _number(data: NDArray[np.uint8], at: int) -> tuple[Any, int]:
    """Read a zigzag number of variable length; gives it, and where it ends."""
    number, shift = np.uint64(0), np.uint64(0)
    while at < len(data) and shift < np.uint64(64):
        part = np.uint64(data[at])
        at += 1
        number |= (part & np.uint64(0x7F)) << shift
        if part < np.uint64(0x80):
            sign = np.int64(number & np.uint64(1))
            return np.int64(number >> np.uint64(1)) ^ -sign, at
        shift += np.uint64(7)
    return np.int64(0), len(data) + 1
