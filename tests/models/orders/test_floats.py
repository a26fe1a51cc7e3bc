import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.orders.floats import REACH, nearest_double

digits = st.integers(0, 10**19 - 1) | st.integers(0, 2**54)
exponents = st.integers(-REACH, REACH)


@given(digits, exponents)
@example(2**53 + 1, 0)  # halfway between two doubles, and so are the next
@example(2**54 + 2, 0)
@example(9007199254740993, 3)
@example(45035996273704985, -1)
@example(85, 21)
@example(10**19 - 1, REACH)
@example(1, -REACH)
@example(0, REACH)
def test_a_decimal_becomes_the_double_that_python_reads(number: int, exponent: int) -> None:
    assert nearest_double(np.uint64(number), exponent) == float(f"{number}e{exponent}")


@given(st.integers(2**52, 2**53 - 1), st.integers(1, 3), st.sampled_from([-1, 0, 1]))
def test_the_middle_of_two_doubles_goes_to_the_even_one(low: int, places: int, aside: int) -> None:
    middle = (2 * low + 1) * 10**places // 2 + aside
    expected = float(Fraction(middle, 10**places))
    assert nearest_double(np.uint64(middle), -places) == expected


@given(st.floats(1e-10, 1e15))
def test_a_double_is_read_as_it_was_written(written: float) -> None:
    significand, exponent = f"{written:.16e}".split("e")
    number = int(significand.replace(".", ""))
    assert nearest_double(np.uint64(number), int(exponent) - 16) == written


@pytest.mark.parametrize("exponent", [-REACH - 1, REACH + 1, 400, -400])
def test_beyond_the_powers_at_hand_there_is_no_answer(exponent: int) -> None:
    assert math.isnan(nearest_double(np.uint64(1), exponent))
