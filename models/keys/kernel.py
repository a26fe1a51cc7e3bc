"""The key stage's arithmetic: measure a fill against the key's past, then learn it."""

from typing import Final

import numpy as np
from numba import njit

from models.entities import Record, Table, find_or_add, joint_hash
from models.keys import companions, usual_app
from models.keys import state as k
from models.keys.baselines import close_day, close_hour, estimate, is_day_over, learn, surprise
from models.market import state as m
from models.market.clocks import advance_clock, decay, settled_time
from models.orders.batch import BUY, Float32s

USUAL_EVIDENCE: Final = 0.3  # an hour of any key may look a little rogue


@njit(cache=True)
def enter_key(keys: Table, name: np.uint64, ts: int) -> Record:
    """Find the key, move its clock, let its windows decay and close its day when it is over."""
    key = keys.rows[find_or_add(keys, name)]
    before, settled = key.time, settled_time(key)
    now = advance_clock(key, ts)
    if before == 0:
        key.first = now
        key.day = now
        key.hour = now
        return key
    if now < before:
        _recall(key)
    elapsed = float(max(now - before, 0))
    key.traded_1d = decay(key.traded_1d, elapsed, m.DAY)
    key.orders_10m = decay(key.orders_10m, elapsed, 10.0 * m.MINUTE)
    kept = key.evidence_1h * np.exp(-elapsed / m.HOUR)
    key.evidence_7d = decay(key.evidence_7d, elapsed, 7.0 * m.DAY) + key.evidence_1h - kept
    key.evidence_1h = kept
    month = np.exp(-float(max(settled_time(key) - settled, 0)) / k.MONTH)
    key.fills *= month
    key.openings *= month
    key.taken *= month
    key.traded *= month
    if now - key.hour > m.HOUR:
        for i in range(len(k.BASELINES)):
            close_hour(key.baselines[i])
        key.hour = now
    if is_day_over(key.day, now, elapsed):
        for i in range(len(k.BASELINES)):
            close_day(key.baselines[i])
        companions.close_day(key)
        usual_app.close_day(key)
        key.day = now
    return key


@njit(cache=True)
def _recall(key: Record) -> None:
    """Bring what happened at a time that was taken back to the present."""
    key.first = min(key.first, key.time)
    key.day = min(key.day, key.time)
    key.hour = min(key.hour, key.time)
    for i in range(k.SOLD):
        key.sales[i].time = min(key.sales[i].time, key.time)


@njit(cache=True)
def enter_pair(pairs: Table, key: Record, market: np.uint64) -> Record:
    """Find the pair and let its windows decay to the key's time, as far as that is settled."""
    pair = pairs.rows[find_or_add(pairs, joint_hash(key.hash, market))]
    now = settled_time(key)
    if pair.time == 0:
        pair.first = key.time
    else:
        pair.first = min(pair.first, key.time)
        elapsed = float(max(now - pair.time, 0))
        pair.fills = decay(pair.fills, elapsed, k.MONTH)
        hour = np.exp(-elapsed / m.HOUR)
        pair.bought_1h *= hour
        pair.sold_1h *= hour
        pair.taken_1h *= hour
        pair.push_10m = decay(pair.push_10m, elapsed, 10.0 * m.MINUTE)
        day = np.exp(-elapsed / m.DAY)
        pair.bought_1d *= day
        pair.sold_1d *= day
        pair.lost_1d *= day
        pair.won_1d *= day
        pair.losses_1d *= day
        pair.gains_1d *= day
        pair.partnered *= day
        for i in range(k.COUNTERPARTIES):
            pair.partners[i].notional *= day
    pair.time = now
    return pair


@njit(cache=True)
def _novelty(key: Record, pair: Record, out: Float32s) -> None:
    """How new the market is to the key: by count, and by time.

    By count: -log P of a market with n of the key's N fills, P = (n + (1 + openings) / (1 + n)) /
    (N + 2): its share of the fills, as in a Chinese restaurant process, and the chance that a key
    which opened so many markets opens another, which counts less the better this one is known. By
    time: log of the key's age over the pair's, each plus an hour.
    """
    opening = (1.0 + key.openings) / (key.fills + 2.0)
    seen = pair.fills / (key.fills + 2.0)
    out[k.F_PAIR_NOVELTY] = -np.log(min(1.0, seen + opening / (1.0 + pair.fills)))
    age = float(key.time - key.first) + m.HOUR
    youth = float(key.time - pair.first) + m.HOUR
    out[k.F_PAIR_YOUTH] = np.log(age / youth) if pair.fills < k.ALL_BUT * key.fills else 0.0


