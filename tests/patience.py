"""How tests wait: for a condition, and long, for machines are shared; what comes costs nothing."""

import time
from collections.abc import Callable
from typing import Final

PATIENCE_S: Final = 120.0
LOOK_S: Final = 0.02  # least time between two looks


def wait_until(
    is_so: Callable[[], object], said: Callable[[], object] = str, seconds: float = PATIENCE_S
) -> None:
    """Return once it is so; AssertionError, with what was said until then, where it never is.

    It looks for half of the time at most, so that what it waits for gets on meanwhile.
    """
    deadline = time.monotonic() + seconds
    while True:
        began = time.monotonic()
        if is_so():
            return
        now = time.monotonic()
        assert now < deadline, said()
        time.sleep(max(LOOK_S, now - began))
