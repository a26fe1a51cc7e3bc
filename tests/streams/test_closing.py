import pytest
from typing_extensions import override

from streams.closing import Closing


class Door(Closing):
    """Something to close."""

    closed = 0

    @override
    def close(self) -> None:
        self.closed += 1


def test_it_is_closed_once_at_the_end_of_the_block() -> None:
    with Door() as door:
        assert door.closed == 0
    assert door.closed == 1


def test_it_is_closed_by_an_error_too_which_goes_on() -> None:
    door = Door()
    with pytest.raises(OSError, match="draught"), door:
        raise OSError("draught")
    assert door.closed == 1
