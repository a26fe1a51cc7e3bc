"""Time as state sees it: clocks that never run back, and sums that decay."""

from typing import Final

import numpy as np
from numba import njit

from models.entities import Record
from models.market import state as s

BEGINNING: Final = 1  # the anchor of a first time: whatever comes next may be before it


@njit(cache=True)
def advance_clock(row: Record, ts: int) -> int:
    """Move a row's clock to an event's time and return the time that the state sees.

    The clock is the running maximum of event time. A leap of more than JUMP_MS is provisional, and
    so is the first time of all: if the next event does not agree, it was one bad timestamp, and the
    clock is set back.
    """
    now = row.time
    if now == 0:
        row.time = ts
        row.anchor = BEGINNING
        return ts
    if row.anchor > 0:
        if ts < now - s.JUMP_MS:
            now = row.anchor
        row.anchor = 0
    if ts > now + s.JUMP_MS:
        row.anchor = now
    now = max(now, ts)
    row.time = now
    return int(now)


@njit(cache=True)
def settled_time(row: Record) -> int:
    """Time up to which sums decay, ms: of an unconfirmed leap no more than PATIENCE_MS.

    So one bad timestamp does not wipe out what took weeks to learn.
    """
    if row.anchor > BEGINNING:
        return int(min(row.time, row.anchor + s.PATIENCE_MS))
    return int(row.time)


@njit(cache=True)
def decay(value: float, elapsed: float, window: float) -> float:
    """Value of a decayed sum after `elapsed` ms without a contribution.

    Below zero, as after a clock was set back, nothing decays: a sum must never grow by itself.
    """
    return float(value * np.exp(-max(elapsed, 0.0) / window))