@njit(cache=True)
def _sweep(key: Record, pair: Record, symbol: np.uint64, filled: float, out: Float32s) -> float:
    """Measure what else was sold within the hour, and how much of it went into this market.

    What is sold at one venue and bought at another is a hedge, and no other coin.
    """
    count, proceeds = 0, 0.0
    for i in range(k.SOLD):
        sale = key.sales[i]
        if sale.time > 0 and sale.symbol != symbol:
            elapsed = float(key.time - sale.time)
            if elapsed < m.HOUR:
                count += 1
            proceeds += decay(sale.notional, elapsed, m.HOUR)
    breadth = np.log(1.0 + count)
    out[k.F_SWEEP_BREADTH] = max(0.0, surprise(key.baselines[k.BREADTH], k.BREADTH, breadth))
    typical, _ = estimate(key.baselines[k.SIZE], k.SIZE)
    into = min(proceeds, pair.bought_1h + filled)
    out[k.F_SWEEP_FUNDING] = np.log(1.0 + into / np.exp(typical))
    return float(breadth)


@njit(cache=True)
def _crowd(context: Float32s, out: Float32s) -> None:
    """How many keys of this app came to this market just now, of all that did."""
    n = context[m.APP_NEWCOMERS]
    out[k.F_APP_SHARE] = np.log(1.0 + n) * n / max(context[m.NEWCOMERS], n + 1e-3)


@njit(cache=True)
def _concentration(pair: Record) -> float:
    """Herfindahl index of who fills the key here, of those remembered."""
    if pair.partnered <= 0.0:
        return 0.0
    squares = 0.0
    for i in range(k.COUNTERPARTIES):
        share = pair.partners[i].notional / pair.partnered
        squares += share * share
    return min(1.0, squares)  # sums that have decayed to almost nothing are inexact


@njit(cache=True)
def _describe_conduct(
    key: Record, pair: Record, event: Record, app: np.uint64, network: np.uint64, out: Float32s
) -> None:
    """Write how far the key goes about it in another way than it usually does."""
    notional, taken = max(event.notional, k.DUST), pair.taken_1h
    if network != 0:
        known = False
        for i in range(k.NETWORKS):
            known = known or key.networks[i] == network
        out[k.F_NETWORK_NOVELTY] = 0.0 if known else np.log(1.0 + key.requests)
    if app != key.app:
        out[k.F_APP_CHANGE] = np.log(1.0 + key.app_orders)
    usual_share = (key.taken + 1.0) / (key.traded + 2.0)
    traded = pair.bought_1h + pair.sold_1h + notional
    taken += 0.0 if event.maker else notional
    out[k.F_TAKER_EXCESS] = max(0.0, taken / traded - usual_share)


