"""Who sells in a market, and how much of its selling is usually theirs.

Usual is what lies more than about an hour back: of a sale, exp(-t / 7 d) - exp(-t / 1 h) counts as
usual after a time t, so that a burst cannot make its seller usual.
"""

from typing import Final

import numpy as np
from numba import njit

from models.entities import Record, Table, find_or_add, joint_hash
from models.market import state as s
from models.market.clocks import decay, settled_time
from models.orders.batch import Float32s

# An account never seen may have sold for so long before anybody looked: its share of the selling is
# this over the time observed.
UNKNOWN: Final = 1.0 * s.MINUTE
MORE: Final = 3.0  # times its mean share that a usual seller may have of an hour's selling
STIRRED: Final = 3.0  # times the usual volume within ten minutes from which a market is stirred
USUAL_SELLER: Final = 0.3  # share of the selling from which an account is a usual seller
TWICE: Final = 0.5  # sales within the hour, decayed, from which an account sells here again


@njit(cache=True)
def meet_dealer(
    m: Record,
    dealers: Table,
    account: np.uint64,
    ts: int,
    qty: float,
    notional: float,
    out: Float32s,
) -> float:
    """Tell of the account that sells what it has sold here, then count the sale.

    Writes out[USUAL_SHARE], the share of the market's selling that one must expect of the account,
    and USD sold within the hour before, out[SOLD_1H] by the account and out[ALL_SOLD_1H] by all;
    gives its sales of that hour, decayed.
    """
    dealer = dealers.rows[find_or_add(dealers, joint_hash(account, m.hash))]
    now = settled_time(m)
    elapsed = float(now - dealer.time) if dealer.time > 0 else 0.0
    if elapsed > 0.0:
        dealer.sold_7d = decay(dealer.sold_7d, elapsed, s.WINDOWS[s.W_7D])
        hour = np.exp(-elapsed / s.HOUR)
        dealer.sold_1h *= hour
        dealer.sales_1h *= hour
    dealer.time = now
    past = max(m.sold_7d - m.sold_1h, 0.0)
    own = min(max(dealer.sold_7d - dealer.sold_1h, 0.0), past)
    seen = s.WINDOWS[s.W_7D] * (1.0 - np.exp(-float(now - m.first) / s.WINDOWS[s.W_7D]))
    unknown = UNKNOWN / max(seen, UNKNOWN)
    out[s.USUAL_SHARE] = min(1.0, MORE * own / past + unknown) if past > 0.0 else 1.0
    out[s.SOLD_1H] = dealer.sold_1h
    out[s.ALL_SOLD_1H] = m.sold_1h
    sales = float(dealer.sales_1h)
    if not _is_counted(dealer, ts, qty):
        dealer.sold_7d += notional
        dealer.sold_1h += notional
        dealer.sales_1h += 1.0
        m.sold_7d += notional
        m.sold_1h += notional
    return sales


@njit(cache=True)
def is_offer(context: Float32s, dealing: Float32s, sales: float) -> bool:
    """Whether a sale may be a profiteer's: of one that sells here again, and usually does not.

    Only into a stirred market; where the other side is unknown, it must be found by time and size.
    """
    ten_minutes = context[s.DAILY_VOLUME] * (10.0 * s.MINUTE / s.DAY)
    stirred = context[s.VOLUME_10M] > STIRRED * ten_minutes
    return bool(stirred and sales > TWICE and dealing[s.USUAL_SHARE] < USUAL_SELLER)


@njit(cache=True)
def _is_counted(dealer: Record, ts: int, qty: float) -> bool:
    """Whether this sale was reported by its buyer, or its seller, before; it is remembered."""
    trade = joint_hash(np.uint64(ts), np.uint64(np.int64(np.log(qty) * 1e9)))
    for i in range(s.REPORTS):
        if dealer.reports[i] == trade:
            return True
    for i in range(s.REPORTS - 1, 0, -1):
        dealer.reports[i] = dealer.reports[i - 1]
    dealer.reports[0] = trade
    return False
