"""The kinds of evidence that make up the strength of a suspicion, each in log odds.

Two questions, two sets of weights. `models.score.evidence` asks of every fill whether it looks
rogue rather than usual. Here the few fills that do are told from the most unusual honest ones, such
as losing bots, big gamblers and signal groups, with whom a leaked key has much in common: its pair
is new, its orders are large. What is left to tell them apart weighs here. These weights, too, are
prior knowledge, fitted over many exchanges that five simulators made (benchmarks/weights.py shows
how, over ours alone).
"""

from collections.abc import Sequence
from math import log1p
from typing import Final

import numpy as np

from models.keys import state as k
from models.orders.batch import Bools, Float32s, Float64s
from models.rows import Rows
from models.score import evidence
from models.score.evidence import CONDUCT_COLUMNS, LIMIT, USUAL

PARTS: Final = ("own", "crowd", "app_crowd", "persistence")
OWN, CROWD, APP_CROWD, PERSISTENCE = range(len(PARTS))
WEIGHTS: Final[dict[str, float]] = {
    "surge": 0.55,
    "app_share": 0.4,
    "app_change": 0.4,
    "network_novelty": 0.35,
    "losing_streak": 0.3,
    "pay_up": 0.25,
    "slippage": 0.25,
    "sweep_breadth": 0.25,
    "accumulation": 0.2,
    "turnover": 0.2,
    "round_trip_loss": 0.2,
    "participation": 0.15,
    "taker_excess": 0.1,
    "push": 0.05,
}
CONDUCT_WEIGHT: Final = 0.3  # of what is most unusual for the key itself, up to USUAL
ACTIVITY_WEIGHT: Final = 0.4  # a key with many fills a day has many chances to look rogue
CROWD_WEIGHT: Final = 2.0
APP_CROWD_WEIGHT: Final = 1.35
PERSISTENCE_WEIGHT: Final = 0.5
CAMPAIGN_WEIGHT: Final = 1.5
MOST_EARLIER: Final = 3  # keys robbed before, of one campaign, that count
MOST_COMPANY: Final = 5.0  # that a crowd and its app's part of it can give together
# Who deposits fresh money with a new key and pumps a coin with it does what a thief's victims do,
# but for what ties these to a theft: other coins sold, losing round trips, fellows of their app.
FRESH: Final = 2.0  # evidence that a key lacks on its first day, as long as nothing ties it
TIED: Final = 2.0  # surprises that tie it in full
FELLOWS: Final = 0.7  # weight of rogue fellows that does, too
TIES: Final = ("sweep_breadth", "sweep_funding", "losing_streak", "round_trip_loss")
ENOUGH: Final = 3.0  # evidence of the key's own doing from which its company counts in full
# What all who buy in a market at one time have alike, or their app: no doing of the key's.
MET_BY_ALL: Final = ("surge", "pay_up", "new_sellers", "app_share")

_WEIGHTS: Final = np.array([WEIGHTS.get(name, 0.0) for name in k.FEATURES])
_ITSELF: Final = np.where(np.isin(k.FEATURES, MET_BY_ALL), 0.0, _WEIGHTS)
_TIES: Final = np.array([k.FEATURES.index(name) for name in TIES])
_BOTH: Final = _WEIGHTS + [evidence.WEIGHTS.get(name, 0.0) for name in k.FEATURES]


def contributions(surprises: Float32s) -> Float64s:
    """Log odds that each feature of n fills adds in both weighings, shape (n, FEATURES)."""
    added: Float64s = _BOTH * np.minimum(surprises, LIMIT).astype(np.float64)
    return added


def company_of(crowd: Float32s | Float64s, share: Float32s | Float64s) -> Float64s:
    """Evidence from those around n fills and from those of their app, shape (n, 2).

    `crowd`, shape (n, 2), is their weight, `share`, shape (n,), how much of it counts for each
    fill; see `models.alerts.crowd`.
    """
    company: Float64s = crowd.astype(np.float64) * np.array([CROWD_WEIGHT, APP_CROWD_WEIGHT])
    company *= MOST_COMPANY / np.maximum(company.sum(axis=1, keepdims=True), MOST_COMPANY)
    company *= share[:, np.newaxis]
    return company


