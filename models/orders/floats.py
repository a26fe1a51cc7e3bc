"""From decimal to binary: the double that is nearest to a decimal number.

What is exact in doubles is one multiplication or division (Clinger, 1990). The rest is the
algorithm of Eisel and Lemire ("Number parsing at a gigabyte per second", 2021): the significand
times a power of five kept in 128 bits, of which the upper bits are known to be right; no fallback
is needed (Mushtak and Lemire, 2023).
"""

from math import ldexp, nan
from typing import Final

import numpy as np
from numba import njit

REACH: Final = 27  # the powers kept, either way: 5**27 is the largest that fits in 64 bits
_EXACT: Final = 22  # the largest power of ten that is a double
_POWERS_OF_TEN: Final = np.array([float(10**exponent) for exponent in range(_EXACT + 1)])

_ONE: Final = np.uint64(1)
_HALF: Final = np.uint64(32)
_LOWER: Final = np.uint64(0xFFFFFFFF)
_TOP: Final = np.uint64(63)
_UNSURE: Final = np.uint64(0x1FF)  # bits below the 55 that decide; all set, a carry may reach these
_ROUNDED: Final = np.uint64(9)  # bits below the 55, or 54, where the top bit is not set


def _power_of_five(exponent: int) -> int:
    """Give the 128 leading bits of a power of five, rounded up where they are not all."""
    power: int = 5 ** abs(exponent)
    length = power.bit_length()
    return power << 128 - length if exponent >= 0 else (1 << length + 127) // power + 1


_FIVES: Final = np.array(
    [divmod(_power_of_five(exponent), 1 << 64) for exponent in range(-REACH, REACH + 1)], np.uint64
)


@njit(cache=True)
def nearest_double(digits: np.uint64, exponent: int) -> float:
    """Give the double nearest to digits * 10**exponent, ties to even; NaN beyond REACH."""
    if digits >> np.uint64(53) == 0 and abs(exponent) <= _EXACT:
        if exponent < 0:
            return float(digits) / float(_POWERS_OF_TEN[-exponent])
        return float(digits) * float(_POWERS_OF_TEN[exponent])
    if abs(exponent) > REACH:
        return nan
    return 0.0 if digits == 0 else _rounded(digits, exponent)


@njit(cache=True)
def _rounded(digits: np.uint64, exponent: int) -> float:
    """Multiply by the power of five, and round to 53 bits."""
    shift = 0
    while digits >> _TOP == 0:
        digits <<= _ONE
        shift += 1
    high, low = _product(digits, _FIVES[exponent + REACH, 0])
    if high & _UNSURE == _UNSURE:
        more, _ = _product(digits, _FIVES[exponent + REACH, 1])
        low += more
        high += np.uint64(low < more)
    top = high >> _TOP
    rounding = top + _ROUNDED
    bits = high >> rounding  # 54 of them: those of the double, and one to round by
    is_tie = low <= _ONE and -4 <= exponent <= 23 and bits << rounding == high
    if is_tie and bits & np.uint64(3) == _ONE:
        bits -= _ONE
    bits = (bits + (bits & _ONE)) >> _ONE
    power = (217706 * exponent) >> 16  # floor of exponent * log2(10), for these exponents
    return ldexp(np.float64(bits), power + 63 - 52 + int(np.int64(top)) - shift)


@njit(cache=True)
def _product(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Multiply in full: the upper and the lower half."""
    low = (a & _LOWER) * (b & _LOWER)
    first = (a >> _HALF) * (b & _LOWER) + (low >> _HALF)
    second = (a & _LOWER) * (b >> _HALF) + (first & _LOWER)
    high = (a >> _HALF) * (b >> _HALF) + (first >> _HALF) + (second >> _HALF)
    return high, a * b
