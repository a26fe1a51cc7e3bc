"""Which events have been seen before, by the hash of their id, in bounded memory."""

from typing import Final

import numpy as np
from numba import njit

from models.orders.batch import Bools, UInt64s

REMEMBERED: Final = 1 << 20  # at least so many of the last ids are known, at most twice as many


class Duplicates:
    """Two generations of a hash set: when the younger is full, the older is forgotten.

    64 bits tell two million ids apart but for one in 10^13; an id of 0 counts as 1.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        slots = 1 << (2 * remembered - 1).bit_length()
        self._young = np.zeros(slots, np.uint64)
        self._old = np.zeros(slots, np.uint64)
        self._count = 0

    def first_time(self, hashes: UInt64s) -> Bools:
        """Whether each id is seen for the first time, shape (n,); all are remembered."""
        fresh = np.zeros(len(hashes), np.bool_)
        done = 0
        while done < len(hashes):
            done, self._count = _remember(
                self._young, self._old, hashes, fresh, done, self._count, self._remembered
            )
            if self._count >= self._remembered:
                self._young, self._old = self._old, self._young
                self._young[:] = 0
                self._count = 0
        return fresh


@njit(cache=True)
def _slot(slots: UInt64s, name: np.uint64) -> np.int64:
    mask = np.uint64(len(slots) - 1)
    slot = name & mask
    while slots[slot] != 0 and slots[slot] != name:
        slot = (slot + np.uint64(1)) & mask
    return np.int64(slot)


@njit(cache=True)
def _remember(
    young: UInt64s, old: UInt64s, hashes: UInt64s, fresh: Bools, done: int, count: int, full: int
) -> tuple[int, int]:
    """Go on until the young generation is full; returns how far it got and how full it is."""
    while done < len(hashes) and count < full:
        name = max(hashes[done], np.uint64(1))
        slot = _slot(young, name)
        if young[slot] == 0:
            fresh[done] = old[_slot(old, name)] == 0
            young[slot] = name
            count += 1
        done += 1
    return done, count
