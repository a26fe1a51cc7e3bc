"""How the C library hands out memory to threads."""

import ctypes
import sys
from typing import Final

M_ARENA_MAX: Final = -8  # of mallopt, in glibc's malloc.h
ARENAS: Final = 2


def share_arenas() -> bool:
    """Let all threads allocate from two arenas; gives whether the C library knows such a thing.

    Left to itself, glibc gives each thread one of its own, and each of them keeps what its thread
    needed at most: a worker's fetching and packing threads held some 40 MB that nobody used.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(M_ARENA_MAX, ARENAS))
