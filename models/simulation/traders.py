"""Ordinary trade: what keys of each strategy, and people without keys, do all day."""

import numpy as np

from models.orders.batch import BUY, Float64s, Int64s
from models.simulation.channels import run_channels
from models.simulation.draws import DAY, HOUR, MINUTE, SECOND, Rng, log_normals, log_uniform
from models.simulation.world import World, sides


def trade_all(rng: Rng, world: World, orders: int) -> None:
    """Let everybody trade, about `orders` orders in all.

    Some do what they do at a pace of their own; the others' pace is set so that the number comes
    out, and strangers, never few, fill up the rest.
    """
    run_channels(rng, world)
    _dca(rng, world)
    _gamblers(rng, world)
    _rebalancers(rng, world)
    _sleepers(rng, world)
    people = world.people
    paced = people.of_kind("maker", "grid", "trend", "arbitrage", "human", "scalper")
    planned = people.rate[paced].sum() * world.regime.days * 1.2
    room = rng.uniform(0.3, 0.65) * max(orders - len(world.flow), 0.2 * orders)
    pace = float(np.clip(room / max(planned, 1.0), 0.02, 20.0))
    _makers(rng, world, pace)
    _grids(rng, world, pace)
    _trends(rng, world, pace)
    _arbitrage(rng, world, pace)
    _humans(rng, world, pace)
    _scalpers(rng, world, pace)
    strangers(rng, world, int(max(0.2 * orders, orders - len(world.flow))))


def _spread_over(rng: Rng, world: World, actors: Int64s, pace: float) -> tuple[Int64s, Int64s]:
    """Repeat each actor as often as it trades on the tape; give actors and their times."""
    people = world.people
    alive = np.minimum(people.stops[actors], world.end) - np.maximum(
        people.born[actors], world.start
    )
    mean = people.rate[actors] * pace * np.maximum(alive, 0) / DAY
    who = np.repeat(actors, rng.poisson(mean))
    return who, world.habit_times(rng, who)


def _makers(rng: Rng, world: World, pace: float) -> None:
    who, ts = _spread_over(rng, world, world.people.of_kind("maker"), pace)
    market = world.people.pick_homes(rng, who)
    usd = world.people.draw_sizes(rng, who)
    # no maker means to be the whole market
    fills_a_day = pace * world.people.rate[who] / world.people.n_homes[who]
    usd = np.minimum(usd, 0.3 * world.markets.adv[market] / fills_a_day + 2)
    rests = rng.random(len(who)) < 0.93
    # a maker leans against the trend, so strangers push with it
    buys = np.clip(0.5 + 2 * world.trend(market, ts, HOUR), 0.2, 0.8)
    side = sides_by(rng, buys)
    world.rest(rng, ts[rests], market[rests], who[rests], usd=usd[rests], side=side[rests])
    takes = ~rests
    world.flow.add(
        ts=ts[takes], market=market[takes], taker=who[takes], usd=usd[takes], side=-side[takes]
    )


def sides_by(rng: Rng, buys: Float64s) -> np.ndarray:
    """Draw sides, each with its own probability of a buy, shape (n,)."""
    return np.where(rng.random(len(buys)) < buys, BUY, -BUY).astype(np.int8)


def _grids(rng: Rng, world: World, pace: float) -> None:
    who, ts = _spread_over(rng, world, world.people.of_kind("grid"), pace)
    market = world.people.pick_homes(rng, who)
    usd = world.people.draw_sizes(rng, who)
    side = sides_by(rng, np.clip(0.5 - 4 * world.trend(market, ts, 6 * HOUR), 0.1, 0.9))
    rests = rng.random(len(who)) < 0.6
    world.rest(rng, ts[rests], market[rests], who[rests], usd=usd[rests], side=-side[rests])
    takes = ~rests
    world.flow.add(
        ts=ts[takes], market=market[takes], taker=who[takes], usd=usd[takes], side=side[takes]
    )


def _dca(rng: Rng, world: World) -> None:
    """Buy every so often, at round times; hosted savers of one app all at once."""
    people = world.people
    for actor in people.of_kind("dca").tolist():
        period = int(rng.choice([1, 4, 12, 24, 24, 24, 72, 168]) * HOUR / world.regime.activity)
        app = int(people.app[actor])
        phase = (
            (app * 37 % 24) * HOUR if app >= 0 and rng.random() < 0.6 else rng.integers(0, period)
        )
        first = world.start - world.start % DAY + int(phase)
        ts = np.arange(first, world.end, period, dtype=np.int64)
        ts = ts[(ts >= max(world.start, people.born[actor])) & (ts < people.stops[actor])]
        basket = people.usual_markets(actor)
        basket = basket[: int(rng.integers(1, len(basket) + 1))]
        for market in basket.tolist():
            delay = rng.exponential(float(rng.choice([0.3, 3.0, 40.0])) * SECOND, len(ts))
            sells = rng.random(len(ts)) < 0.06
            world.flow.add(
                ts=ts + delay.astype(np.int64),
                market=market,
                taker=actor,
                usd=people.draw_sizes(rng, np.full(len(ts), actor)) * np.where(sells, 6.0, 1.0),
                side=np.where(sells, -BUY, BUY),
                is_market=bool(rng.random() < 0.8),
            )


