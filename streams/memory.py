"""How a long-running process gets memory, and looks for what is left of it."""

import ctypes
import gc
import sys
from typing import Final

M_ARENA_MAX: Final = -8  # of mallopt, in glibc's malloc.h
ARENAS: Final = 2
SELDOM: Final = 1000  # looks at what is young and middle-aged, for each at what is old


def share_arenas() -> bool:
    """Let all threads allocate from two arenas; gives whether the C library knows such a thing.

    Left to itself, glibc gives each thread one of its own, and each of them keeps what its thread
    needed at most: a worker's fetching and packing threads held some 40 MB that nobody used.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(M_ARENA_MAX, ARENAS))


def collect_seldom() -> None:
    """Leave alone what there is by now, and seldom look through all that is old for cycles.

    Such a look holds an event loop up for 20 to 80 ms; it came every few seconds, and found some
    dozens of objects in a minute. What is young is looked through as often as ever.
    """
    gc.freeze()
    young, middle_aged, _ = gc.get_threshold()
    gc.set_threshold(young, middle_aged, SELDOM)
