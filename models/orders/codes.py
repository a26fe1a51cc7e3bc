"""Codes for the names in a text, in order of appearance.

A span says where a name lies: its place in the text and, in the lowest bits, its length. Names
stand in rows of spans; one of two parts, as a market of its venue and symbol, has two of them side
by side. A text is given as its address, as in `models.orders.tokens`.
"""

from typing import Final

import numpy as np
from numba import njit

from models.orders.batch import MARKET_SEPARATOR, NONE, Int32s, Int64s, UInt8s, UInt64s
from models.orders.hashing import stable_hash
from models.orders.tokens import letter_at, word_at

NO_NAME: Final = 0  # the span of a name that is not given
FREE: Final = -1  # a slot without a name
NAME_END: Final = "\n"  # behind each name in a written text

_END: Final = ord(NAME_END)
_JOINT: Final = ord(MARKET_SEPARATOR)
_LENGTH_BITS: Final = 9
_LENGTH: Final = (1 << _LENGTH_BITS) - 1

_ODD: Final = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio
_HALF: Final = np.uint64(32)
_ALL: Final = np.uint64(0xFFFFFFFFFFFFFFFF)


@njit(cache=True)
def span_of(place: int, length: int) -> int:
    """Give the span of a name of at most 511 bytes."""
    return (place << _LENGTH_BITS) | length


@njit(cache=True)
def free_slots(names: int) -> Int32s:
    """Make slots for so many distinct names: a power of two, at least half of them to stay free."""
    count = 2
    while count < 2 * names:
        count *= 2
    return np.full(count, FREE, np.int32)


@njit(cache=True)
def code_names(
    text: int, names: Int64s, slots: Int32s, found: Int64s, count: int, codes: Int32s
) -> int:
    """Code each name, NONE where it is not given; gives how many distinct ones there are then.

    `names` has shape (n, parts) and `codes` (n,). `found` holds the distinct names so far, `count`
    of them, in the order of their codes, and `slots` their codes by their bytes: both grow.
    """
    last = len(slots) - 1
    for row in range(len(names)):
        if names[row, 0] == NO_NAME:
            codes[row] = NONE
            continue
        slot = _scattered(text, names, row) & last
        while slots[slot] != FREE and not _are_equal(text, names, row, found, slots[slot]):
            slot = (slot + 1) & last
        if slots[slot] == FREE:
            slots[slot] = count
            for part in range(names.shape[1]):
                found[count, part] = names[row, part]
            count += 1
        codes[row] = slots[slot]
    return count


@njit(cache=True)
def _scattered(text: int, names: Int64s, row: int) -> int:
    """Hash a name for its slot."""
    mixed = np.uint64(0)
    for part in range(names.shape[1]):
        place, left = names[row, part] >> _LENGTH_BITS, names[row, part] & _LENGTH
        while left > 0:
            mixed = (mixed ^ _beginning(word_at(text, place), left)) * _ODD
            mixed ^= mixed >> _HALF
            place += 8
            left -= 8
    return int(np.int64(mixed))


@njit(cache=True)
def _are_equal(text: int, names: Int64s, row: int, found: Int64s, code: int) -> bool:
    for part in range(names.shape[1]):
        left = names[row, part] & _LENGTH
        if left != found[code, part] & _LENGTH:
            return False
        place, other = names[row, part] >> _LENGTH_BITS, found[code, part] >> _LENGTH_BITS
        while left > 0:
            if _beginning(word_at(text, place) ^ word_at(text, other), left):
                return False
            place += 8
            other += 8
            left -= 8
    return True


@njit(cache=True)
def _beginning(word: np.uint64, count: int) -> np.uint64:
    """Give the first bytes of a word with zeros behind them; all eight, where more are left."""
    kept: np.uint64 = word & (_ALL >> np.uint64(max(8 - count, 0) * 8))
    return kept


@njit(cache=True)
def size_of(names: Int64s) -> int:
    """Give how many bytes names take when they are written."""
    size = 0
    for row in range(len(names)):
        for part in range(names.shape[1]):
            size += (names[row, part] & _LENGTH) + 1
    return size


@njit(cache=True)
def write_names(text: int, names: Int64s, letters: UInt8s, start: int, hashes: UInt64s) -> int:
    """Write names behind each other from a place on, and hash them; gives the place behind them."""
    written = int(letters.ctypes.data)
    for row in range(len(names)):
        end = start
        for part in range(names.shape[1]):
            place = int(names[row, part] >> _LENGTH_BITS)
            for at in range(names[row, part] & _LENGTH):
                letters[end] = letter_at(text, place + at)
                end += 1
            letters[end] = _JOINT
            end += 1
        letters[end - 1] = _END
        hashes[row] = stable_hash(written, start, end - 1 - start)
        start = end
    return start


@njit(cache=True)
def hash_names(text: int, names: Int64s) -> UInt64s:
    """Hash names of one part, shape (n,); 0 where a name is not given."""
    hashes = np.zeros(len(names), np.uint64)
    for row in range(len(names)):
        if names[row] != NO_NAME:
            place, length = int(names[row] >> _LENGTH_BITS), int(names[row] & _LENGTH)
            hashes[row] = stable_hash(text, place, length)
    return hashes
