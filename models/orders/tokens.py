"""The tokens of JSON, read eight bytes at a time.

A text is given as its address, since arrays are counted in and out at every call between kernels,
which took ten times as long as the reading. Sixteen zero bytes must follow the last token, so that
every search ends there. A token is read from its place, an offset of bytes, and the place behind it
is given; NOT_PLAIN, where there is none or none of the plain kind.

Bytes are looked for in words of eight, the first lowest (Mycroft, 1987): the highest bit of a byte
marks it as found. Only the first mark is sure to be right, as subtraction borrows from the bytes
behind.
"""

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

NOT_PLAIN: Final = -1
PADDING: Final = 16
QUOTE: Final = ord('"')

_SPACE: Final = ord(" ")
_TAB: Final = ord("\t")
_LINE_FEED: Final = ord("\n")
_RETURN: Final = ord("\r")
_MINUS: Final = ord("-")
_PLUS: Final = ord("+")
_POINT: Final = ord(".")
_ZERO: Final = ord("0")
_E: Final = ord("e")
_SMALL: Final = 0x20  # the bit that makes a letter small

_ONE: Final = np.uint64(1)
_EACH: Final = np.uint64(0x0101010101010101)
_MARKS: Final = _EACH * np.uint64(0x80)
_SPACES: Final = _EACH * np.uint64(_SPACE)
_QUOTES: Final = _EACH * np.uint64(QUOTE)
_BACKSLASHES: Final = _EACH * np.uint64(ord("\\"))
_DELETES: Final = _EACH * np.uint64(0x7F)
_ZEROS: Final = _EACH * np.uint64(_ZERO)
_BEYOND_NINE: Final = _EACH * np.uint64(0x80 - ord(":"))

_LIMIT: Final = 10**19  # of what digits may amount to, below 2**64
_POWERS: Final = np.array([10**count for count in range(9)], np.uint64)
_ROOM: Final = np.array([_LIMIT // 10**count for count in range(9)], np.uint64)
_EVERY_FOURTH: Final = np.uint64(0x000000FF000000FF)
_UPPER_PAIRS: Final = np.uint64(100 + (1000000 << 32))
_LOWER_PAIRS: Final = np.uint64(1 + (10000 << 32))


def _loaded(kind: Any) -> Callable[[int, int], Any]:
    """Make what loads a number of a kind from a text and a place in it, aligned or not."""

    def typed(_: Any, text: Any, place: Any) -> Any:
        def load(context: Any, builder: Any, __: Any, arguments: Any) -> Any:
            pointer = context.get_value_type(kind).as_pointer()
            return builder.load(builder.inttoptr(builder.add(*arguments), pointer), align=1)

        return kind(types.int64, types.int64), load

    return cast("Callable[[int, int], Any]", intrinsic(typed))


word_at: Callable[[int, int], np.uint64] = _loaded(types.uint64)  # eight bytes
letter_at: Callable[[int, int], int] = _loaded(types.uint8)


@njit(cache=True)
def behind_space(text: int, place: int, end: int) -> int:
    """Pass over white space, up to the end."""
    while place < end:
        letter = letter_at(text, place)
        if letter > _SPACE or letter not in (_SPACE, _LINE_FEED, _RETURN, _TAB):
            break
        place += 1
    return place


@njit(cache=True)
def behind_string(text: int, place: int, end: int) -> int:
    """Pass over a string of printable ASCII without escapes."""
    if letter_at(text, place) != QUOTE:
        return NOT_PLAIN
    place += 1
    while place < end:
        word = word_at(text, place)
        marks = _marked(word, _QUOTES) | _marked(word, _BACKSLASHES) | _marked(word, _DELETES)
        marks = (marks | ((word - _SPACES) & ~word) | word) & _MARKS
        if marks:
            place += _before(marks)
            return place + 1 if letter_at(text, place) == QUOTE else NOT_PLAIN
        place += 8
    return NOT_PLAIN


@njit(cache=True)
def _marked(word: np.uint64, wanted: np.uint64) -> np.uint64:
    """Mark the bytes that are as wanted."""
    other: np.uint64 = word ^ wanted
    return (other - _EACH) & ~other


@njit(cache=True)
def _before(marks: np.uint64) -> int:
    """Count the bytes before the first mark."""
    below = (marks & (~marks + _ONE)) - _ONE
    return int(np.int64(((below & _EACH) * _EACH) >> np.uint64(56))) - 1


@njit(cache=True)
def digits(text: int, place: int, number: np.uint64) -> tuple[np.uint64, int]:
    """Read digits, at the end of those of a number; NOT_PLAIN where they amount to 10**19."""
    while True:
        word = word_at(text, place) - _ZEROS
        marks = (word | (word + _ZEROS + _BEYOND_NINE)) & _MARKS
        count = _before(marks) if marks else 8
        if number >= _ROOM[count]:
            return number, NOT_PLAIN
        half = np.uint64((8 - count) * 4)
        number = number * _POWERS[count] + _joined((word << half) << half)
        place += count
        if count < 8:
            return number, place


@njit(cache=True)
def _joined(word: np.uint64) -> np.uint64:
    """Give the number of eight digits, by pairs and then by all four pairs at once."""
    pairs = word * np.uint64(10) + (word >> np.uint64(8))
    upper = (pairs & _EVERY_FOURTH) * _UPPER_PAIRS
    lower = ((pairs >> np.uint64(16)) & _EVERY_FOURTH) * _LOWER_PAIRS
    return (upper + lower) >> np.uint64(32)


@njit(cache=True)
def number(text: int, place: int) -> tuple[np.uint64, int, int]:
    """Read a number without a sign: its digits, the power of ten they stand for, the place behind.

    An exponent has at most three digits.
    """
    first = place
    read, place = digits(text, first, np.uint64(0))
    if place <= first or (place > first + 1 and letter_at(text, first) == _ZERO):
        return read, 0, NOT_PLAIN
    power = 0
    if letter_at(text, place) == _POINT:
        first = place + 1
        read, place = digits(text, first, read)
        if place <= first:
            return read, 0, NOT_PLAIN
        power = first - place
    if letter_at(text, place) | _SMALL != _E:
        return read, power, place
    exponent, place = _exponent(text, place + 1)
    return read, power + exponent, place


@njit(cache=True)
def _exponent(text: int, place: int) -> tuple[int, int]:
    """Read an exponent behind its e."""
    sign = letter_at(text, place)
    first = place + (sign in (_MINUS, _PLUS))
    read, place = digits(text, first, np.uint64(0))
    if not first < place <= first + 3:
        return 0, NOT_PLAIN
    exponent = int(np.int64(read))
    return -exponent if sign == _MINUS else exponent, place


@njit(cache=True)
def behind_number(text: int, place: int) -> int:
    """Pass over a number."""
    return number(text, place + (letter_at(text, place) == _MINUS))[2]
