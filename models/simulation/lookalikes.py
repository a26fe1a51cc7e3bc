"""Look-alikes of single keys: honest doings that resemble theft in one respect or several."""

from collections.abc import Callable, Set
from typing import Final

import numpy as np

from models.orders.batch import BUY, Int64s
from models.simulation.channels import follow_signal, ordinary_bot
from models.simulation.crowds import CROWDS
from models.simulation.draws import DAY, HOUR, MINUTE, SECOND, Rng, counts, log_uniform, split
from models.simulation.flow import MAKER
from models.simulation.world import World

Lookalike = Callable[[Rng, World, int], None]


def resemble_all(rng: Rng, world: World, kinds: Set[str]) -> None:
    """Let the regime's look-alikes of these kinds happen, at times and to keys that vary."""
    regime = world.regime
    scale = regime.lookalike_rate * regime.n_keys / 2_800 * regime.days / 7
    for kind, rate in regime.lookalikes.items():
        if kind not in kinds:
            continue
        for _ in range(counts(rng, rate * scale)):
            ts = world.start + int((world.end - world.start) * rng.random())
            (SINGLES | CROWDS)[kind](rng, world, ts)


def _somebody(rng: Rng, world: World, ts: int, *kinds: str) -> int | None:
    """Choose an honest key that is alive at `ts`, of the given strategies or of any."""
    people = world.people
    actors = world.honest_keys(people.of_kind(*kinds) if kinds else None)
    actors = actors[(people.born[actors] <= ts) & (people.stops[actors] > ts)]
    return int(rng.choice(actors)) if len(actors) else None


def _buy_thin(rng: Rng, world: World, actor: int, market: int, ts: int, usd: float) -> None:
    """Buy in one order, in slices, or with resting bids; hold; perhaps sell."""
    n = int(log_uniform(rng, 1, 30))
    when = ts + np.sort(rng.random(n) * log_uniform(rng, 5 * SECOND, 2 * HOUR)).astype(np.int64)
    parts = split(rng, usd, n, log_uniform(rng, 0.7, 30.0))
    patient = rng.random() < 0.25
    rests = rng.random(n) < (0.7 if patient else 0.0)
    world.flow.add(
        ts=when[~rests], market=market, taker=actor, side=BUY, usd=parts[~rests],
        is_market=bool(rng.random() < 0.6),
    )  # fmt: skip
    k = int(rests.sum())
    world.rest(
        rng, when[rests], np.full(k, market, np.int32), np.full(k, actor), side=-BUY,
        usd=parts[rests],
    )  # fmt: skip
    if rng.random() < 0.6:
        out = int(when[-1]) + int(log_uniform(rng, 2 * MINUTE, 3 * DAY))
        m = int(rng.integers(1, n + 1))
        world.flow.add(
            ts=out + np.sort(rng.exponential(MINUTE, m)).astype(np.int64),
            market=market, taker=actor, side=-BUY, usd=split(rng, usd * rng.uniform(0.4, 1.0), m),
        )  # fmt: skip


def big_thin_buy(rng: Rng, world: World, ts: int) -> None:
    """Put many times the usual size, freshly deposited, into a thin coin never traded."""
    actor = _somebody(rng, world, ts)
    if actor is None:
        return
    usd = float(world.people.size[actor]) * log_uniform(rng, 4.0, 60.0)
    adv = usd / log_uniform(rng, 0.02, 2.5)
    market = world.thin_market(rng, actor, adv / 2, adv * 2)
    if market is None:
        return
    _buy_thin(rng, world, actor, market, ts, usd)
    world.labels.note("big-thin-buy", [actor], market, ts)


