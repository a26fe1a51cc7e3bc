import random
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard
from aiokafka import codec
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from streams.worker.compression import compress, decompress, keep_compressors

ZSTD = 4


@given(st.binary(max_size=4096))
def test_what_is_compressed_is_read_here_and_by_others(data: bytes) -> None:
    assert decompress(compress(data)) == data
    assert codec.zstd_decode(compress(data)) == data


@given(st.binary(max_size=4096), st.booleans())
def test_what_others_compressed_is_read_whether_or_not_they_said_how_long_it_is(
    data: bytes, is_told: bool
) -> None:
    other = zstandard.ZstdCompressor(write_content_size=is_told)
    writer = other.compressobj(size=len(data) if is_told else -1)
    assert decompress(writer.compress(data) + writer.flush()) == data


def test_what_is_broken_is_refused() -> None:
    with pytest.raises(zstandard.ZstdError):
        decompress(b"no frame")
    for is_told in (False, True):
        other = zstandard.ZstdCompressor(write_content_size=is_told)
        with pytest.raises(zstandard.ZstdError):
            decompress(other.compress(b"content")[:-1])


def test_threads_do_not_get_into_each_others_way() -> None:
    draw = random.Random(1)
    parts = [bytes(draw.choices(b"abcdefgh", k=20_000)) for _ in range(200)]
    with ThreadPoolExecutor(4) as pool:
        assert [decompress(part) for part in pool.map(compress, parts)] == parts


def test_producers_write_batches_so_and_every_reader_understands_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = sys.modules[DefaultRecordBatchBuilder.__module__]
    monkeypatch.setattr(module, "zstd_encode", codec.zstd_encode)  # put back afterwards

    def written() -> bytes:
        builder = DefaultRecordBatchBuilder(2, ZSTD, 0, -1, -1, 0, 1 << 20)
        for offset in range(50):
            builder.append(offset, 5, b"key", b"value %d" % offset, [])
        return bytes(builder.build())

    before = written()
    keep_compressors()
    batch = written()
    assert batch != before
    records = MemoryRecords(batch).next_batch()
    assert records is not None
    assert [record.value for record in records] == [b"value %d" % n for n in range(50)]
