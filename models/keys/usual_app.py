"""The app that a key usually uses, and the one to name when it is robbed: that of its past days.

Whoever robs a key chooses the tag of his orders, and some fifty small purchases would pass for its
usual way. The app that leaked is the one that the key used before today, and a key has moved to
another when two days in a row have ended with it.
"""

from typing import Final

import numpy as np
from numba import njit

from models.entities import Record

MOST_ORDERS: Final = 50.0  # that a usual app is ahead of all others


@njit(cache=True)
def learn_app(key: Record, app: np.uint64) -> None:
    """Count a purchase through an app, by hash; the majority of the last ones is the usual app.

    References
    ----------
    Boyer, R. S., Moore, J. S. (1981). MJRTY: A Fast Majority Vote Algorithm.
    """
    if key.app_orders <= 0.0:
        key.app = app
    ahead = key.app_orders + 1.0 if app == key.app else key.app_orders - 1.0
    key.app_orders = min(ahead, MOST_ORDERS)


@njit(cache=True)
def close_day(key: Record) -> None:
    """Let today count where the key's app is to be named; its first day counts in full."""
    usual = _usual(key)
    if usual == key.moving or key.day == key.first:
        key.home = usual
    key.moving = usual


@njit(cache=True)
def home_app(key: Record) -> np.uint64:
    """Hash of the app that it used before today, or on its first day until now; 0: none."""
    return np.uint64(key.home) if key.day > key.first else _usual(key)


@njit(cache=True)
def is_stranger(key: Record) -> bool:
    """Tell whether nobody knows the key's app: it has hardly bought before, or never."""
    return bool(key.home == 0 and key.app_orders <= 0.0)


@njit(cache=True)
def _usual(key: Record) -> np.uint64:
    return np.uint64(key.app) if key.app_orders > 0.0 else np.uint64(0)