def portfolio_switch(rng: Rng, world: World, ts: int) -> None:
    """Sell holdings, one or many, and put the proceeds into a thin coin never traded."""
    actor = _somebody(rng, world, ts)
    if actor is None:
        return
    people = world.people
    usd = float(people.wealth[actor]) * rng.uniform(0.1, 0.9)
    adv = usd / log_uniform(rng, 0.01, 1.2)
    market = world.thin_market(rng, actor, adv / 2, adv * 2)
    if market is None:
        return
    sold = rng.permutation(people.usual_markets(actor))[: int(log_uniform(rng, 1, 12))]
    when = ts - rng.exponential(log_uniform(rng, SECOND, 5 * MINUTE), len(sold)).cumsum()
    world.flow.add(
        ts=when.astype(np.int64), market=sold, taker=actor, side=-BUY,
        usd=split(rng, usd, len(sold), 1.0), is_market=bool(rng.random() < 0.7),
    )  # fmt: skip
    _buy_thin(rng, world, actor, market, ts + int(rng.exponential(MINUTE)), usd)
    world.labels.note("portfolio-switch", [actor], market, ts)


def cash_out(rng: Rng, world: World, ts: int) -> None:
    """Sell all holdings at market, keep the quote coin or buy the most liquid one, and go."""
    actor = _somebody(rng, world, ts)
    if actor is None:
        return
    people = world.people
    sold = rng.permutation(people.usual_markets(actor))
    usd = split(rng, float(people.wealth[actor]) * rng.uniform(0.3, 1.0), len(sold), 1.0)
    usd = np.minimum(usd, 0.5 * world.markets.adv[sold])
    pause = log_uniform(rng, 0.1 * SECOND, MINUTE)
    when = ts + rng.exponential(pause, len(sold)).cumsum().astype(np.int64)
    world.flow.add(ts=when, market=sold, taker=actor, side=-BUY, usd=usd, is_market=True)
    if rng.random() < 0.4:
        market = world.thin_market(rng, actor, 3e6, 1e10, new=False)
        begin = int(when[-1]) + int(rng.exponential(MINUTE))
        world.flow.add(ts=begin, market=market or 0, taker=actor, side=BUY, usd=float(usd.sum()))
    if rng.random() < 0.5:
        people.stops[actor] = min(int(people.stops[actor]), int(when[-1]) + HOUR)
    world.labels.note("cash-out", [actor], None, ts)


def fresh_key_bot(rng: Rng, world: World, ts: int) -> None:
    """Put a key that was never used to ordinary work."""
    actor = _somebody(rng, world, ts, "unused", "sleeper")
    if actor is None:
        return
    ordinary_bot(rng, world, actor, ts)
    world.labels.note("fresh-key-bot", [actor], None, ts)


def sleeper_wakes(rng: Rng, world: World, ts: int) -> None:
    """Wake after a long pause and buy something liquid, or of middling volume, and much of it."""
    actor = _somebody(rng, world, ts, "sleeper", "unused")
    if actor is None:
        return
    usd = float(world.people.wealth[actor]) * rng.uniform(0.1, 1.0)
    market = world.thin_market(rng, actor, usd * 20, 1e9, new=bool(rng.random() < 0.6))
    if market is None:
        return
    _buy_thin(rng, world, actor, market, ts, usd)
    world.labels.note("sleeper-wakes", [actor], market, ts)


def whale_slices(rng: Rng, world: World, ts: int) -> None:
    """Work a large order into a coin of middling volume, hour after hour."""
    actor = _somebody(rng, world, ts)
    if actor is None:
        return
    market = world.thin_market(rng, actor, 5e4, 3e6, new=bool(rng.random() < 0.7))
    if market is None:
        return
    usd = float(world.markets.adv[market]) * log_uniform(rng, 0.03, 0.8)
    n = int(log_uniform(rng, 15, 600))
    length = log_uniform(rng, 20 * MINUTE, DAY)
    even = (np.arange(n) + rng.uniform(-0.3, 0.3, n)) / n * length
    side = BUY if rng.random() < 0.75 else -BUY
    world.flow.add(
        ts=ts + even.astype(np.int64), market=market, taker=actor, side=side,
        usd=split(rng, usd, n, 5.0), is_market=bool(rng.random() < 0.5),
    )  # fmt: skip
    world.labels.note("whale-slices", [actor], market, ts)


