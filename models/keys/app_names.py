"""Names of the apps that keys usually use, by hash: whoever judges a key must name its app.

A key's record knows its app by hash alone, and the order that betrays a key may carry another app's
tag, or none. So the stage that has seen every event of its keys remembers the names, and tells them
with what it passes on.
"""

from typing import Final

import numpy as np

from models.orders.batch import NONE, Int32s, Names, OrderBatch, UInt64s

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

    def at(self, apps: UInt64s) -> tuple[Names, Int32s]:
        """Give the names of apps with these hashes, (n,), each once, and a code into them for each.

        NONE where the name is unknown.
        """
        known = [app for app in dict.fromkeys(apps.tolist()) if app in self._names]
        codes = {app: code for code, app in enumerate(known)}
        names = Names([self._names[app] for app in known], np.array(known, np.uint64))
        return names, np.array([codes.get(app, NONE) for app in apps.tolist()], np.int32)
