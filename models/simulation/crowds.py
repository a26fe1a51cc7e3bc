"""Look-alikes of whole markets: pumps with willing buyers, listings, news, panic."""

from collections.abc import Callable
from typing import Final

import numpy as np

from models.orders.batch import BUY
from models.simulation.draws import DAY, HOUR, MINUTE, SECOND, Rng, log_uniform, split
from models.simulation.people import HOMES, WEB
from models.simulation.theft import chase
from models.simulation.world import World


def organic_pump(rng: Rng, world: World, ts: int) -> None:
    """Let one depositor buy thin coins up, and people of many apps follow."""
    people = world.people
    actor = int(rng.integers(0, len(people)))
    for _ in range(int(rng.integers(1, 4))):
        market = world.thin_market(rng, actor, 2e3, 4e5)
        if market is None:
            return
        usd = float(world.markets.adv[market]) * log_uniform(rng, 0.15, 3.0)
        n = int(log_uniform(rng, 1, 60))
        length = log_uniform(rng, MINUTE, 2 * HOUR)
        world.flow.add(
            ts=ts + np.sort(rng.random(n) * length).astype(np.int64),
            market=market,
            taker=actor,
            side=BUY,
            usd=split(rng, usd, n),
            is_market=bool(rng.random() < 0.7),
        )
        followers = chase(rng, world, market, ts, int(log_uniform(rng, 5, 150)), usd)
        _take_profit(rng, world, actor, market, ts + int(length), usd)
        keyed = np.unique(np.r_[actor, followers])
        world.labels.note("organic-pump", keyed[keyed < people.n_keys], market, ts)


def _take_profit(rng: Rng, world: World, actor: int, market: int, ts: int, usd: float) -> None:
    n = int(rng.integers(1, 20))
    world.flow.add(
        ts=ts + np.sort(rng.exponential(HOUR, n)).astype(np.int64),
        market=market,
        taker=actor,
        side=-BUY,
        usd=split(rng, usd * rng.uniform(0.2, 1.0), n),
    )


def telegram_pump(rng: Rng, world: World, ts: int) -> None:
    """Let a group buy one thin coin at a set moment, willingly; the organisers bought before."""
    people = world.people
    leader = int(rng.integers(0, len(people)))
    market = world.thin_market(rng, leader, 1e3, 1e5)
    if market is None:
        return
    adv = float(world.markets.adv[market])
    n = int(log_uniform(rng, 8, 200))
    ts -= ts % MINUTE
    organisers = world.strangers(
        rng, np.full(int(rng.integers(1, 8)), world.markets.venue[market], np.int32)
    )
    for organiser in organisers.tolist():
        _gather(rng, world, organiser, market, ts, 0.1 * adv)
    followers = chase(rng, world, market, ts, n, adv * log_uniform(rng, 0.3, 6.0))
    k = int(rng.integers(2, 40))
    world.flow.add(
        ts=ts + rng.exponential(3 * MINUTE, k).astype(np.int64),
        market=market,
        taker=rng.choice(organisers, k),
        side=-BUY,
        usd=split(rng, 0.3 * adv, k),
    )
    keyed = np.unique(followers)
    world.labels.note("telegram-pump", keyed[keyed < people.n_keys], market, ts)


def _gather(rng: Rng, world: World, actor: int, market: int, ts: int, usd: float) -> None:
    n = int(rng.integers(1, 20))
    since = max(world.start, ts - int(log_uniform(rng, HOUR, 3 * DAY)))
    world.flow.add(
        ts=world.any_times(rng, n, since, ts),
        market=market,
        taker=actor,
        side=BUY,
        usd=split(rng, usd, n),
    )


def listing(rng: Rng, world: World, ts: int) -> None:
    """Follow up a new coin's listing: it is new to everybody, and many buy at once.

    The coin itself was set apart before ordinary trade was drawn; see `set_listings`.
    """
    listed = np.flatnonzero(world.coins.listed > world.start)
    if not len(listed):
        return
    coin = int(rng.choice(listed))
    begin = int(world.coins.listed[coin])
    del ts
    for market in world.markets.at[:, coin][world.markets.at[:, coin] >= 0].tolist():
        n = int(log_uniform(rng, 10, 150))
        usd = float(world.markets.adv[market]) * log_uniform(rng, 0.2, 2.0)
        followers = chase(rng, world, market, begin, n, usd)
        keyed = np.unique(followers)
        world.labels.note("listing", keyed[keyed < world.people.n_keys], market, begin)


def set_listings(rng: Rng, world: World) -> None:
    """Set some coins apart to be listed during the tape, with a lively price afterwards."""
    rate = world.regime.lookalikes.get("listing", 0.0) * world.regime.lookalike_rate
    n = int(rng.poisson(rate * world.regime.days / 7))
    coins = rng.permutation(np.arange(2, len(world.coins.names)))[:n]
    for coin in coins.tolist():
        ts = world.start + int((world.end - world.start) * rng.uniform(0.02, 0.95))
        world.coins.listed[coin] = ts - ts % (30 * MINUTE)
        _bend(
            world, coin, int(world.coins.listed[coin]), rng.normal(0.25, 0.3), rng.uniform(5, 120)
        )


def news_surge(rng: Rng, world: World, ts: int) -> None:
    """Let news lift a coin on all its venues; everybody buys it."""
    coin = int(rng.integers(0, len(world.coins.names)))
    _bend(world, coin, ts, rng.normal(0.0, 3.0) * world.coins.sigma[coin], rng.uniform(1, 60))
    for market in world.markets.at[:, coin][world.markets.at[:, coin] >= 0].tolist():
        n = int(log_uniform(rng, 10, 200))
        usd = float(world.markets.adv[market]) * log_uniform(rng, 0.1, 1.0)
        followers = np.unique(chase(rng, world, market, ts, n, usd))
        world.labels.note("news-surge", followers[followers < world.people.n_keys], market, ts)