def maker_rotates(rng: Rng, world: World, ts: int) -> None:
    """Let a market maker take up thin pairs that it never traded."""
    actor = _somebody(rng, world, ts, "maker")
    if actor is None:
        return
    rate = float(world.people.rate[actor]) * rng.uniform(0.2, 1.0)
    n = int(min(rate * (world.end - ts) / DAY, 4_000))
    news = [world.thin_market(rng, actor, 1e3, 3e5) for _ in range(int(rng.integers(1, 6)))]
    markets = np.array([m for m in news if m is not None], np.int32)
    if not n or not len(markets):
        return
    market = rng.choice(markets, n)
    usd = np.minimum(
        world.people.draw_sizes(rng, np.full(n, actor)), 0.03 * world.markets.adv[market] + 5
    )
    when = world.any_times(rng, n, ts, world.end)
    side = np.where(rng.random(n) < 0.5, BUY, -BUY)
    world.rest(rng, when, market, np.full(n, actor), usd=usd, side=side)
    k = int(rng.integers(1, 30))  # it takes its first stock from the book
    world.flow.add(
        ts=ts + rng.exponential(HOUR, k).astype(np.int64), market=rng.choice(markets, k),
        taker=actor, side=BUY, usd=world.people.draw_sizes(rng, np.full(k, actor)),
    )  # fmt: skip
    world.labels.note("maker-rotates", [actor], int(markets[0]), ts)


def maker_bug(rng: Rng, world: World, ts: int) -> None:
    """Let a broken bot of a maker trade thousands of times with whoever notices."""
    actor = _somebody(rng, world, ts, "maker")
    if actor is None:
        return
    market = world.thin_market(rng, actor, 1e4, 5e5, new=bool(rng.random() < 0.5))
    if market is None:
        return
    n = int(log_uniform(rng, 200, 3_000))
    when = ts + np.sort(rng.random(n) * log_uniform(rng, 10 * MINUTE, 2 * HOUR)).astype(np.int64)
    venue = np.full(12, world.markets.venue[market], np.int32)
    takers = rng.choice(np.unique(world.strangers(rng, venue)), n)
    side = np.where(np.arange(n) % 2 == 0, BUY, -BUY)
    loss = rng.uniform(0.001, 0.02)
    world.flow.add(
        ts=when, market=market, taker=takers, maker=actor, owner=MAKER, side=side,
        usd=world.people.draw_sizes(rng, np.full(n, actor)), offset=-side * loss, weight=0.3,
    )  # fmt: skip
    world.labels.note("maker-bug", [actor], market, ts)


def new_coin_usual_size(rng: Rng, world: World, ts: int) -> None:
    """Try one new coin at the usual size."""
    actor = _somebody(rng, world, ts)
    if actor is None:
        return
    market = world.thin_market(rng, actor, 1e3, 1e6)
    if market is None:
        return
    usd = float(world.people.draw_sizes(rng, np.array([actor]))[0])
    _buy_thin(rng, world, actor, market, ts, usd)
    world.labels.note("new-coin-usual-size", [actor], market, ts)


def app_move(rng: Rng, world: World, ts: int) -> None:
    """Move a key from one app to another, or start a bot of one's own; trade goes on, changed."""
    actor = _somebody(rng, world, ts)
    if actor is None:
        return
    people = world.people
    people.app_moves[actor] = ts
    people.later_app[actor] = int(rng.integers(-1, world.regime.n_apps))
    if rng.random() < 0.5:
        ordinary_bot(rng, world, actor, ts + int(rng.exponential(HOUR)))
    world.labels.note("app-move", [actor], None, ts)


def new_network(rng: Rng, world: World, ts: int) -> None:
    """Let a user travel or rent a server: another network from here on, and trade as usual."""
    actor = _somebody(rng, world, ts)
    if actor is None:
        return
    world.people.new_network[actor] = ts
    if rng.random() < 0.4:
        new_coin_usual_size(rng, world, ts + int(rng.exponential(6 * HOUR)))
    world.labels.note("new-network", [actor], None, ts)


