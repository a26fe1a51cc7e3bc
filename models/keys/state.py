"""What is remembered of an API key, and of each pair of key and market.

A baseline is the key's own past in one quantity: mean and variance of everything before today, of
today, and of the running hour apart (see `models.keys.baselines`). What happened today becomes the
past only when the day is over, so nobody can teach the system a new normal within a day.
"""

from typing import Final

import numpy as np

from models.market import state as m
from models.rows import PLACE

SOLD: Final = 8  # symbols remembered that a key sold lately
NETWORKS: Final = 4  # networks remembered per key
COMPANIONS: Final = 8  # others of its app remembered per key
COUNTERPARTIES: Final = 4  # accounts remembered per pair
MEMORY: Final = 200.0  # a baseline weighs at most so many observations: older ones fade
SETTLED: Final = 5.0  # with fewer observations before today, today counts as past, too
MONTH: Final = 30 * m.DAY
USUAL_FILLS: Final = 6.0  # a day, of a usual key
ALL_BUT: Final = 0.999  # of a key's fills in one market are all of them, but for rounding
ROUND: Final = 0.3  # a sale closes a round trip if so much of what is sold was bought lately
FEWEST_GAINS: Final = 3.5  # closes that gain, decayed over a day, from which a key may be winning
GAINS_FOR_LOSS: Final = 3.0  # and so many for each that loses
OF_ROUND_TRIP: Final = 2.0  # times what was sold within the hour: a purchase of more closes nothing
TOKEN: Final = 0.01  # of an hour's trade: a gain of less says nothing
DUST: Final = 0.01  # USD: fills of less are measured as this, so that every logarithm is finite
MOST: Final = 1e15  # USD that one fill can gain or lose: keeps sums within float32
ROUNDING: Final = 1e-9  # a position this small beside the fill that closed it is none

# The quantities of which each key has a baseline: natural logarithms all.
BASELINES: Final = (
    "size",  # order notional, USD
    "accumulation",  # bought in one market within a day beyond what was sold there, USD
    "rate",  # 1 + orders within ten minutes
    "turnover",  # traded within a day, USD
    "slippage",  # 1 + adverse move in basis points
    "breadth",  # 1 + symbols sold within an hour
)
SIZE, ACCUMULATION, RATE, TURNOVER, SLIPPAGE, BREADTH = range(len(BASELINES))
OF_PURCHASES: Final = (ACCUMULATION, BREADTH)  # those that a sale neither has nor teaches
# For a key without a past: the usual mean, how much keys differ in it, how much one key varies.
PRIORS: Final = np.array(
    [
        [5.0, 2.0, 0.7],
        [5.5, 2.0, 0.9],
        [0.9, 0.6, 0.5],
        [6.5, 2.3, 0.9],
        [1.2, 1.0, 0.8],
        [0.2, 0.3, 0.4],
    ]
)

MOMENTS: Final = np.dtype(
    [("n", "f4"), ("mean", "f4"), ("m2", "f4")],  # m2: sum of squared deviations from the mean
    align=True,
)
BASELINE: Final = np.dtype([("past", MOMENTS), ("today", MOMENTS), ("hour", MOMENTS)], align=True)
SALE: Final = np.dtype([("symbol", "u8"), ("time", "i8"), ("notional", "f4")], align=True)
COMPANION: Final = np.dtype([("past", "f4"), ("name", "u2"), ("today", "u2")], align=True)
PARTNER: Final = np.dtype([("hash", "u8"), ("notional", "f4")], align=True)