def _trends(rng: Rng, world: World, pace: float) -> None:
    who, ts = _spread_over(rng, world, world.people.of_kind("trend"), pace)
    market = world.people.pick_homes(rng, who)
    sigma = world.coins.sigma[world.markets.coin[market]]
    push = world.trend(market, ts, 4 * HOUR) / (sigma * np.sqrt(4 / 24))
    # they look more often when there is something to follow
    acts = rng.random(len(who)) < 0.35 + 0.65 * np.minimum(np.abs(push), 1)
    who, ts, market, push = who[acts], ts[acts], market[acts], push[acts]
    world.flow.add(
        ts=ts,
        market=market,
        taker=who,
        usd=world.people.draw_sizes(rng, who),
        side=sides_by(rng, 1 / (1 + np.exp(-1.5 * push))),
        is_market=rng.random(len(who)) < 0.6,
    )


def _arbitrage(rng: Rng, world: World, pace: float) -> None:
    """Buy here and sell there within milliseconds, where a coin trades on two venues."""
    who, ts = _spread_over(rng, world, world.people.of_kind("arbitrage"), pace)
    here = world.people.pick_homes(rng, who)
    coin = world.markets.coin[here]
    there = world.markets.at[rng.integers(0, world.regime.n_venues, len(who)), coin]
    paired = (there >= 0) & (there != here)
    who, ts, here, there = who[paired], ts[paired], here[paired], there[paired]
    usd = world.people.draw_sizes(rng, who)
    side = sides(rng, len(who))
    late = rng.integers(0, 60, len(who))
    world.flow.add(ts=ts, market=here, taker=who, usd=usd, side=side)
    world.flow.add(ts=ts + late, market=there, taker=who, usd=usd, side=-side)


def _humans(rng: Rng, world: World, pace: float) -> None:
    """Trade in bouts of a few orders, and try a new coin now and then."""
    people = world.people
    who, ts = _spread_over(rng, world, people.of_kind("human"), pace * 0.4)
    bouts = rng.geometric(0.35, len(who))
    market = people.pick_homes(rng, who)
    market = _try_new(rng, world, who, market, 0.08)
    who, ts, market = np.repeat(who, bouts), np.repeat(ts, bouts), np.repeat(market, bouts)
    ts = ts + rng.exponential(4 * MINUTE, len(ts)).astype(np.int64)
    world.flow.add(
        ts=ts,
        market=market,
        taker=who,
        usd=people.draw_sizes(rng, who),
        side=sides(rng, len(who), 0.52),
        is_market=rng.random(len(who)) < 0.5,
    )


def _try_new(rng: Rng, world: World, who: Int64s, market: np.ndarray, share: float) -> np.ndarray:
    """Replace some markets by any other of the actor's venue, thin ones as likely as liquid."""
    market = market.copy()
    for row in np.flatnonzero(rng.random(len(who)) < share).tolist():
        listed = np.flatnonzero(world.markets.venue == world.people.venue[who[row]])
        if len(listed):
            market[row] = rng.choice(listed)
    return market


def _gamblers(rng: Rng, world: World) -> None:
    """Go all in, a new thin coin each time, out again, and on to the next."""
    people = world.people
    for actor in people.of_kind("gambler").tolist():
        times = np.sort(
            world.any_times(
                rng,
                rng.poisson(people.rate[actor] * world.regime.activity * world.regime.days),
                world.start,
                world.end,
            )
        )
        stake = people.wealth[actor] * rng.uniform(0.1, 1.0)
        for ts in times.tolist():
            market = world.thin_market(rng, actor, 1e3, 2e5, new=bool(rng.random() < 0.8))
            if market is None or ts < people.born[actor]:
                continue
            stake *= rng.lognormal(-0.03, 0.3)
            parts = int(rng.integers(1, 8))
            hold = int(log_uniform(rng, 3 * MINUTE, 30 * HOUR))
            for side, begin in ((BUY, ts), (-BUY, ts + hold)):
                world.flow.add(
                    ts=begin + rng.exponential(8 * SECOND, parts).cumsum().astype(np.int64),
                    market=market,
                    taker=actor,
                    usd=stake * rng.dirichlet(np.full(parts, 3.0)),
                    side=side,
                    is_market=bool(rng.random() < 0.7),
                )


