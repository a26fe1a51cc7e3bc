"""What is remembered of a market, and what an event is told of its market.

All windows are exponentially decayed sums: after `t` ms a contribution counts exp(-t / window), so
that a window costs one number. A market is one symbol at one venue.
"""

from typing import Final

import numpy as np

from models.rows import PLACE

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

# Rolling volume windows, in ms: 10 min, and the week that is "usual".
WINDOWS: Final = np.array([10 * MINUTE, 7 * DAY], np.float64)
W_10M, W_7D = range(2)

JUMP_MS: Final = HOUR  # a clock that leaps further ahead waits for a second event to agree
PATIENCE_MS: Final = 6 * HOUR  # an unconfirmed leap lets sums decay by no more than this
LATE_MS: Final = MINUTE  # a fill later than this says nothing about the price any more
MAX_RETURN: Final = 0.1  # a trade's log return counts at most this much towards volatility
CROWD_MS: Final = 15 * MINUTE  # how long a purchase makes a key one of a market's buyers
COMPANY: Final = 4  # buyers sampled of those of one app in a market
SELLERS: Final = 8  # accounts remembered per market as its sellers
REPORTS: Final = 4  # sales remembered of an account, to tell their second report from another sale
ESTABLISHED_BY: Final = 50.0  # a seller whose burst is this many times its usual flow is new here
MIN_SIGMA: Final = 0.01  # daily volatility is taken to be at least 1 %

SELLER: Final = np.dtype(
    [("hash", "u8"), ("time", "i8"), ("recent", "f4"), ("usual", "f4")], align=True
)

MARKET: Final = np.dtype(
    [
        ("hash", "u8"),
        ("time", "i8"),  # running maximum of event time, ms
        ("anchor", "i8"),  # the time before an unconfirmed leap; 0: none; 1: no event before it
        ("first", "i8"),  # time of the first event, ms
        ("price", "f8"),  # last price, quote currency
        ("reference_1h", "f8"),  # time-weighted log price over an hour
        # Of takers and of makers, whose fills come in turns where a venue reports both:
        ("order", "u8", (2,)),  # hash of the order that filled last
        ("order_arrival", "f8", (2,)),  # mid price when it arrived
        ("order_notional", "f8", (2,)),  # what it has filled, USD
        ("volume", "f4", (2,)),  # USD in each of WINDOWS
        ("squared_return", "f4"),  # decayed over a day
        ("sold_10m", "f4"),  # USD sold by known accounts, decayed over 10 min
        ("sold_1h", "f4"),  # the same, decayed over an hour
        ("sold_7d", "f4"),  # and over a week; each sale once, whoever reports it
        ("newcomers_10m", "f4"),  # keys that bought here for the first time
        ("buyers", "f4"),  # distinct keys that bought, decayed over CROWD_MS
        ("sellers", SELLER, (SELLERS,)),
    ],
    align=True,
)

BUYER: Final = np.dtype([("time", "i8"), ("name", "u2")], align=True)  # name 0: nobody

# Keys of one app in one market: how many came for the first time, and a sample of who buys.
APP_MARKET: Final = np.dtype(
    [
        ("hash", "u8"),
        ("time", "i8"),
        ("newcomers_10m", "f4"),
        ("buyers", "f4"),
        ("company", BUYER, (COMPANY,)),
    ],
    align=True,
)

# An account that sells in a market.
DEALER: Final = np.dtype(
    [
        ("hash", "u8"),
        ("time", "i8"),
        ("sold_7d", "f4"),  # USD
        ("sold_1h", "f4"),
        ("sales_1h", "f4"),
        ("reports", "u8", (REPORTS,)),  # the sales counted last
    ],
    align=True,
)

# Whether a key has bought in a market before.
SEEN: Final = np.dtype([("hash", "u8"), ("time", "i8")], align=True)

# What the market stage tells of each event; measured before the event is learned.
CONTEXT: Final = (
    "adverse_move",  # log(fill / arrival), signed so that paying more or receiving less is positive
    "sigma",  # volatility per square root of a day
    "daily_volume",  # USD a day, usual
    "volume_10m",  # USD, decayed over 10 min
    "order_notional",  # USD that this order has filled so far, this fill included
    "from_reference_1h",  # log(price / time-weighted price of the last hour)
    "newcomers",  # keys new to this market in the last 10 min, decayed
    "app_newcomers",  # the same, of this event's app
    "buyers",  # other keys that bought here lately, decayed over CROWD_MS
    "app_buyers",  # the same, of this event's app
    "new_seller_share",  # of what was sold in 10 min, by accounts that do not usually sell here
)
(
    ADVERSE_MOVE,
    SIGMA,
    DAILY_VOLUME,
    VOLUME_10M,
    ORDER_NOTIONAL,
    FROM_REFERENCE_1H,
    NEWCOMERS,
    APP_NEWCOMERS,
    BUYERS,
    APP_BUYERS,
    NEW_SELLER_SHARE,
) = range(len(CONTEXT))

# What the market stage tells of the account that sells, where it is known.
DEALING: Final = (
    "usual_share",  # of the market's selling, that one must expect of the account, 0..1
    "sold_1h",  # USD that it sold here before, decayed over an hour
    "all_sold_1h",  # the same, of all known sellers
)
USUAL_SHARE, SOLD_1H, ALL_SOLD_1H = range(len(DEALING))

TOLD: Final = np.dtype(
    [
        *PLACE,
        ("company", "u8"),  # others of a buyer's app that bought lately (`models.market.company`)
        ("context", "f4", (len(CONTEXT),)),
        ("dealer", "f4", (len(DEALING),)),
        ("offer", "?"),  # whether the alert stage must hear of the sale whoever it is
    ],
    align=True,
)
