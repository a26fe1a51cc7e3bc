"""Zstandard for record batches, by compressors that are kept.

aiokafka makes a new one for each batch, which costs more than a small batch does, and lets it try
as hard as a broker would. What workers write for one another is read once and gone in a week.
"""

import sys
import threading
from typing import Final

import zstandard
from aiokafka.record.default_records import DefaultRecordBatchBuilder

LEVEL: Final = -1  # of zstd: half the time of level 3 for a twentieth more bytes


class _Kept(threading.local):
    """What a thread compresses with: it is no other's, meanwhile."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_kept: Final = _Kept()


def compress(data: bytes) -> bytes:
    """Write one frame of zstd."""
    return _kept.compressor.compress(data)


def decompress(data: bytes) -> bytes:
    """Read one frame of zstd, whether or not it says how long its content is, as Java's do not.

    Raises `zstandard.ZstdError` where it is broken.
    """
    if zstandard.frame_content_size(data) >= 0:
        return _kept.decompressor.decompress(data)
    frame = _kept.decompressor.decompressobj()
    content = frame.decompress(data)
    if not frame.eof:
        raise zstandard.ZstdError("the frame is cut short")
    return content


def keep_compressors() -> None:
    """Let all producers of this process compress so; aiokafka has no setting for it."""
    vars(sys.modules[DefaultRecordBatchBuilder.__module__])["zstd_encode"] = compress
