"""Who else of an app buys in a market just now: a sample, and the same one of the same people.

Keys are known by 16 bits of their hash. Of those who bought within CROWD_MS the COMPANY with the
smallest names are kept, as in a bottom-k sketch (Cohen and Kaplan 2007): so whoever buys with the
same people time and again is told of the same few each time, however many they are.
"""

from typing import Final

import numpy as np
from numba import njit

from models.entities import Record
from models.market import state as s

NAME_BITS: Final = 16
NAMES: Final = (1 << NAME_BITS) - 1


@njit(cache=True)
def name_of(key: np.uint64) -> int:
    """Give a key's name, 1..NAMES."""
    return int(key % np.uint64(NAMES)) + 1


@njit(cache=True)
def meet_company(app_market: Record, key: np.uint64, now: int) -> np.uint64:
    """Give the names of others that bought lately, 16 bits each; then let the buyer join them."""
    name = name_of(key)
    met = np.uint64(0)
    place = -1  # of the buyer, or the one that it may take: a free one, or that of a greater name
    held = name
    for i in range(s.COMPANY):
        buyer = app_market.company[i]
        buyer.time = min(buyer.time, now)  # a time far ahead may have been taken back
        if now - buyer.time > s.CROWD_MS or buyer.name == name:
            buyer.name = 0
        if buyer.name != 0:
            met = (met << np.uint64(NAME_BITS)) | np.uint64(buyer.name)
        if held != 0 and (buyer.name == 0 or buyer.name > held):
            place, held = i, int(buyer.name)
    if place >= 0:
        app_market.company[place].name = name
        app_market.company[place].time = now
    return met
