"""The exchange: orders in, prices and fills out.

Each market keeps its recent signed taker volume in two decaying sums, V_fast and V_slow. The mid is
the fundamental price, plus Y·σ·sqrt(V/ADV) of both sums (square-root law of impact; beyond the
depth of the book it turns linear: the book is empty), plus the permanent part of past moves, which
other venues of the coin take over with a lag. A large order thus moves the price with the square
root of its size whether it is sliced or not, small ones linearly, and the move decays.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from models.orders.batch import Float64s, Int32s, Int64s
from models.simulation.market import Coins, Markets

_MAX_LEVELS = 14


class Executions(NamedTuple):
    """What became of n orders; columns of shape (n,), prices as logs in USD."""

    arrival: Float64s  # mid before the order
    first: Float64s  # log price of the first level it filled at
    last: Float64s  # and of the last
    levels: Int32s  # number of levels


@njit(cache=True)
def _impact(volume: float, adv: float, scale: float, depth: float) -> float:
    """Log displacement of the mid by signed recent volume."""
    days = abs(volume) / adv
    size = np.sqrt(days)
    if days > depth:
        size = np.sqrt(depth) + 1.5 * (days - depth) / np.sqrt(depth)
    size = min(scale * size, 3.2 if volume > 0 else 2.3)
    return float(size if volume > 0 else -size)


@njit(cache=True)
def _walk(
    ts: np.ndarray, coin: np.ndarray, market: np.ndarray, side: np.ndarray, usd: np.ndarray,
    offset: np.ndarray, weight: np.ndarray, noise: np.ndarray, log_price: np.ndarray,
    grid_step: float, start: int, sigma: np.ndarray, adv: np.ndarray, half_spread: np.ndarray,
    impact: np.ndarray, depth: np.ndarray, fast_ms: np.ndarray, slow_ms: np.ndarray,
    fast_share: np.ndarray, permanent: np.ndarray, lag_ms: np.ndarray, level_gap: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Run all orders, sorted by time; flat arrays, since Numba takes no dataclass."""
    n, grid = len(ts), log_price.shape[1]
    fast, slow, own = np.zeros(len(adv)), np.zeros(len(adv)), np.zeros(len(adv))
    shared = np.zeros(len(sigma))
    seen = np.full(len(adv), start)
    arrival, first, last = np.empty(n), np.empty(n), np.empty(n)
    levels = np.ones(n, np.int32)
    for i in range(n):
        m, c = market[i], coin[i]
        elapsed = float(max(0, ts[i] - seen[m]))
        seen[m] = ts[i]
        fast[m] *= np.exp(-elapsed / fast_ms[m])
        slow[m] *= np.exp(-elapsed / slow_ms[m])
        own[m] += (shared[c] - own[m]) * (1 - np.exp(-elapsed / (10 * lag_ms[m])))
        place = min(max((ts[i] - start - lag_ms[m]) / grid_step, 0.0), grid - 1.001)
        left = int(place)
        base = log_price[c, left] + (place - left) * (log_price[c, left + 1] - log_price[c, left])
        scale = impact[m] * sigma[c]
        before = fast_share[m] * _impact(fast[m], adv[m], scale, depth[m])
        before += (1 - fast_share[m]) * _impact(slow[m], adv[m], scale, depth[m])
        spread = half_spread[m] * (0.6 + 0.8 * noise[i])
        mid = base + own[m] + before
        signed = side[i] * usd[i] * weight[i]
        fast[m] += signed
        slow[m] += signed
        after = fast_share[m] * _impact(fast[m], adv[m], scale, depth[m])
        after += (1 - fast_share[m]) * _impact(slow[m], adv[m], scale, depth[m])
        moved = after - before
        shared[c] = 0.9995 * shared[c] + permanent[m] * moved
        own[m] += permanent[m] * moved
        arrival[i] = mid
        if np.isnan(offset[i]):
            reach = min(abs(moved), 1.2)
            first[i] = mid + side[i] * spread
            last[i] = first[i] + side[i] * reach
            levels[i] = min(1 + int((reach / level_gap[m]) ** 0.7 + 0.5 * noise[i]), _MAX_LEVELS)
        else:
            first[i] = mid + offset[i]
            last[i] = first[i]
    return arrival, first, last, levels


def execute(
    columns: dict[str, np.ndarray], coins: Coins, markets: Markets, adv: Float64s, start: int
) -> Executions:
    """Run orders, sorted by time, through their markets.

    Parameters
    ----------
    columns : `ts`, `market`, `side`, `usd`, `offset` (log distance of the fill from the mid; NaN:
        the book decides), `weight` (share of the order that moves the price) and `noise` in [0, 1).
    adv : each market's daily volume in USD, shape (M,).
    """
    market: Int32s = columns["market"]
    ts: Int64s = columns["ts"]
    return Executions(
        *_walk(
            ts, markets.coin[market], market, columns["side"].astype(np.float64), columns["usd"],
            columns["offset"], columns["weight"], columns["noise"], coins.log_price,
            coins.grid_step, start, coins.sigma, adv, markets.half_spread, markets.impact,
            markets.book_depth, markets.fast_ms, markets.slow_ms, markets.fast_share,
            markets.permanent, markets.lag_ms, markets.level_gap,
        )
    )  # fmt: skip
