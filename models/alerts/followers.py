"""Followers: keys for which it is usual to look rogue together with others of their app.

Followers of a copied trader, of a signal or of an index do together, every few days, what victims
of a theft do once: sell much, and buy one thin coin at the same time. They are the same keys each
time, and victims are not. So of each key is remembered how often it stood in such company before;
of whom that is known, the next time is usual. An app at large has no habits: thieves could teach
them with keys of their own, or with yesterday's victims.
"""

from typing import Final

import numpy as np
from numba import njit

from models.entities import FREE, Table, find, find_or_add
from models.market.state import DAY, HOUR

SPELL: Final = 18 * HOUR  # company that began so lately is the same crowd still
MEMORY: Final = 30 * DAY
COMPANY: Final = 0.5  # rogue buyers of its app to expect beside a key that stands in company
OFTEN: Final = 1.0  # crowds before, from which another one is usual

# A key with an app, in the company of others of that app.
FOLLOWERS: Final = np.dtype(
    [
        ("hash", "u8"),
        ("time", "i8"),  # when the last of these crowds began for it, ms
        ("crowds", "f4"),
    ],
    align=True,
)


@njit(cache=True)
def follows(followers: Table, name: np.uint64, now: int, company: float) -> bool:
    """Tell whether a key stood in company before, and note how much of it it has now."""
    if company < COMPANY and find(followers, name) == FREE:
        return False  # nothing to remember
    known = followers.rows[find_or_add(followers, name)]
    known.time = min(known.time, now)  # a time far ahead may have been taken back
    if now - known.time > MEMORY:
        known.crowds = 0.0
    is_new = known.crowds == 0.0 or now - known.time > SPELL
    before = known.crowds if is_new else known.crowds - 1.0
    if is_new and company >= COMPANY:
        known.time = now
        known.crowds += 1.0
    return bool(before >= OFTEN)
