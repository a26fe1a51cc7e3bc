"""Hashes of names, the same in every process and on every machine.

SipHash-2-4 (Aumasson and Bernstein, 2012) of the name in UTF-8 under a fixed key, mixed once more
as SplitMix64 does. State and topics hold these hashes: they must never change.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.orders.tokens import PADDING, word_at

_KEY: Final = np.frombuffer(b"0123456789123456", "<u8")
_V0: Final = _KEY[0] ^ np.uint64(0x736F6D6570736575)
_V1: Final = _KEY[1] ^ np.uint64(0x646F72616E646F6D)
_V2: Final = _KEY[0] ^ np.uint64(0x6C7967656E657261)
_V3: Final = _KEY[1] ^ np.uint64(0x7465646279746573)


def stable_hashes(strings: Sequence[str]) -> NDArray[np.uint64]:
    """64-bit hashes of strings; shape (n,)."""
    text = "".join(strings)
    if text.isascii():
        letters, lengths = text.encode(), map(len, strings)
    else:
        parts = [string.encode() for string in strings]
        letters, lengths = b"".join(parts), map(len, parts)
    padded = np.frombuffer(letters + bytes(PADDING), np.uint8)
    return _hashes(padded, np.fromiter(lengths, np.int64, len(strings)))


@njit(cache=True)
def _hashes(letters: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hash the strings that lie one after the other, with padding behind them."""
    hashes = np.empty(len(lengths), np.uint64)
    text, start = int(letters.ctypes.data), 0
    for i in range(len(lengths)):
        hashes[i] = stable_hash(text, start, int(lengths[i]))
        start += int(lengths[i])
    return hashes


@njit(cache=True)
def stable_hash(text: int, place: int, length: int) -> np.uint64:
    """Hash so many bytes of a text, as in `models.orders.tokens`, from a place on."""
    return _mixed(_siphash(text, place, length))


@njit(cache=True)
def _siphash(text: int, place: int, length: int) -> np.uint64:
    """Mix the words of eight bytes in, two rounds for each, and four at the end."""
    v0, v1, v2, v3 = _V0, _V1, _V2, _V3
    left = length & 7  # bytes of the last word, which ends with the length
    last = place + length - left
    for at in range(place, last, 8):
        word = word_at(text, at)
        v0, v1, v2, v3 = _round(*_round(v0, v1, v2, v3 ^ word))
        v0 ^= word
    kept = (np.uint64(1) << np.uint64(8 * left)) - np.uint64(1)
    word = (word_at(text, last) & kept) | (np.uint64(length) << np.uint64(56))
    v0, v1, v2, v3 = _round(*_round(v0, v1, v2, v3 ^ word))
    v0, v1, v2, v3 = _round(*_round(v0 ^ word, v1, v2 ^ np.uint64(255), v3))
    v0, v1, v2, v3 = _round(*_round(v0, v1, v2, v3))
    return v0 ^ v1 ^ v2 ^ v3


@njit(cache=True)
def _round(
    v0: np.uint64, v1: np.uint64, v2: np.uint64, v3: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    v0 += v1
    v2 += v3
    v1 = _turned(v1, np.uint64(13)) ^ v0
    v3 = _turned(v3, np.uint64(16)) ^ v2
    v0 = _turned(v0, np.uint64(32)) + v3
    v2 += v1
    v3 = _turned(v3, np.uint64(21)) ^ v0
    v1 = _turned(v1, np.uint64(17)) ^ v2
    return v0, v1, _turned(v2, np.uint64(32)), v3


@njit(cache=True)
def _turned(value: np.uint64, bits: np.uint64) -> np.uint64:
    return (value << bits) | (value >> (np.uint64(64) - bits))


@njit(cache=True)
def _mixed(value: np.uint64) -> np.uint64:
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