def company_of_one(crowd: Sequence[float], share: float) -> tuple[float, float]:
    """Give `company_of` one fill, without the arrays."""
    around, fellows = CROWD_WEIGHT * crowd[0], APP_CROWD_WEIGHT * crowd[1]
    shrunk = MOST_COMPANY / max(around + fellows, MOST_COMPANY)
    return around * shrunk * share, fellows * shrunk * share


def campaign_of(earlier: int, share: float) -> float:
    """Evidence from so many keys of the same app that looked rogue in the market hours before.

    `share`: how much of its company counts for the fill.
    """
    return share * CAMPAIGN_WEIGHT * log1p(min(earlier, MOST_EARLIER))


def standing(fills: Rows) -> Float64s:
    """Share of its company's evidence that counts for each of n fills, 0 to 1, shape (n,).

    It grows with what the key does by itself, so that company strengthens what a key shows, and
    never stands in its place: whoever buys where a theft drives the price is in the worst of
    companies.
    """
    share: Float64s = np.clip(_held(fills, _ITSELF) / ENOUGH, 0.0, 1.0)
    return share


def _held(fills: Rows, weights: Float64s) -> Float64s:
    """Weigh n fills by what surprises, and by their keys' conduct and business, shape (n,)."""
    surprises: Float32s = fills.told["surprises"]
    conduct = np.minimum(USUAL, surprises[:, CONDUCT_COLUMNS].max(axis=1))
    chances = fills.told["activity"] - np.log(k.USUAL_FILLS)
    held = weights * np.minimum(surprises, LIMIT)  # no matrix product: its sums hang on the cut
    own: Float64s = held.sum(axis=1) + CONDUCT_WEIGHT * conduct - ACTIVITY_WEIGHT * chances
    own -= evidence.FAMILIAR_WEIGHT * fills.told["familiarity"]
    return own


def lacking(fills: Rows) -> Float64s:
    """Evidence that n fills lack because nothing but company could tie them to a theft, (n,)."""
    fresh: Bools = fills.told["fresh"]
    if not fresh.any():
        return np.zeros(len(fills))
    ties = fills.told["surprises"][:, _TIES].sum(axis=1) / TIED
    lacks = FRESH * np.clip(1.0 - ties, 0.0, 1.0)
    return np.where(fresh, np.minimum(lacks, np.maximum(0.0, _held(fills, _WEIGHTS))), 0.0)


def tied_by(fellows: float) -> float:
    """Share of what a fill lacks that so much weight of its fellows gives back."""
    return min(1.0, fellows / FELLOWS)


def at_most(parts: Float64s, share: Float32s, lacks: Float64s) -> Float64s:
    """Parts that the same n fills would have in the worst company, shape (n, PARTS)."""
    worst = parts.copy()
    worst[:, CROWD], worst[:, APP_CROWD] = MOST_COMPANY * share, lacks
    return worst


def parts_of(fills: Rows, crowd: Float32s, share: Float32s) -> Float64s:
    """Evidence of n fills by kind, shape (n, PARTS), none below zero.

    Parameters
    ----------
    fills : as the key stage assessed them.
    crowd : weight of those around each fill, and of those of its app, shape (n, 2).
    share : of that weight which counts for each fill, shape (n,).
    """
    lacks, company = lacking(fills), company_of(crowd, share)
    company[:, 1] += lacks * np.minimum(1.0, crowd[:, 1] / FELLOWS)
    parts: Float64s = np.column_stack(
        [
            np.maximum(0.0, _held(fills, _WEIGHTS) - lacks),
            company,
            PERSISTENCE_WEIGHT * fills.told["persistence"],
        ]
    ).astype(np.float64)
    return parts
