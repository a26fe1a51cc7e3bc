"""The market stage's arithmetic, event by event, so that cuts into batches change nothing."""

from typing import Any

import numpy as np
from numba import njit

from models.entities import FREE, Record, Table, find, find_or_add, joint_hash
from models.market import state as s
from models.market.clocks import advance_clock, decay, settled_time
from models.market.company import meet_company
from models.market.dealers import is_offer, meet_dealer
from models.orders.batch import (
    BUY,
    SELL,
    Bools,
    Events,
    Float32s,
    Hashes,
    hash_at,
    is_fill,
)
from models.prefetch import STEPS, ask_for, upcoming
from models.rows import Told


@njit(cache=True)
def _decay_market(m: Record, elapsed: float) -> None:
    """Bring every decayed sum of the market forward to its new time."""
    for w in range(len(s.WINDOWS)):
        m.volume[w] = decay(m.volume[w], elapsed, s.WINDOWS[w])
    day = np.exp(-elapsed / s.DAY)
    m.squared_return *= day
    ten = np.exp(-elapsed / (10.0 * s.MINUTE))
    m.sold_10m *= ten
    m.sold_1h = decay(m.sold_1h, elapsed, s.HOUR)
    m.sold_7d = decay(m.sold_7d, elapsed, s.WINDOWS[s.W_7D])
    m.newcomers_10m *= ten
    m.buyers = decay(m.buyers, elapsed, s.CROWD_MS)
    if m.price > 0.0:
        level = np.log(m.price)
        m.reference_1h += (level - m.reference_1h) * (1.0 - np.exp(-elapsed / s.HOUR))


@njit(cache=True)
def _arrival(m: Record, role: int, order: np.uint64, given: float, price: float) -> float:
    """Mid price when the order reached the book: given, or the price before its first fill."""
    if order != 0 and order == m.order[role]:
        return float(m.order_arrival[role])
    m.order[role] = order
    m.order_notional[role] = 0.0
    if given > 0.0:
        m.order_arrival[role] = given
    elif m.price > 0.0:
        m.order_arrival[role] = m.price
    else:
        m.order_arrival[role] = price
    return float(m.order_arrival[role])


@njit(cache=True)
def usual_daily_volume(m: Record) -> float:
    """USD a day that the market trades, from the weekly window, corrected for a short past."""
    age = max(float(m.time - m.first), 1.0 * s.HOUR)
    share = 1.0 - np.exp(-age / s.WINDOWS[s.W_7D])
    return float(m.volume[s.W_7D] / (s.WINDOWS[s.W_7D] * share) * s.DAY)


@njit(cache=True)
def daily_sigma(m: Record) -> float:
    """Volatility per square root of a day, from squared trade returns, at least MIN_SIGMA."""
    age = max(float(m.time - m.first), 1.0 * s.HOUR)
    share = 1.0 - np.exp(-age / s.DAY)
    return float(max(np.sqrt(m.squared_return / share), s.MIN_SIGMA))


@njit(cache=True)
def _novelty_of_seller(recent: float, usual: float) -> float:
    """How little of a seller's burst its usual flow explains, 0..1."""
    if recent <= 0.0:
        return 0.0
    expected = max(usual - recent, 0.0) * (10.0 * s.MINUTE / s.WINDOWS[s.W_7D])
    return float(max(0.0, 1.0 - s.ESTABLISHED_BY * expected / recent))


@njit(cache=True)
def _new_seller_share(m: Record) -> float:
    """Share of the last ten minutes' selling by accounts that do not usually sell here."""
    if m.sold_10m <= 0.0:
        return 0.0
    new = 0.0
    for i in range(s.SELLERS):
        seller = m.sellers[i]
        if seller.hash != 0:
            elapsed = float(settled_time(m) - seller.time)
            recent = decay(seller.recent, elapsed, 10.0 * s.MINUTE)
            usual = decay(seller.usual, elapsed, s.WINDOWS[s.W_7D])
            new += recent * _novelty_of_seller(recent, usual)
    known = 1.0 - np.exp(-float(m.time - m.first) / s.DAY)  # at first every seller is new
    return float(min(1.0, new / m.sold_10m) * known)


@njit(cache=True)
def _learn_seller(m: Record, account: np.uint64, notional: float) -> None:
    """Add to the seller's flow; a new one takes the place of the one that sells least."""
    place, least, now = 0, np.inf, settled_time(m)
    for i in range(s.SELLERS):
        seller = m.sellers[i]
        if seller.hash == account:
            place = i
            break
        usual = decay(seller.usual, float(now - seller.time), s.WINDOWS[s.W_7D])
        if usual < least:
            place, least = i, usual
    seller = m.sellers[place]
    if seller.hash != account:
        seller.hash = account
        seller.recent = 0.0
        seller.usual = 0.0
        seller.time = now
    elapsed = float(now - seller.time)
    seller.recent = decay(seller.recent, elapsed, 10.0 * s.MINUTE) + notional
    seller.usual = decay(seller.usual, elapsed, s.WINDOWS[s.W_7D]) + notional
    seller.time = now
    m.sold_10m += notional


@njit(cache=True)
def _recall(m: Record) -> None:
    """Bring what happened at a time that was taken back to the present, where it decays."""
    m.first = min(m.first, m.time)
    for i in range(s.SELLERS):
        m.sellers[i].time = min(m.sellers[i].time, m.time)


@njit(cache=True)
def _learn_fill(m: Record, role: int, price: float, notional: float, late: bool) -> None:
    """Add a fill to volume, and unless it comes late, to price and volatility."""
    for w in range(len(s.WINDOWS)):
        m.volume[w] += notional
    m.order_notional[role] += notional
    if late:
        return
    if m.price > 0.0:
        move = min(abs(np.log(price / m.price)), s.MAX_RETURN)
        m.squared_return += move * move
    else:
        m.reference_1h = np.log(price)
    m.price = price


