"""Names of the apps that keys usually use, by hash: whoever judges a key must name its app.

A key's record knows its app by hash alone, and the order that betrays a key may carry another app's
tag, or none. So the stage that has seen every event of its keys remembers the names, and tells them
with what it passes on.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.orders.batch import Int64s, OrderBatch, UInt64s

MOST_NAMES: Final = 100_000  # those that were new last; an app is new again at its next event


class AppNames:
    """Names of apps by hash."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def save(self) -> dict[int, str]:
        """Give what is remembered."""
        return self._names

    def restore(self, saved: dict[int, str]) -> None:
        """Remember again what was saved."""
        self._names = saved

    def learn(self, orders: OrderBatch) -> None:
        """Take in the apps of some events."""
        for name, app in zip(orders.apps.strings, orders.apps.hashes.tolist(), strict=True):
            if app not in self._names:
                self._names[app] = name
        while len(self._names) > MOST_NAMES:
            del self._names[next(iter(self._names))]

    def at(self, rows: Int64s, apps: UInt64s) -> NDArray[Any]:
        """Write the names of the apps at some rows, UTF-8, as a column; empty where it is unknown.

        `apps`, shape (n,), are their hashes.
        """
        names = [self._names.get(app, "").encode() for app in apps[rows].tolist()]
        column = np.zeros(len(apps), f"S{max(map(len, names), default=0) or 1}")
        column[rows] = names
        return column