def panic(rng: Rng, world: World, ts: int) -> None:
    """Crash the whole market; keys sell all they hold, and some buy the dip of one coin."""
    people = world.people
    first = int((ts - world.start) / world.coins.grid_step)
    after = np.arange(world.coins.log_price.shape[1] - first)
    depth = -log_uniform(rng, 0.05, 0.3) * rng.uniform(0.6, 1.6, len(world.coins.names))
    fall = 1 - np.exp(-after / rng.uniform(3, 40))
    back = 1 - rng.uniform(0.0, 0.7) * (1 - np.exp(-after / rng.uniform(60, 400)))
    world.coins.log_price[:, first:] += depth[:, None] * (fall * back)[None, :]
    keys = np.arange(people.n_keys)
    web = people.of_kind(WEB)
    who = np.r_[
        keys[rng.random(len(keys)) < log_uniform(rng, 0.02, 0.25)],
        web[rng.random(len(web)) < log_uniform(rng, 0.02, 0.25)],
    ]
    length = log_uniform(rng, 5 * MINUTE, 3 * HOUR)
    for actor in who.tolist():
        begin = ts + int(rng.exponential(length))
        held = people.usual_markets(actor)
        when = begin + rng.exponential(5 * SECOND, len(held)).cumsum().astype(np.int64)
        usd = split(rng, float(people.wealth[actor]) * rng.uniform(0.2, 1.0), len(held), 1.0)
        usd = np.minimum(usd, 2 * world.markets.adv[held])
        world.flow.add(ts=when, market=held, taker=actor, side=-BUY, usd=usd, is_market=True)
        if rng.random() < 0.15:  # and into one coin that fell most
            market = world.thin_market(rng, actor, 1e4, 1e6)
            if market is not None:
                world.flow.add(
                    ts=int(when[-1]) + int(rng.exponential(10 * MINUTE)),
                    market=market,
                    taker=actor,
                    side=BUY,
                    usd=float(usd.sum()) * rng.uniform(0.2, 0.9),
                )
    world.labels.note("panic", who[who < people.n_keys], None, ts)


def stop_loss_cascade(rng: Rng, world: World, ts: int) -> None:
    """Let one coin fall through everybody's stops: many keys dump it within minutes."""
    people = world.people
    coin = int(rng.integers(0, len(world.coins.names)))
    _bend(world, coin, ts, -log_uniform(rng, 0.04, 0.4), rng.uniform(1, 10))
    for market in world.markets.at[:, coin][world.markets.at[:, coin] >= 0].tolist():
        holds = (people.homes == market) & (np.arange(HOMES) < people.n_homes[:, None])
        holders = np.flatnonzero(holds.any(axis=1))
        hit = holders[rng.random(len(holders)) < rng.uniform(0.1, 0.7)]
        usd = np.minimum(people.draw_sizes(rng, hit) * 4, world.markets.adv[market] / 3)
        delay = rng.exponential(log_uniform(rng, 10 * SECOND, 20 * MINUTE), len(hit))
        world.flow.add(
            ts=ts + delay.astype(np.int64),
            market=market,
            taker=hit,
            side=-BUY,
            usd=usd,
            is_market=True,
        )
        world.labels.note("stop-loss-cascade", hit[hit < people.n_keys], market, ts)


def index_change(rng: Rng, world: World, ts: int) -> None:
    """Let an app's index take in a thin coin: keys that never had it sell others and buy it."""
    people = world.people
    apps = people.app[: people.n_keys]
    app = int(rng.choice(apps))
    members = world.honest_keys(np.flatnonzero(apps == app))
    members = (
        members[people.venue[members] == people.venue[rng.choice(members)]]
        if len(members)
        else members
    )
    if app < 0 or not len(members):
        return
    members = rng.permutation(members)[: int(log_uniform(rng, 3, 80))]
    market = world.thin_market(rng, int(members[0]), 5e3, 1e6)
    if market is None:
        return
    spread = log_uniform(rng, SECOND, 10 * MINUTE)
    for actor in members.tolist():
        held = people.usual_markets(actor)
        begin = ts + int(rng.exponential(spread))
        usd = float(people.size[actor]) * rng.uniform(0.5, 3.0)
        sold = rng.permutation(held)[: int(rng.integers(0, len(held) + 1))]
        world.flow.add(
            ts=begin + np.sort(rng.integers(0, 5 * SECOND, len(sold))),
            market=sold,
            taker=actor,
            side=-BUY,
            usd=usd / max(1, len(sold)),
            is_market=True,
        )
        world.flow.add(ts=begin + 6 * SECOND, market=market, taker=actor, side=BUY, usd=usd)
    world.labels.note("index-change", members, market, ts)


def _bend(world: World, coin: int, ts: int, change: float, pace: float) -> None:
    """Let a coin's fundamental log price change from `ts` on; `pace` in steps of the grid."""
    grid = world.coins.log_price[coin]
    first = min(max(0, int((ts - world.start) / world.coins.grid_step)), len(grid) - 1)
    grid[first:] += change * (1 - np.exp(-np.arange(len(grid) - first) / pace))


PRICE_BENDING: Final = frozenset({"news-surge", "panic", "stop-loss-cascade"})
CROWDS: Final[dict[str, Callable[[Rng, World, int], None]]] = {
    "organic-pump": organic_pump,
    "telegram-pump": telegram_pump,
    "listing": listing,
    "news-surge": news_surge,
    "panic": panic,
    "stop-loss-cascade": stop_loss_cascade,
    "index-change": index_change,
}
