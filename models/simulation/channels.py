"""Many keys that rightly act as one: signal channels and copy trading."""

import numpy as np

from models.orders.batch import BUY, Int64s
from models.simulation.draws import DAY, HOUR, MINUTE, SECOND, Rng, counts, log_uniform
from models.simulation.world import World


def run_channels(rng: Rng, world: World) -> None:
    """Let every app's channels send their signals, and every leader's copiers follow."""
    for app in range(-1, world.regime.n_apps):
        for kind in ("follower", "copier"):
            members = _members(world, app, kind)
            if len(members) >= 3:
                for group in _groups(rng, members):
                    (_signals if kind == "follower" else _copies)(rng, world, group)


def _members(world: World, app: int, kind: str) -> Int64s:
    members = world.people.of_kind(kind)
    of_app: Int64s = members[world.people.app[members] == app]
    return of_app


def _groups(rng: Rng, members: Int64s) -> list[Int64s]:
    n = int(rng.integers(1, 2 + min(6, len(members) // 8)))
    return [group for group in np.array_split(rng.permutation(members), n) if len(group) >= 2]


def _signals(rng: Rng, world: World, group: Int64s) -> None:
    """Signals of one channel, mostly for coins of some liquidity."""
    per_day = log_uniform(rng, 0.3, 8.0) * world.regime.activity
    times = world.any_times(rng, rng.poisson(per_day * world.regime.days), world.start, world.end)
    favourites = rng.choice(len(world.coins.names), min(12, len(world.coins.names)), replace=False)
    for ts in np.sort(times).tolist():
        coin = int(rng.choice(favourites) if rng.random() < 0.6 else _liquid_coin(rng, world))
        follow_signal(rng, world, group, coin, ts)


def _liquid_coin(rng: Rng, world: World) -> int:
    return int(len(world.coins.names) * rng.random() ** 2.0)


def follow_signal(
    rng: Rng, world: World, group: Int64s, coin: int, ts: int, *, stake: float = 1.0
) -> Int64s:
    """Let members of a group buy one coin at `stake` times their usual size, and sell it later.

    Returns those who did. The app's servers make them milliseconds or seconds apart.
    """
    people, markets = world.people, world.markets
    market = markets.at[people.venue[group], coin]
    open_now = (market >= 0) & (people.born[group] <= ts) & (people.stops[group] > ts)
    joins = open_now & (rng.random(len(group)) < rng.uniform(0.25, 0.95))
    who: Int64s = group[joins]
    market = market[joins]
    if not len(who):
        return who
    spread = log_uniform(rng, 0.15 * SECOND, 90 * SECOND)
    when = ts + rng.exponential(spread, len(who)).astype(np.int64)
    usd = stake * people.draw_sizes(rng, who)
    is_market = bool(rng.random() < 0.7)
    world.flow.add(ts=when, market=market, taker=who, usd=usd, side=BUY, is_market=is_market)
    hold = log_uniform(rng, 5 * MINUTE, 2 * DAY)
    together = rng.random() < 0.5
    leave = ts + np.full(len(who), hold) if together else ts + rng.exponential(hold, len(who))
    leave = np.maximum(leave, when + SECOND) + rng.exponential(spread, len(who))
    world.flow.add(ts=leave.astype(np.int64), market=market, taker=who, usd=usd, side=-BUY)
    return who


def _copies(rng: Rng, world: World, group: Int64s) -> None:
    """Trades of one leader, each copied in proportion by the others."""
    people, markets = world.people, world.markets
    leader, copiers = int(group[0]), group[1:]
    n = counts(rng, log_uniform(rng, 1.0, 20.0) * world.regime.activity * world.regime.days)
    ts = np.sort(world.any_times(rng, n, world.start, world.end))
    home = people.pick_homes(rng, np.full(n, leader))
    usd = people.draw_sizes(rng, np.full(n, leader))
    side = np.where(rng.random(n) < 0.52, BUY, -BUY)
    world.flow.add(ts=ts, market=home, taker=leader, usd=usd, side=side)
    delay = log_uniform(rng, 0.05 * SECOND, 5 * SECOND)
    for copier in copiers.tolist():
        market = markets.at[people.venue[copier], markets.coin[home]]
        does = (market >= 0) & (rng.random(n) < 0.85) & (ts >= people.born[copier])
        does &= ts < people.stops[copier]
        world.flow.add(
            ts=ts[does] + rng.exponential(delay, does.sum()).astype(np.int64),
            market=market[does],
            taker=copier,
            usd=usd[does] * people.size[copier] / people.size[leader],
            side=side[does],
            is_market=True,
        )


def ordinary_bot(rng: Rng, world: World, actor: int, begin: int) -> None:
    """Start a bot for one key: the same few markets, the same size, on and on."""
    people = world.people
    gap = log_uniform(rng, 2 * MINUTE, 8 * HOUR)
    n = min(int(rng.integers(6, 200)), int(max(0, world.end - begin) / gap) + 1)
    ts = begin + rng.exponential(gap, n).cumsum().astype(np.int64)
    who = np.full(n, actor)
    world.flow.add(
        ts=ts,
        market=people.pick_homes(rng, who),
        taker=actor,
        usd=people.draw_sizes(rng, who),
        side=np.where(np.arange(n) < 2, BUY, np.where(rng.random(n) < 0.5, BUY, -BUY)),
        is_market=bool(rng.random() < 0.6),
    )
