"""Which events have been seen before, by the hash of their id, in bounded memory."""

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.orders.batch import Bools, UInt64s
from models.snapshot import Records, UInt8s

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
        self._count = 0  # ids in the younger generation
        self._generation = 0
        # The ids as they came, one generation in each half, for those who save them.
        self._ids = np.zeros(2 * remembered, np.uint64)
        self._changed = np.zeros(2 * remembered, np.uint8)

    def first_time(self, hashes: UInt64s) -> Bools:
        """Whether each id is seen for the first time, shape (n,); all are remembered."""
        hashes = np.ascontiguousarray(hashes)  # as one alone counts: else it is compiled for both
        fresh = np.zeros(len(hashes), np.bool_)
        done = 0
        while done < len(hashes):
            start = self._start
            done, self._count = _remember(
                self._young,
                self._old,
                self._ids[start : start + self._remembered],
                self._changed[start : start + self._remembered],
                hashes,
                fresh,
                done,
                self._count,
            )
            if self._count >= self._remembered:
                self._young, self._old = self._old, self._young
                self._young[:] = 0
                self._count = 0
                self._generation += 1
        return fresh

    @property
    def place(self) -> tuple[int, int]:
        """Generation that is being filled, and how many ids it has: what `records` is not."""
        return self._generation, self._count

    def records(self) -> Records:
        """Give the ids as far as there have ever been any, to be saved."""
        used = self._count if self._generation == 0 else 2 * self._remembered
        return Records(self._ids[:used], self._changed[:used])

    def restore(self, ids: NDArray[np.uint64], place: tuple[int, int]) -> None:
        """Know again what was known when these records and this place were saved."""
        self._ids[: len(ids)] = ids
        self._generation, self._count = place
        start, other = self._start, self._remembered - self._start
        _fill(self._young, self._ids[start : start + self._count])
        if self._generation > 0:
            _fill(self._old, self._ids[other : other + self._remembered])

    @property
    def _start(self) -> int:
        """Where the younger generation stands among the ids."""
        return self._remembered * (self._generation % 2)


@njit(cache=True)
def _slot(slots: UInt64s, name: np.uint64) -> np.int64:
    mask = np.uint64(len(slots) - 1)
    slot = name & mask
    while slots[slot] != 0 and slots[slot] != name:
        slot = (slot + np.uint64(1)) & mask
    return np.int64(slot)


@njit(cache=True)
def _remember(
    young: UInt64s,
    old: UInt64s,
    ids: UInt64s,
    changed: UInt8s,
    hashes: UInt64s,
    fresh: Bools,
    done: int,
    count: int,
) -> tuple[int, int]:
    """Go on until the young generation is full; returns how far it got and how full it is."""
    while done < len(hashes) and count < len(ids):
        name = max(hashes[done], np.uint64(1))
        slot = _slot(young, name)
        if young[slot] == 0:
            fresh[done] = old[_slot(old, name)] == 0
            young[slot] = name
            ids[count] = name
            changed[count] = 1
            count += 1
        done += 1
    return done, count


@njit(cache=True)
def _fill(slots: UInt64s, ids: UInt64s) -> None:
    for i in range(len(ids)):
        slots[_slot(slots, ids[i])] = ids[i]