@njit(cache=True)
def _describe(
    m: Record,
    out: Float32s,
    side: int,
    role: int,
    price: float,
    notional: float,
    arrival: float,
    late: bool,
) -> None:
    """Write what the market says of a fill, before it is learned."""
    volume = max(usual_daily_volume(m), notional)
    out[s.SIGMA] = daily_sigma(m)
    out[s.DAILY_VOLUME] = volume
    out[s.VOLUME_10M] = m.volume[s.W_10M]
    out[s.ORDER_NOTIONAL] = m.order_notional[role] + notional
    out[s.NEWCOMERS] = m.newcomers_10m
    out[s.NEW_SELLER_SHARE] = _new_seller_share(m)
    if not late:
        out[s.ADVERSE_MOVE] = side * np.log(price / arrival)
        if m.price > 0.0:
            out[s.FROM_REFERENCE_1H] = np.log(price) - m.reference_1h


@njit(cache=True)
def _meet_buyer(
    m: Record,
    app_markets: Table,
    seen: Table,
    out: Float32s,
    key: np.uint64,
    app: np.uint64,
) -> np.uint64:
    """Tell a buyer who else bought lately, of all keys and of its app; then count it, too.

    Each key counts 1 at its last purchase, less with time: a decayed number of distinct buyers.
    Gives the names of some of its app (`models.market.company`).
    """
    pair = joint_hash(key, m.hash)
    is_new = find(seen, pair) == FREE
    row = seen.rows[find_or_add(seen, pair)]
    now = settled_time(m)
    own = 0.0 if is_new else decay(1.0, float(now - row.time), s.CROWD_MS)
    row.time = now
    out[s.BUYERS] = max(0.0, m.buyers - own)
    m.buyers = out[s.BUYERS] + 1.0
    if is_new:
        m.newcomers_10m += 1.0
    if app == 0:
        return np.uint64(0)
    a = app_markets.rows[find_or_add(app_markets, joint_hash(app, m.hash))]
    _meet_app_buyer(a, now, out, own, is_new)
    return meet_company(a, key, now)


@njit(cache=True)
def _meet_app_buyer(a: Record, now: int, out: Float32s, own: float, is_new: bool) -> None:
    elapsed = float(now - a.time) if a.time > 0 else 0.0
    a.newcomers_10m = decay(a.newcomers_10m, elapsed, 10.0 * s.MINUTE)
    a.buyers = decay(a.buyers, elapsed, s.CROWD_MS)
    a.time = now
    out[s.APP_NEWCOMERS] = a.newcomers_10m
    out[s.APP_BUYERS] = max(0.0, a.buyers - own)
    a.buyers = out[s.APP_BUYERS] + 1.0
    if is_new:
        a.newcomers_10m += 1.0


@njit(cache=True)
def _look_ahead(
    app_markets: Table, seen: Table, dealers: Table, events: Events, names: Hashes, event: int
) -> None:
    """Ask now and then for what the next events touch, but for the markets, which are few."""
    for step in range(STEPS):
        for i in upcoming(event, len(events)):
            e = events[i]
            market = names.markets[e.market]
            if e.side == BUY and e.key >= 0:
                ask_for(seen, joint_hash(names.keys[e.key], market), step)
                if e.app >= 0:
                    ask_for(app_markets, joint_hash(names.apps[e.app], market), step)
            seller = hash_at(names.accounts, e.account if e.side == SELL else e.counterparty)
            if seller != 0:
                ask_for(dealers, joint_hash(seller, market), step)


@njit(cache=True)
def observe(
    markets: Table,
    app_markets: Table,
    seen: Table,
    dealers: Table,
    fresh: Bools,
    events: Events,
    names: Hashes,
    told: Told,
) -> None:
    """Learn a batch of events in order and write what is told of each, all but `merge_time`."""
    for i in range(len(events)):
        _look_ahead(app_markets, seen, dealers, events, names, i)
        if not fresh[i]:
            continue
        e, out = events[i], told[i]
        m = markets.rows[find_or_add(markets, names.markets[e.market])]
        before, settled = m.time, settled_time(m)
        now = advance_clock(m, e.ts)
        out.time = now
        if before == 0:
            m.first = now
        elif now < before:
            _recall(m)
        elapsed = settled_time(m) - settled
        if before > 0 and elapsed > 0:
            _decay_market(m, float(elapsed))
        if not is_fill(e.status):
            continue
        late = e.ts < now - s.LATE_MS
        role = int(e.maker)
        met = _arrival(m, role, e.order_hash, e.arrival, e.price)
        _describe(m, out.context, e.side, role, e.price, e.notional, met, late)
        if e.side == BUY and e.key >= 0:
            key, app = names.keys[e.key], hash_at(names.apps, e.app)
            out.company = _meet_buyer(m, app_markets, seen, out.context, key, app)
        seller = hash_at(names.accounts, e.account if e.side == SELL else e.counterparty)
        if seller != 0:
            _learn_seller(m, seller, e.notional)
            sales = meet_dealer(m, dealers, seller, e.ts, e.qty, e.notional, out.dealer)
            if e.side == SELL and e.counterparty < 0:
                out.offer = is_offer(out.context, out.dealer, sales)
        _learn_fill(m, role, e.price, e.notional, late)


@njit(cache=True, nogil=True)
def observe_freely(*arguments: Any) -> None:
    """Do the same and leave the interpreter to other threads meanwhile."""
    observe(*arguments)