def _rebalancers(rng: Rng, world: World) -> None:
    """Sell many coins and buy many within a minute: a liquidation that is none."""
    people = world.people
    for actor in people.of_kind("rebalancer").tolist():
        basket = people.usual_markets(actor)
        period = int(rng.choice([6, 12, 24, 24, 72]) * HOUR / world.regime.activity)
        begin = int(people.born[actor]) + int(rng.integers(0, period))
        for ts in range(begin, min(world.end, int(people.stops[actor])), period):
            side = sides(rng, len(basket))
            when = ts + rng.exponential(6 * SECOND, len(basket)).cumsum().astype(np.int64)
            # sells first: they pay for the buys
            order = np.argsort(side, kind="stable")
            world.flow.add(
                ts=when,
                market=basket[order],
                taker=actor,
                usd=people.draw_sizes(rng, np.full(len(basket), actor)),
                side=side[order],
                is_market=True,
            )


def _scalpers(rng: Rng, world: World, pace: float) -> None:
    """Fast round trips in a few markets, often against the one maker that is there."""
    people = world.people
    who, ts = _spread_over(rng, world, people.of_kind("scalper"), pace)
    market = people.pick_homes(rng, who)
    usd = people.draw_sizes(rng, who)
    hold = log_normals(rng, float(20 * SECOND), 1.2, len(who)).astype(np.int64)
    side = sides(rng, len(who), 0.8)
    world.flow.add(ts=ts, market=market, taker=who, usd=usd, side=side)
    world.flow.add(ts=ts + hold, market=market, taker=who, usd=usd, side=-side)


def _sleepers(rng: Rng, world: World) -> None:
    """Hardly ever there: one bout, or none, on the whole tape."""
    people = world.people
    actors = people.of_kind("sleeper")
    bouts = rng.poisson(0.25 * world.regime.days / 7, len(actors)).clip(0, 3)
    who = np.repeat(np.repeat(actors, bouts), rng.integers(1, 6, bouts.sum()))
    begin = world.any_times(rng, len(people), world.start, world.end)[who]
    world.flow.add(
        ts=begin + rng.exponential(20 * MINUTE, len(who)).astype(np.int64),
        market=people.pick_homes(rng, who),
        taker=who,
        usd=people.draw_sizes(rng, who),
        side=sides(rng, len(who), 0.6),
    )


def strangers(rng: Rng, world: World, n: int) -> None:
    """Add n orders of people without keys: clustered in time, persistent in side, by liquidity."""
    markets = world.markets
    live = np.maximum(0, world.end - np.maximum(world.coins.listed[markets.coin], world.start))
    weights = markets.adv ** rng.uniform(0.6, 0.95) * live
    share = weights / weights.sum()
    per_market = rng.multinomial(n, share)
    market = np.repeat(np.arange(len(markets), dtype=np.int32), per_market)
    # a quarter of the orders come in bursts, as in real trades
    burst = rng.random(n) < 0.25
    listed = np.maximum(world.coins.listed[markets.coin[market]], world.start)
    who = world.strangers(rng, markets.venue[market])
    ts = np.maximum(world.habit_times(rng, who), listed)
    late = listed > world.start
    ts[late] = listed[late] + (rng.random(late.sum()) ** 1.5 * (world.end - listed[late])).astype(
        np.int64
    )
    previous = np.r_[0, np.arange(n - 1)] if n else np.empty(0, np.int64)
    joins = burst & (market == market[previous])
    ts[joins] = ts[previous[joins]] + rng.exponential(15 * SECOND, joins.sum()).astype(np.int64)
    side = sides(rng, n)
    side[joins] = side[previous[joins]]
    mean = np.clip(markets.adv * world.regime.days / np.maximum(per_market, 1), 8.0, 8e3)
    usd = log_normals(rng, mean[market] * 0.4, 1.35, n)
    is_market = rng.random(n) < 0.35
    world.flow.add(
        ts=ts, market=market, taker=who, usd=np.maximum(usd, 1.0), side=side, is_market=is_market
    )


def quiet_trade(
    rng: Rng, world: World, actor: int, market: int, low: int, high: int, usd: float, n: int
) -> None:
    """Add n small buys of one actor in one market, taking or resting, over [low, high)."""
    ts = world.any_times(rng, n, low, high)
    parts = usd * rng.dirichlet(np.full(n, 2.0)) if n else np.empty(0)
    rests = rng.random(n) < 0.5
    world.flow.add(ts=ts[~rests], market=market, taker=actor, usd=parts[~rests], side=BUY)
    world.rest(
        rng,
        ts[rests],
        np.full(int(rests.sum()), market, np.int32),
        np.full(int(rests.sum()), actor),
        usd=parts[rests],
        side=-BUY,
    )