KEY: Final = np.dtype(
    [
        ("hash", "u8"),
        ("time", "i8"),
        ("anchor", "i8"),
        ("first", "i8"),
        ("day", "i8"),  # start of the key's today, ms
        ("hour", "i8"),  # start of its running hour, ms
        ("order", "u8"),  # the order that filled last
        ("app", "u8"),  # the app that it uses
        ("home", "u8"),  # the app that it used when today began, as two days in a row had ended
        ("moving", "u8"),  # the one with which the last of them ended
        ("networks", "u8", (NETWORKS,)),
        ("requests", "f4"),  # events that bore a network, learned
        ("fills", "f4"),  # learned fills, decayed over a month
        ("openings", "f4"),  # of them, the first of their pair
        ("app_orders", "f4"),  # learned fills with the usual app
        ("traded_1d", "f4"),  # USD
        ("orders_10m", "f4"),
        ("taken", "f4"),  # USD taken from the book, decayed over a month
        ("traded", "f4"),  # USD, decayed over a month
        ("evidence_1h", "f4"),  # sum of the chances that its fills are rogue
        ("evidence_7d", "f4"),  # the same of what is older than that hour
        ("baselines", BASELINE, (len(BASELINES),)),
        ("sales", SALE, (SOLD,)),
        ("accompanied", "f4"),  # orders to buy in company before today, learned
        ("accompanied_today", "f4"),
        ("companions", COMPANION, (COMPANIONS,)),  # at how many of them each was there
    ],
    align=True,
)

PAIR: Final = np.dtype(
    [
        ("hash", "u8"),
        ("time", "i8"),
        ("first", "i8"),
        ("fills", "f4"),  # learned fills, decayed over a month
        ("bought_1h", "f4"),  # USD
        ("sold_1h", "f4"),  # USD
        ("bought_1d", "f4"),  # USD
        ("sold_1d", "f4"),  # USD, of what was bought within the day
        ("push_10m", "f4"),  # sum of adverse log moves
        ("taken_1h", "f4"),  # USD taken from the book
        ("position", "f8"),  # bought minus sold, base currency at the USD rate
        ("cost", "f8"),  # average price of the position
        ("lost_1d", "f4"),  # realised loss, USD
        ("won_1d", "f4"),  # realised gain, USD
        ("losses_1d", "f4"),  # fills that closed a round trip and lost
        ("gains_1d", "f4"),  # fills that closed a round trip and gained
        ("partners", PARTNER, (COUNTERPARTIES,)),
        ("partnered", "f4"),  # USD filled by known counterparties
    ],
    align=True,
)

# What the key stage measures of each fill, before the fill is learned; higher is stranger.
FEATURES: Final = (
    "pair_novelty",
    "pair_youth",
    "size",
    "accumulation",
    "rate",
    "turnover",
    "slippage",
    "push",
    "participation",
    "surge",
    "pay_up",
    "sweep_breadth",
    "sweep_funding",
    "app_share",
    "new_sellers",
    "concentration",
    "round_trip_loss",
    "losing_streak",
    "network_novelty",
    "app_change",
    "taker_excess",
)
(
    F_PAIR_NOVELTY,
    F_PAIR_YOUTH,
    F_SIZE,
    F_ACCUMULATION,
    F_RATE,
    F_TURNOVER,
    F_SLIPPAGE,
    F_PUSH,
    F_PARTICIPATION,
    F_SURGE,
    F_PAY_UP,
    F_SWEEP_BREADTH,
    F_SWEEP_FUNDING,
    F_APP_SHARE,
    F_NEW_SELLERS,
    F_CONCENTRATION,
    F_ROUND_TRIP_LOSS,
    F_LOSING_STREAK,
    F_NETWORK_NOVELTY,
    F_APP_CHANGE,
    F_TAKER_EXCESS,
) = range(len(FEATURES))

# What the key stage tells of each event, beside what the market stage did; zeros, and no evidence,
# where the event is no fill of a key.
TOLD: Final = np.dtype(
    [
        *PLACE,
        ("context", "f4", (len(m.CONTEXT),)),
        ("dealer", "f4", (len(m.DEALING),)),
        ("features", "f4", (len(FEATURES),)),
        ("surprises", "f4", (len(FEATURES),)),  # of each feature
        ("values", "f4", (len(BASELINES),)),  # what the key did, as logarithms
        ("usual", "f4", (len(BASELINES),)),  # what its past made one expect, the same
        ("odds", "f4"),  # log odds that the fill is rogue
        ("persistence", "f4"),  # how much more rogue the key's last hour looks than usual ones
        ("familiarity", "f4"),  # how far those of its app who buy with it usually do, 0..1
        ("activity", "f4"),  # log of the fills a day that one expects of the key
        ("stranger", "?"),  # nobody knows its app, since the key has hardly bought before
        ("fresh", "?"),  # it is the key's first day
        ("offer", "?"),
    ],
    align=True,
)
