"""The exchange: orders in, prices and fills out.

Each market keeps its recent signed taker volume in two decaying sums, V_fast and V_slow. The mid is
the fundamental price, plus Y·σ·sqrt(V/ADV) of both sums (square-root law of impact; beyond the
depth of the book it turns linear and steep: the book is empty), plus the permanent part of past
moves, which other venues of the coin take over with a lag. A large order thus moves the price with
the square root of its size whether it is sliced or not, small ones linearly, and the move decays.
"""

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from models.orders.batch import Float64s, Int32s, Int64s
from models.simulation.market import Coins, Markets

_MAX_LEVELS: Final = 14
_HIGHEST: Final = 3.2  # log of the furthest that orders lift a price
_LOWEST: Final = 2.3  # and of the furthest that they press it down


class Executions(NamedTuple):
    """What became of n orders; columns of shape (n,), prices as logs in USD."""

    arrival: Float64s  # mid before the order
    first: Float64s  # log price of the first level it filled at
    last: Float64s  # and of the last
    levels: Int32s  # number of levels


class _Orders(NamedTuple):
    """n orders, sorted by time, as the kernel takes them."""

    ts: Int64s
    market: Int32s
    side: Float64s
    usd: Float64s
    offset: Float64s
    weight: Float64s
    noise: Float64s


class _Books(NamedTuple):
    """Markets and coins as the kernel takes them: arrays, since it takes no dataclass."""

    coin: Int32s
    scale: Float64s  # Y·σ
    adv: Float64s
    depth: Float64s
    half_spread: Float64s
    fast_ms: Float64s
    slow_ms: Float64s
    fast_share: Float64s
    permanent: Float64s
    lag_ms: Float64s
    level_gap: Float64s
    log_price: Float64s  # shape (S, grid)
    grid_step: float
    start: int


@njit(cache=True)
def _impact(volume: float, books: _Books, m: int) -> float:
    """Log displacement of the mid by signed recent volume."""
    days, depth = abs(volume) / books.adv[m], books.depth[m]
    size = np.sqrt(days)
    if days > depth:
        size = np.sqrt(depth) + 2.5 * (days - depth) / np.sqrt(depth)
    size = min(books.scale[m] * size, _HIGHEST if volume > 0 else _LOWEST)
    return float(size if volume > 0 else -size)


@njit(cache=True)
def _fundamental(ts: int, books: _Books, m: int) -> float:
    """Log price that the venue sees of the coin, on the grid, with its lag."""
    series = books.log_price[books.coin[m]]
    place = (ts - books.start - books.lag_ms[m]) / books.grid_step
    place = min(max(place, 0.0), len(series) - 1.001)
    left = int(place)
    return float(series[left] + (place - left) * (series[left + 1] - series[left]))


@njit(cache=True)
def _walk(orders: _Orders, books: _Books) -> tuple[Float64s, Float64s, Float64s, Int32s]:
    """Run all orders, one after the other."""
    n, n_markets = len(orders.ts), len(books.adv)
    fast, slow, own = np.zeros(n_markets), np.zeros(n_markets), np.zeros(n_markets)
    shared = np.zeros(len(books.log_price))
    seen = np.full(n_markets, books.start)
    arrival, first, last = np.empty(n), np.empty(n), np.empty(n)
    levels = np.ones(n, np.int32)
    for i in range(n):
        ts, m, side, noise = orders.ts[i], orders.market[i], orders.side[i], orders.noise[i]
        c, share = books.coin[m], books.fast_share[m]
        elapsed = float(max(0, ts - seen[m]))
        seen[m] = ts
        fast[m] *= np.exp(-elapsed / books.fast_ms[m])
        slow[m] *= np.exp(-elapsed / books.slow_ms[m])
        own[m] += (shared[c] - own[m]) * (1 - np.exp(-elapsed / (10 * books.lag_ms[m])))
        before = share * _impact(fast[m], books, m) + (1 - share) * _impact(slow[m], books, m)
        mid = _fundamental(ts, books, m) + own[m] + before
        signed = side * orders.usd[i] * orders.weight[i]
        fast[m] += signed
        slow[m] += signed
        after = share * _impact(fast[m], books, m) + (1 - share) * _impact(slow[m], books, m)
        kept = books.permanent[m] * (after - before)
        shared[c] = 0.9995 * shared[c] + kept
        own[m] += kept
        arrival[i] = mid
        if np.isnan(orders.offset[i]):
            reach = min(abs(after - before), 1.2)
            first[i] = mid + side * books.half_spread[m] * (0.6 + 0.8 * noise)
            last[i] = first[i] + side * reach
            crossed = (reach / books.level_gap[m]) ** 0.7 + 0.5 * noise
            levels[i] = min(1 + int(crossed), _MAX_LEVELS)
        else:
            first[i] = last[i] = mid + orders.offset[i]
    return arrival, first, last, levels


def execute(
    columns: dict[str, np.ndarray], coins: Coins, markets: Markets, adv: Float64s, start: int
) -> Executions:
    """Run orders, sorted by time, through their markets.

    Parameters
    ----------
    columns : `ts`, `market`, `side`, `usd`, `offset` (log distance of the fill from the mid; NaN:
        the book decides), `weight` (share of the order that moves the price) and `noise` in [0, 1).
    coins, markets : where they trade.
    adv : each market's daily volume in USD, shape (M,).
    start : first moment of the coins' price grid, ms since the epoch.
    """
    given = {name: columns[name] for name in _Orders._fields}
    given["side"] = given["side"].astype(np.float64)
    books = _Books(
        coin=markets.coin,
        scale=markets.impact * coins.sigma[markets.coin],
        adv=adv,
        depth=markets.book_depth,
        half_spread=markets.half_spread,
        fast_ms=markets.fast_ms,
        slow_ms=markets.slow_ms,
        fast_share=markets.fast_share,
        permanent=markets.permanent,
        lag_ms=markets.lag_ms,
        level_gap=markets.level_gap,
        log_price=coins.log_price,
        grid_step=coins.grid_step,
        start=start,
    )
    return Executions(*_walk(_Orders(**given), books))