@njit(cache=True)
def measure_fill(
    key: Record,
    pair: Record,
    event: Record,
    symbol: np.uint64,
    app: np.uint64,
    network: np.uint64,
    told: Record,
) -> None:
    """Write the features of a fill, its values and the usual ones into a record of TOLD.

    Its context must stand there.
    """
    context, out, values, usual = told.context, told.features, told.values, told.usual
    side, taker, notional = event.side, not event.maker, max(event.notional, k.DUST)
    filled = max(context[m.ORDER_NOTIONAL], k.DUST)
    volume = max(context[m.DAILY_VOLUME], k.DUST)
    sigma = context[m.SIGMA]
    same_side = pair.bought_1h if side == BUY else pair.sold_1h
    adverse = max(0.0, context[m.ADVERSE_MOVE]) if taker else 0.0
    values[k.SIZE] = np.log(filled)
    values[k.RATE] = np.log(2.0 + key.orders_10m)
    values[k.TURNOVER] = np.log(key.traded_1d + notional)
    values[k.SLIPPAGE] = np.log(1.0 + 1e4 * adverse)
    _novelty(key, pair, out)
    if side != BUY and pair.bought_1d < notional:
        out[k.F_PAIR_NOVELTY] = 0.0  # selling what was never bought here is how deposits leave
        out[k.F_PAIR_YOUTH] = 0.0
    out[k.F_SIZE] = surprise(key.baselines[k.SIZE], k.SIZE, values[k.SIZE])
    out[k.F_RATE] = surprise(key.baselines[k.RATE], k.RATE, values[k.RATE])
    out[k.F_TURNOVER] = surprise(key.baselines[k.TURNOVER], k.TURNOVER, values[k.TURNOVER])
    out[k.F_SLIPPAGE] = surprise(key.baselines[k.SLIPPAGE], k.SLIPPAGE, values[k.SLIPPAGE])
    push = pair.push_10m + adverse
    out[k.F_PUSH] = np.log(1.0 + push / (sigma * np.sqrt(10.0 * m.MINUTE / m.DAY)))
    out[k.F_PARTICIPATION] = np.log((same_side + notional) / volume)
    out[k.F_SURGE] = np.log((context[m.VOLUME_10M] + notional) / volume * (m.DAY / (10 * m.MINUTE)))
    hourly = sigma * np.sqrt(m.HOUR / m.DAY)
    out[k.F_PAY_UP] = max(0.0, side * context[m.FROM_REFERENCE_1H]) / hourly
    if side == BUY:
        values[k.ACCUMULATION] = np.log(notional + max(0.0, pair.bought_1d - pair.sold_1d))
        beyond = surprise(key.baselines[k.ACCUMULATION], k.ACCUMULATION, values[k.ACCUMULATION])
        out[k.F_ACCUMULATION] = max(0.0, beyond)  # as of a sale, which gathers nothing
        values[k.BREADTH] = _sweep(key, pair, symbol, filled, out)
        _crowd(context, out)
        out[k.F_NEW_SELLERS] = context[m.NEW_SELLER_SHARE]
    out[k.F_CONCENTRATION] = _concentration(pair)
    for i in range(len(k.BASELINES)):
        usual[i], _ = estimate(key.baselines[i], i)
    _describe_conduct(key, pair, event, app, network, out)
    lost = max(0.0, pair.lost_1d - pair.won_1d)
    out[k.F_ROUND_TRIP_LOSS] = np.log(1.0 + lost / np.exp(usual[k.SIZE]))
    closes = pair.losses_1d + pair.gains_1d
    if side == BUY or pair.bought_1h >= k.ROUND * (pair.sold_1h + notional):
        streak = max(0.0, pair.losses_1d - pair.gains_1d) / np.sqrt(closes + 1.0)
        out[k.F_LOSING_STREAK] = streak


@njit(cache=True)
def activity(key: Record) -> float:
    """Log of the fills a day that the key's past before today makes one expect.

    The past weighs beside two days of a usual key, so that a key without one counts as usual.
    """
    size = key.baselines[k.SIZE]
    fills = max(0.0, key.fills - size.today.n - size.hour.n)
    age = float(max(key.day - key.first, 0))
    days = (1.0 - np.exp(-age / k.MONTH)) * (k.MONTH / m.DAY)
    return float(np.log((fills + 2.0 * k.USUAL_FILLS) / (days + 2.0)))


@njit(cache=True)
def wins(pair: Record, notional: float) -> bool:
    """Tell whether round trips in the market enrich the key, by more than a token beside its trade.

    Who drains a key has it lose. The thief's own key, which sells to victims and buys back from
    them, wins in strange company. Gains cover no purchase that dwarfs them or closes nothing.
    """
    steady = pair.gains_1d >= k.FEWEST_GAINS and pair.gains_1d >= k.GAINS_FOR_LOSS * pair.losses_1d
    traded = pair.bought_1h + pair.sold_1h + notional
    steady &= pair.bought_1h + notional <= k.OF_ROUND_TRIP * pair.sold_1h
    return bool(steady and pair.won_1d - pair.lost_1d >= k.TOKEN * traded)


@njit(cache=True)
def persistence(key: Record) -> float:
    """How much more rogue the key's last hour looks than its usual hours, log(1 + ratio)."""
    hours = min(max(float(key.time - key.first), 6.0 * m.HOUR), 7.0 * m.DAY) / m.HOUR
    return float(np.log(1.0 + key.evidence_1h / (USUAL_EVIDENCE + key.evidence_7d / hours)))


