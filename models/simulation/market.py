"""Coins and the markets that trade them: liquidity, spread, ticks, and the fundamental price.

The fundamental price is what the coin would cost if nobody's order moved it: a random walk with a
common factor, clustered volatility and jumps, on a grid. What orders do to it is the business of
`models.simulation.exchange`.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.orders.batch import Float64s, Int32s, Int64s
from models.simulation.draws import DAY, Rng, log_normals, log_uniform, log_uniforms
from models.simulation.regimes import Regime

_VENUES: Final = (
    "binance", "okx", "bybit", "kraken", "kucoin", "gateio", "huobi", "mexc", "bitget", "ftx",
    "coinbase", "bitfinex", "hitbtc", "poloniex", "yobit",
)  # fmt: skip
_QUOTES: Final = ("USDT", "USDC", "BTC", "ETH", "EUR")
_GRID_STEPS_PER_DAY: Final = 720
_LETTERS: Final = np.array(list("ABCDEFGHIKLMNOPRSTUVXYZ"))


@dataclass(slots=True)
class Coins:
    """S coins; log prices on a time grid, in USD."""

    names: list[str]
    sigma: Float64s  # daily volatility, shape (S,)
    log_price: Float64s  # shape (S, grid)
    grid_step: float  # ms
    listed: Int64s  # ms since the epoch; before it there is no trade, shape (S,)


@dataclass(slots=True)
class Markets:
    """M markets, one per listing of a coin on a venue; columns of shape (M,)."""

    venues: list[str]
    names: list[str]  # symbols
    venue: Int32s
    coin: Int32s
    quote: Int32s  # place in _QUOTES
    quote_coin: Int32s  # coin that prices are quoted in; -1: dollars
    quote_rate: Float64s  # dollars per unit of a quote that is no coin (dollars, euros)
    adv: Float64s  # USD a day, as planned
    half_spread: Float64s  # log
    tick: Float64s  # in the quote
    impact: Float64s  # Y of the square-root law
    book_depth: Float64s  # in days of volume: beyond it, the book is empty and impact is linear
    fast_ms: Float64s  # decay of the impact's fast part
    slow_ms: Float64s  # and of its slow part
    fast_share: Float64s
    permanent: Float64s  # share of an order's move that stays
    lag_ms: Float64s  # how far the venue's price trails the coin's
    level_gap: Float64s  # log distance between filled levels of the book
    at: Int32s  # market of (venue, coin), shape (venues, S); -1: not listed

    def __len__(self) -> int:
        return len(self.names)


def draw_coins(rng: Rng, regime: Regime, start: int) -> tuple[Coins, Float64s]:
    """Draw coins with their price paths, and each coin's planned daily volume in USD."""
    n = regime.n_symbols
    top = log_uniform(rng, 4e6, 4e7) * regime.liquidity
    # Zipf above, log-uniform below: a few giants, a long thin tail
    place = np.arange(n) / max(1, n - 1)
    floor = log_uniform(rng, 6e2, 4e3) * regime.liquidity
    adv = top * (floor / top) ** (place ** (0.6 / regime.thinness)) * log_normals(rng, 1.0, 0.5, n)
    calm = 0.025 * (adv / adv.max()) ** -0.13
    sigma = np.clip(log_normals(rng, calm, 0.35, n) * regime.volatility, 0.004, 0.6)
    steps = int(np.ceil(regime.days * _GRID_STEPS_PER_DAY)) + 2
    listed = np.full(n, np.iinfo(np.int64).min // 4, np.int64)
    coins = Coins(
        names=_tickers(rng, n),
        sigma=sigma,
        log_price=_paths(rng, sigma, steps, regime.volatility),
        grid_step=DAY / _GRID_STEPS_PER_DAY,
        listed=listed,
    )
    coins.log_price[0] += np.log(log_uniform(rng, 6e3, 9e4))
    coins.log_price[1:] += np.log(log_uniforms(rng, 2e-4, 300.0, n - 1))[:, None]
    return coins, adv


def _tickers(rng: Rng, n: int) -> list[str]:
    names = ["BTC", "ETH"][:n]
    while len(names) < n:
        name = "".join(rng.choice(_LETTERS, rng.integers(2, 6)))
        if name not in names and name not in _QUOTES:
            names.append(name)
    return names


def _paths(rng: Rng, sigma: Float64s, steps: int, volatility: float) -> Float64s:
    """Log prices without level, shape (S, steps)."""
    n = len(sigma)
    step_days = 1 / _GRID_STEPS_PER_DAY
    activity = 1 + rng.uniform(0, 0.8) * np.cos(2 * np.pi * (np.arange(steps) * step_days))
    clustered = activity * np.exp(_log_vol(rng, n, steps))
    common = rng.standard_normal(steps) * clustered[0]
    own = rng.standard_normal((n, steps)) * clustered
    beta = rng.uniform(0.3, 0.9, n)[:, None]
    moves = beta * common + np.sqrt(1 - beta**2) * own
    moves *= sigma[:, None] * np.sqrt(step_days)
    jumps = rng.random((n, steps)) < 0.15 * volatility * step_days
    moves += jumps * rng.standard_t(3, (n, steps)) * sigma[:, None] * 0.8
    paths: Float64s = np.cumsum(moves, axis=1)
    return paths


def _log_vol(rng: Rng, n: int, steps: int) -> Float64s:
    """Draw slow log-volatility, an AR(1) of about a third of a day, shape (n, steps)."""
    every = 24
    knots = steps // every + 2
    values = np.empty((n, knots))
    values[:, 0] = rng.standard_normal(n)
    for k in range(1, knots):
        values[:, k] = 0.9 * values[:, k - 1] + 0.44 * rng.standard_normal(n)
    place = np.arange(steps) / every
    left = place.astype(int)
    weight = place - left
    drawn: Float64s = values[:, left] * (1 - weight) + values[:, left + 1] * weight
    return 0.45 * drawn - 0.1


def draw_markets(rng: Rng, regime: Regime, coins: Coins, adv: Float64s) -> Markets:
    """List every coin on one venue or more; the liquid ones on most of them."""
    n_venues, n_coins = regime.n_venues, len(coins.names)
    venues = [str(name) for name in rng.permutation(np.array(_VENUES))[:n_venues]]
    venues += [f"venue{i}" for i in range(len(venues), n_venues)]
    share = rng.dirichlet(np.full(n_venues, 1.5))
    listing = 0.15 + 0.8 * (np.log(adv / adv.min()) / np.log(adv.max() / adv.min())) ** 1.2
    listed = rng.random((n_venues, n_coins)) < listing
    home = rng.choice(n_venues, n_coins, p=share)
    listed[home, np.arange(n_coins)] = True
    venue, coin = (column.astype(np.int32) for column in np.nonzero(listed))
    m = len(venue)
    parts = listed * share[:, None] * log_normals(rng, 1.0, 0.6, listed.size).reshape(listed.shape)
    market_adv = (adv * parts / parts.sum(axis=0))[venue, coin]
    at = np.full((n_venues, n_coins), -1, np.int32)
    at[venue, coin] = np.arange(m, dtype=np.int32)
    half_spread = np.clip(
        3e-2 * (market_adv / (2e3 * regime.liquidity)) ** -0.6 * log_normals(rng, 1.0, 0.7, m),
        1e-5,
        0.08,
    )
    slow = log_uniform(rng, 0.3, 6.0)
    markets = Markets(
        venues=venues,
        names=[],
        venue=venue,
        coin=coin,
        quote=np.zeros(m, np.int32),
        quote_coin=np.full(m, -1, np.int32),
        quote_rate=np.ones(m),
        adv=market_adv,
        half_spread=half_spread,
        tick=np.zeros(m),
        impact=np.clip(log_normals(rng, log_uniform(rng, 0.7, 1.2), 0.25, m), 0.5, 1.7),
        book_depth=log_uniforms(rng, 0.03, 0.8, m),
        fast_ms=log_uniforms(rng, 2e4, 6e5, m),
        slow_ms=log_normals(rng, slow, 0.5, m) * 3.6e6,
        fast_share=rng.uniform(0.3, 0.75, m),
        permanent=rng.uniform(0.02, 0.3, m),
        lag_ms=log_uniforms(rng, 50.0, 2e4, n_venues)[venue],
        level_gap=half_spread * log_uniforms(rng, 1.0, 6.0, m) + 1e-4,
        at=at,
    )
    _quote(rng, markets, coins)
    return markets


def _quote(rng: Rng, markets: Markets, coins: Coins) -> None:
    """Choose quote currencies, names and ticks."""
    m = len(markets.coin)
    weights = np.array([0.72, 0.06, 0.14, 0.04, 0.04])
    quote = rng.choice(len(_QUOTES), m, p=weights)
    quote[markets.coin < 2] = 0
    markets.quote = quote.astype(np.int32)
    markets.quote_coin = np.select([quote == 2, quote == 3], [0, 1], -1).astype(np.int32)
    markets.quote_rate = np.where(quote == 4, rng.uniform(1.02, 1.25), 1.0)
    dash = rng.choice(["", "", "-", "/", "_"], len(markets.venues))
    markets.names = [
        f"{coins.names[c]}{dash[v]}{_QUOTES[q]}"
        for c, v, q in zip(markets.coin, markets.venue, quote, strict=True)
    ]
    level = coins.log_price[markets.coin, 0]
    converted = np.where(quote >= 2, coins.log_price[np.maximum(markets.quote_coin, 0), 0], 0.0)
    price = np.exp(level - np.where(markets.quote_coin >= 0, converted, 0.0)) / markets.quote_rate
    coarse = rng.integers(3, 6, m)
    tick = 10.0 ** (np.floor(np.log10(price)) - coarse)
    # no coarser than the spread, or the tick alone would be the spread
    fine = np.maximum(1e-12, 10.0 ** np.floor(np.log10(price * markets.half_spread * 2)))
    markets.tick = np.minimum(tick, fine)