def losing_bot(rng: Rng, world: World, ts: int) -> None:
    """Let a badly set bot buy at the ask and sell at the bid of a thin coin for hours."""
    actor = _somebody(rng, world, ts, "grid", "trend", "scalper", "unused", "human")
    if actor is None:
        return
    market = world.thin_market(rng, actor, 1e3, 1e5, new=bool(rng.random() < 0.7))
    if market is None:
        return
    n = int(log_uniform(rng, 60, 1_500))
    when = ts + np.sort(rng.random(n) * log_uniform(rng, 0.5 * HOUR, 8 * HOUR)).astype(np.int64)
    run = int(log_uniform(rng, 1, 20))
    side = np.where((np.arange(n) // run) % 2 == 0, BUY, -BUY)
    roster = world.makers[market]
    maker = rng.choice(roster, n) if rng.random() < 0.5 else -1
    world.flow.add(
        ts=when, market=market, taker=actor, side=side, maker=maker, weight=0.3,
        usd=world.people.draw_sizes(rng, np.full(n, actor)) * rng.uniform(0.2, 1.0),
        is_market=bool(rng.random() < 0.6),
    )  # fmt: skip
    world.labels.note("losing-bot", [actor], market, ts)


def volume_bot(rng: Rng, world: World, ts: int) -> None:
    """Let two keys of a coin's own project trade with each other, price flat: volume for show."""
    one = _somebody(rng, world, ts)
    if one is None:
        return
    people = world.people
    near: Int64s = np.flatnonzero(people.venue == people.venue[one])
    near = near[near != one]
    market = world.thin_market(rng, one, 6e2, 3e4)
    if market is None or not len(near):
        return
    other = int(rng.choice(near))
    n = int(log_uniform(rng, 100, 3_000))
    length = log_uniform(rng, 2 * HOUR, 5 * DAY)
    when = ts + np.sort(rng.random(n) * length).astype(np.int64)
    side = np.where(rng.random(n) < 0.5, BUY, -BUY)
    world.flow.add(
        ts=when, market=market, taker=one, maker=other, side=side, weight=0.02,
        usd=people.draw_sizes(rng, np.full(n, one)) * rng.uniform(0.1, 0.8),
        offset=side * world.markets.half_spread[market] * rng.uniform(-1.0, 1.0, n),
    )  # fmt: skip
    keyed = [actor for actor in (one, other) if actor < people.n_keys]
    world.labels.note("volume-bot", keyed, market, ts)


def signal_thin(rng: Rng, world: World, ts: int) -> None:
    """Let a channel call one thin coin: its followers buy at their usual size, and move it."""
    people = world.people
    followers = people.of_kind("follower", "copier")
    if len(followers) < 4:
        return
    app = people.app[rng.choice(followers)]
    group = followers[people.app[followers] == app]
    group = rng.permutation(group)[: int(log_uniform(rng, 3, 80))]
    market = world.thin_market(rng, int(group[0]), 2e3, 3e5)
    if market is None:
        return
    # now and then the channel says: with all you have
    stake = log_uniform(rng, 1.5, 6.0) if rng.random() < 0.15 else 1.0
    joined = follow_signal(rng, world, group, int(world.markets.coin[market]), ts, stake=stake)
    world.labels.note("signal-thin", joined, market, ts)


SINGLES: Final[dict[str, Lookalike]] = {
    "big-thin-buy": big_thin_buy,
    "portfolio-switch": portfolio_switch,
    "cash-out": cash_out,
    "fresh-key-bot": fresh_key_bot,
    "signal-thin": signal_thin,
    "sleeper-wakes": sleeper_wakes,
    "whale-slices": whale_slices,
    "maker-rotates": maker_rotates,
    "maker-bug": maker_bug,
    "new-coin-usual-size": new_coin_usual_size,
    "app-move": app_move,
    "new-network": new_network,
    "losing-bot": losing_bot,
    "volume-bot": volume_bot,
}
