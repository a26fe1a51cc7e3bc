"""Companions: the others of its app that usually buy what a key buys, when it does.

Followers of a copied trader, of a signal or of an index buy in the same company each time, whatever
it is that they buy. A thief picks his victims otherwise: those who buy with a robbed key are not
those who usually do. Like every habit it is learned over days: what happens today becomes the past
when the day is over, and what was flagged is not learned.
"""

from typing import Final

import numpy as np
from numba import njit

from models.entities import Record
from models.keys import state as k
from models.market.company import NAME_BITS, NAMES

PRIOR: Final = 3.0  # orders at which nobody known was there: few orders say little
MOST_ORDERS: Final = 50.0  # in company that a past weighs: older ones fade
# Part of the key's past orders at which those whom it meets now were there, on average:
STRANGERS: Final = 0.1  # up to so much may be chance
FAMILIAR: Final = 0.35  # and from so much on they are its usual company


@njit(cache=True)
def familiarity(key: Record, company: np.uint64) -> float:
    """How far those who buy with the key are those who usually do, 0..1.

    Each of those met counts the part of the key's past orders in company at which it was there.
    """
    met, share = 0, 0.0
    while company != 0:
        name = int(company & np.uint64(NAMES))
        company >>= np.uint64(NAME_BITS)
        met += 1
        for i in range(k.COMPANIONS):
            if key.companions[i].name == name:
                share += key.companions[i].past
    if met == 0:
        return 0.0
    usual = share / met / (key.accompanied + PRIOR)
    return float(min(1.0, max(0.0, (usual - STRANGERS) / (FAMILIAR - STRANGERS))))


@njit(cache=True)
def learn_company(key: Record, company: np.uint64) -> None:
    """Remember who was there at an order; the one who was there least gives way to another."""
    if company == 0 or key.accompanied_today >= NAMES:
        return
    key.accompanied_today += 1.0
    while company != 0:
        name = int(company & np.uint64(NAMES))
        company >>= np.uint64(NAME_BITS)
        place, least = 0, np.inf
        for i in range(k.COMPANIONS):
            companion = key.companions[i]
            if companion.name == name:
                place = i
                break
            times = companion.past + companion.today
            if times < least:
                place, least = i, times
        companion = key.companions[place]
        if companion.name != name:
            companion.name = name
            companion.past = 0.0
            companion.today = 0
        companion.today += 1


@njit(cache=True)
def close_day(key: Record) -> None:
    """Let today become part of the past, which weighs at most MOST_ORDERS."""
    total = key.accompanied + key.accompanied_today
    kept = min(1.0, MOST_ORDERS / total) if total > 0.0 else 1.0
    key.accompanied = total * kept
    key.accompanied_today = 0.0
    for i in range(k.COMPANIONS):
        companion = key.companions[i]
        companion.past = (companion.past + companion.today) * kept
        companion.today = 0
