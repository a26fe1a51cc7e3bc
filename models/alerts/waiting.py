"""Purchases that may yet prove rogue: the first victims of a theft, seen before the others.

A crowd is known as one by those who come later. So a purchase that stood alone at its time is kept
for a while, and weighed again when a later one of its market meets more company than it did.
"""

from math import exp
from typing import ClassVar, Final

import numpy as np

from models.alerts.crowd import Company, Pair, weight_of
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
    company_of_one,
    tied_by,
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
        moved: list[tuple[Suspect, Pair]] = []
        for one in waiting:
            held = one.parts[CROWD] + one.parts[APP_CROWD]
            earlier = _earlier(one)
            if (
                one.share * most + earlier + one.lacks * tied_by(fellows) <= held
                or one.key == by.key
            ):
                continue
            weight, rogue = _around(one, by, company)
            crowd, app_crowd = company_of_one(weight, one.share)
            app_crowd += earlier + one.lacks * tied_by(weight[1])
            if crowd + app_crowd > held:
                one.parts[CROWD], one.parts[APP_CROWD] = crowd, app_crowd
                moved.append((one, rogue))
        if not moved:
            return []
        ranks = model.rank(np.array([one.parts for one, _ in moved])) - HINDSIGHT
        proved = []
        for (one, rogue), rank in zip(moved, ranks.tolist(), strict=True):
            if rank >= model.threshold:
                one.seen_again(rank, rogue)
                proved.append(one)
        return proved

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


def _around(suspect: Suspect, by: Suspect, company: Company) -> tuple[Pair, Pair]:
    """Weight and number of the rogue buyers around a purchase, and of those of its app.

    To one of another app than the later purchase's those of the lead app do not count, nor does it
    itself, as far as it is remembered there.
    """
    if by.origin is not None and by.origin == suspect.origin:
        return company.weight, company.rogue
    if suspect.stranger:  # it may be of any app
        return (company.weight[0], 0.0), (company.rogue[0], 0.0)
    rogue, others = company.besides
    own = suspect.own * exp(-abs(by.time - suspect.time) / CROWD_MS)
    rogue = max(0.0, rogue - own)
    return (weight_of(rogue, others), 0.0), (rogue, 0.0)


def _alone(suspect: Suspect) -> float:
    """Evidence but for the company."""
    return sum(suspect.parts) - suspect.parts[CROWD] - suspect.parts[APP_CROWD]


def _earlier(suspect: Suspect) -> float:
    """Evidence from those of its app that came hours before."""
    return campaign_of(suspect.earlier, suspect.share) if suspect.earlier else 0.0