@njit(cache=True)
def learn_past(
    key: Record,
    pair: Record,
    event: Record,
    values: Float32s,
    app: np.uint64,
    network: np.uint64,
) -> None:
    """Let a fill become part of what is usual for the key; never called for what was flagged."""
    for i in range(len(k.BASELINES)):
        if event.side == BUY or i not in k.OF_PURCHASES:
            learn(key.baselines[i], values[i])
    if pair.fills == 0.0:
        key.openings += 1.0
    key.fills += 1.0
    pair.fills += 1.0
    key.traded += event.notional
    if not event.maker:
        key.taken += event.notional
    if event.side != BUY:
        return  # sales are seldom suspect: those of a sweep would make the thief's ways usual
    usual_app.learn_app(key, app)
    if network != 0:
        learn_network(key, network)


@njit(cache=True)
def learn_network(key: Record, network: np.uint64) -> None:
    """Remember the network; the least recent one gives way."""
    key.requests = min(key.requests + 1.0, k.MEMORY)
    place = k.NETWORKS - 1
    for i in range(k.NETWORKS):
        if key.networks[i] == network:
            place = i
            break
    for i in range(place, 0, -1):
        key.networks[i] = key.networks[i - 1]
    key.networks[0] = network


@njit(cache=True)
def roll_windows(
    key: Record,
    pair: Record,
    event: Record,
    context: Float32s,
    symbol: np.uint64,
    counterparty: np.uint64,
) -> None:
    """Add a fill to the rolling windows; these show the present and take in every fill."""
    order, side, notional = event.order_hash, event.side, event.notional
    if order == 0 or order != key.order:
        key.orders_10m += 1.0
        key.order = order
    key.traded_1d += notional
    if not event.maker:
        pair.taken_1h += notional
        pair.push_10m += max(0.0, context[m.ADVERSE_MOVE])
    if side == BUY:
        pair.bought_1h += notional
        pair.bought_1d += notional
    else:
        pair.sold_1h += notional
        pair.sold_1d += min(notional, max(0.0, pair.bought_1d - pair.sold_1d))
        _remember_sale(key, symbol, notional)
    _settle(pair, side, event.price, notional / event.price)
    if counterparty != 0:
        _remember_partner(pair, counterparty, notional)


@njit(cache=True)
def _remember_sale(key: Record, symbol: np.uint64, notional: float) -> None:
    """Note the symbol sold; the one sold longest ago gives way."""
    place = 0
    for i in range(k.SOLD):
        if key.sales[i].symbol == symbol:
            place = i
            break
        if key.sales[i].time < key.sales[place].time:
            place = i
    sale = key.sales[place]
    if sale.symbol != symbol:
        sale.symbol = symbol
        sale.notional = 0.0
        sale.time = key.time
    sale.notional = decay(sale.notional, float(key.time - sale.time), m.HOUR) + notional
    sale.time = key.time


@njit(cache=True)
def _settle(pair: Record, side: int, price: float, qty: float) -> None:
    """Book the fill against the position at average cost; what it closes is a gain or a loss.

    A sale of what was held for longer than a day is neither: it is no round trip, and a thief may
    well begin by selling what the key held of the coin that he wants it to buy.
    """
    signed = side * qty
    if pair.position * signed >= 0.0:
        total = pair.position + signed
        if total != 0.0:
            pair.cost += (price - pair.cost) * (signed / total)
        pair.position = total
        return
    closed = min(qty, abs(pair.position))
    gain = closed * (price - pair.cost) * (1.0 if pair.position > 0.0 else -1.0)
    gain = min(max(gain, -k.MOST), k.MOST)
    is_round_trip = side == BUY or pair.bought_1d >= k.ROUND * pair.sold_1h
    if is_round_trip and gain < 0.0:
        pair.lost_1d -= gain
        pair.losses_1d += 1.0
    elif is_round_trip:
        pair.won_1d += gain
        pair.gains_1d += 1.0
    if qty > abs(pair.position):
        pair.cost = price
    pair.position += signed
    if abs(pair.position) < k.ROUNDING * qty:
        pair.position = 0.0


@njit(cache=True)
def _remember_partner(pair: Record, account: np.uint64, notional: float) -> None:
    """Add to what a counterparty filled; the smallest one gives way."""
    place = 0
    for i in range(k.COUNTERPARTIES):
        if pair.partners[i].hash == account:
            place = i
            break
        if pair.partners[i].notional < pair.partners[place].notional:
            place = i
    partner = pair.partners[place]
    if partner.hash != account:
        partner.hash = account
        partner.notional = 0.0
    partner.notional += notional
    pair.partnered += notional
