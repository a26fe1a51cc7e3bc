"""Campaigns: keys of one app that are robbed in one market one after the other, or slowly together.

Each of them is alone at its time, where no crowd is to be seen. So an app's keys that looked rogue
in a market, or nearly so, are remembered there for a day and a half.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np

from models.alerts.suspects import Suspect
from models.market.state import HOUR, MINUTE
from models.orders.batch import MARKET_SEPARATOR
from models.score.model import THRESHOLD, Model
from models.score.parts import APP_CROWD, campaign_of
from models.snapshot import Remembering

WINDOW_MS: Final = 36 * HOUR
APART_MS: Final = 20 * MINUTE  # whoever came later belongs to the crowd around
# Decades below the usual threshold from which a purchase is remembered: whatever threshold is set,
# so that the ranks of a tape do not depend on it.
NEARLY: Final = 1.0


class Campaigns(Remembering):
    """Keys that looked rogue lately, by market and app, and when they first did, ms."""

    remembered: ClassVar = {"_seen": dict[str, dict[str, int]], "_swept": int}

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, int]] = {}
        self._swept = 0

    def meet(self, suspects: Sequence[Suspect], model: Model) -> None:
        """Weigh purchases again that are not their app's first there, and remember them.

        They come in order of time.
        """
        later = [one for one in suspects if self._is_later(one)]
        if not later:
            return
        for one in later:
            one.parts[APP_CROWD] += campaign_of(one.earlier, one.share)
        ranks = model.rank(np.array([one.parts for one in later]))
        for one, rank in zip(later, ranks.tolist(), strict=True):
            one.rerank(rank)

    def _is_later(self, suspect: Suspect) -> bool:
        """Remember a purchase; whether others of its app came hours before it."""
        if suspect.origin is None or suspect.share <= 0.0:
            return False
        now = suspect.time
        place = suspect.market + MARKET_SEPARATOR + suspect.origin
        seen = self._seen.get(place, {})
        others = [first for key, first in seen.items() if key != suspect.key]
        suspect.earlier = sum(APART_MS <= now - first <= WINDOW_MS for first in others)
        if suspect.rank >= THRESHOLD - NEARLY:
            self._forget(now)
            self._seen.setdefault(place, {}).setdefault(suspect.key, now)
        return suspect.earlier > 0

    def _forget(self, now: int) -> None:
        """Drop what is too long ago, once an hour."""
        if abs(now - self._swept) > HOUR:  # also after a time far ahead was taken back
            recent = {
                place: {key: first for key, first in seen.items() if abs(now - first) <= WINDOW_MS}
                for place, seen in self._seen.items()
            }
            self._seen = {place: seen for place, seen in recent.items() if seen}
            self._swept = now
