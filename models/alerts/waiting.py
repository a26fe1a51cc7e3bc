"""Purchases that may yet prove rogue: the first victims of a theft, seen before the others.

A crowd is known as one by those who come later. So a purchase that stood alone at its time is kept
for a while, and weighed again when a later one of its market meets more company than it did.
"""

from math import exp
from typing import ClassVar, Final

import numpy as np

from models.alerts.crowd import Company, weight_of
from models.alerts.suspects import Suspect
from models.market.state import CROWD_MS
from models.score.model import Model
from models.score.parts import (
    APP_CROWD,
    APP_CROWD_WEIGHT,
    CROWD,
    CROWD_WEIGHT,
    MOST_COMPANY,
    campaign_of,
    company_of,
)
from models.snapshot import Remembering

WINDOW_MS: Final = 120_000
HINDSIGHT: Final = 0.3  # decades that it costs: many purchases wait, and any crowd may find some
MOST: Final = 64  # purchases kept per market, one of each key
SWEEP_MS: Final = 10 * WINDOW_MS
TINY: Final = 1e-9  # of a sum that may be rounded


class Waiting(Remembering):
    """Purchases of the last minutes by market, those that company could yet convict."""

    remembered: ClassVar = {"_markets": dict[str, list[Suspect]], "_swept": int}

    def __init__(self) -> None:
        self._markets: dict[str, list[Suspect]] = {}
        self._swept = 0

    def add(self, suspect: Suspect) -> None:
        """Keep a purchase, of each key the one with the most evidence of its own."""
        waiting = self._markets.setdefault(suspect.market, [])
        for place, other in enumerate(waiting):
            if other.key == suspect.key:
                if _alone(suspect) >= _alone(other):
                    waiting[place] = suspect
                return
        waiting.append(suspect)
        if len(waiting) > MOST:
            waiting.remove(min(waiting, key=_alone))

    def roused(self, by: Suspect, company: Company, model: Model) -> list[Suspect]:
        """Give those that prove more rogue than before in the light of a later purchase.

        `company` are those around the later purchase.
        """
        self._forget(by.time)
        waiting = _recent(self._markets.pop(by.market, []), by.time)
        if not waiting:
            return []
        self._markets[by.market] = waiting
        # Most later purchases tell nothing new, and the sum over all is the most of any.
        market, fellows = company.weight
        market = max(market, weight_of(*company.besides))
        most = (1.0 + TINY) * min(MOST_COMPANY, CROWD_WEIGHT * market + APP_CROWD_WEIGHT * fellows)
        if not any(
            w.share * most + _earlier(w) > w.parts[CROWD] + w.parts[APP_CROWD] for w in waiting
        ):
            return []
        fellow = np.array([[by.origin is not None and by.origin == w.origin] for w in waiting])
        apart = np.array([_apart(w, by, company) for w in waiting], np.float32)
        crowds = np.where(fellow, company.weight, apart[:, :2])
        rogue = np.where(fellow, company.rogue, apart[:, 2:])
        parts = np.array([w.parts for w in waiting])
        evidence = company_of(crowds, np.array([w.share for w in waiting]))
        evidence[:, 1] += [_earlier(w) for w in waiting]
        more = evidence.sum(axis=1) > parts[:, [CROWD, APP_CROWD]].sum(axis=1)
        more &= np.array([w.key != by.key for w in waiting])
        if not more.any():
            return []
        parts[:, [CROWD, APP_CROWD]] = evidence
        ranks = model.rank(parts) - HINDSIGHT
        for place in np.flatnonzero(more).tolist():
            waiting[place].parts = parts[place].tolist()
        proved = np.flatnonzero(more & (ranks >= model.threshold)).tolist()
        for place in proved:
            waiting[place].seen_again(float(ranks[place]), rogue[place])
        return [waiting[place] for place in proved]

    def _forget(self, now: int) -> None:
        """Drop what is too long ago; now and then, whatever market it is of."""
        if abs(now - self._swept) > SWEEP_MS:  # also after a time far ahead was taken back
            self._markets = {
                market: kept
                for market, waiting in self._markets.items()
                if (kept := _recent(waiting, now))
            }
            self._swept = now


def _recent(waiting: list[Suspect], now: int) -> list[Suspect]:
    return [suspect for suspect in waiting if abs(now - suspect.time) <= WINDOW_MS]


def _apart(suspect: Suspect, by: Suspect, company: Company) -> tuple[float, float, float, float]:
    """Weight and rogue buyers around one of another app than the later purchase's.

    Those of the lead app do not count, nor does it itself, as far as it is remembered there.
    """
    if suspect.stranger:  # it may be of any app
        return company.weight[0], 0.0, company.rogue[0], 0.0
    rogue, others = company.besides
    own = suspect.own * exp(-abs(by.time - suspect.time) / CROWD_MS)
    rogue = max(0.0, rogue - own)
    return weight_of(rogue, others), 0.0, rogue, 0.0


def _alone(suspect: Suspect) -> float:
    """Evidence but for the company."""
    return sum(suspect.parts) - suspect.parts[CROWD] - suspect.parts[APP_CROWD]


def _earlier(suspect: Suspect) -> float:
    """Evidence from those of its app that came hours before."""
    return campaign_of(suspect.earlier, suspect.share) if suspect.earlier else 0.0
