"""What all thefts share: the choice of victims and sellers, the disguise, and the two bad trades.

A thief cannot withdraw with a leaked key, so it makes the key trade at a loss against accounts that
it prepared. How it goes about that is its craft, drawn once per tape; the rest varies by theft.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.orders.batch import BUY, Int32s, Int64s
from models.simulation.draws import DAY, HOUR, SECOND, Rng, counts, log_uniform, split
from models.simulation.flow import ANYBODY, MAKER, NOT_ROGUE, USUAL
from models.simulation.labels import Incident
from models.simulation.traders import quiet_trade
from models.simulation.world import World


@dataclass(frozen=True, slots=True)
class Craft:
    """Habits of the thieves of one tape, as chances."""

    sweeps: float  # to sell a victim's holdings first
    keeps_app: float  # to trade under the victim's own app tag
    keeps_network: float  # to send from the victim's own network, or from its app's servers
    gathers: float  # that a seller collects the coin in the days before
    covers: float  # that a seller has ordinary trade
    new_coin: float  # that the coin is none of the victim's own
    taste: float  # power of a victim's wealth in the choice
    rests: float  # that a victim's order is made to rest and is hit by a seller


@dataclass(frozen=True, slots=True)
class Disguise:
    """Under which app and network the orders come; USUAL: under the victim's own."""

    app: int
    network: int


@dataclass(frozen=True, slots=True)
class Theft:
    """One incident under way."""

    rng: Rng
    world: World
    craft: Craft
    number: int  # of the incident
    victims: Int64s
    sellers: Int64s


def draw_craft(rng: Rng) -> Craft:
    """Draw the habits of a tape's thieves."""
    return Craft(
        sweeps=rng.uniform(0.3, 0.85),
        keeps_app=rng.uniform(0.6, 0.95),
        keeps_network=rng.uniform(0.1, 0.6),
        gathers=rng.uniform(0.2, 0.8),
        covers=rng.uniform(0.2, 0.9),
        new_coin=rng.uniform(0.8, 1.0),
        taste=rng.uniform(0.0, 0.6),
        rests=rng.uniform(0.0, 0.4),
    )


def choose_victims(rng: Rng, world: World, craft: Craft, app: int | None, n: int) -> Int64s:
    """Choose up to n keys of one venue, of an app (None: of any), none robbed before.

    The never used are as likely as the busy. The first choice fixes the venue.
    """
    people = world.people
    candidates = world.honest_keys()
    if app is not None:
        candidates = candidates[people.app[candidates] == app]
    if not len(candidates):
        return candidates
    venue = people.venue[rng.choice(candidates)]
    candidates = candidates[people.venue[candidates] == venue]
    weights = people.wealth[candidates] ** craft.taste
    n = min(n, len(candidates))
    chosen: Int64s = rng.choice(candidates, n, replace=False, p=weights / weights.sum())
    return chosen


def choose_sellers(rng: Rng, world: World, victims: Int64s, n: int) -> Int64s:
    """Choose accounts of the thief: people like all others, a few of them with a key."""
    people = world.people
    venue = people.venue[victims[0]]
    pool = world.crowds[int(venue)].accounts
    if rng.random() < 0.7:  # rarely seen accounts are the rule, busy ones happen
        pool = pool[len(pool) // 4 :]
    keyed = world.honest_keys(people.of_kind("unused", "sleeper", "human"))
    keyed = keyed[people.venue[keyed] == venue]
    keyed = keyed[~np.isin(people.account[keyed], people.account[victims])]
    if len(keyed) and rng.random() < 0.3:
        pool = np.r_[pool, rng.permutation(keyed)[: max(1, len(pool) // 4)]]
    chosen: Int64s = rng.choice(pool, min(n, len(pool)), replace=False)
    return chosen


def begin(
    rng: Rng, world: World, craft: Craft, kind: str, market: int, victims: Int64s, n_sellers: int
) -> Theft:  # fmt: skip
    """Record an incident; its app is the one that all victims share, if they do."""
    sellers = choose_sellers(rng, world, victims, n_sellers)
    apps = np.unique(world.people.app[victims])
    app = int(apps[0]) if len(apps) == 1 and apps[0] >= 0 else None
    number = world.labels.open(Incident(kind, app, market, victims.tolist(), sellers.tolist()))
    return Theft(rng, world, craft, number, victims, sellers)


def prepare(theft: Theft, market: int, ts: int, usd: float) -> None:
    """Let some sellers gather the coin in the days before, and trade other things as cover."""
    rng, world = theft.rng, theft.world
    for seller in theft.sellers.tolist():
        if rng.random() < theft.craft.gathers:
            since = max(world.start, ts - int(log_uniform(rng, HOUR, 4 * DAY)))
            share = usd / len(theft.sellers) * rng.uniform(0.05, 0.6)
            quiet_trade(rng, world, seller, market, since, ts, share, int(rng.integers(1, 25)))
        if rng.random() < theft.craft.covers:
            n = int(rng.integers(1, 20))
            who = np.full(n, seller)
            world.flow.add(
                ts=world.any_times(rng, n, world.start, world.end),
                market=world.people.pick_homes(rng, who),
                taker=seller,
                usd=world.people.draw_sizes(rng, who),
                side=np.where(rng.random(n) < 0.5, BUY, -BUY),
            )


def disguise(theft: Theft) -> Disguise:
    """Draw the app and the network of the thief's orders; both are often the victim's own."""
    rng, craft = theft.rng, theft.craft
    app = USUAL
    if rng.random() > craft.keeps_app:
        app = int(rng.integers(-1, theft.world.regime.n_apps))
    if rng.random() < craft.keeps_network:
        return Disguise(app, USUAL)
    # any other actor's own block: rented servers and proxies serve honest people too
    return Disguise(app, int(rng.integers(0, len(theft.world.people))))


def steal(theft: Theft, hide: Disguise, *, rogue: bool = True, **columns: Any) -> None:
    """Add orders of a victim, sent by the thief; `rogue` ones are what it came for."""
    theft.world.flow.add(
        **columns,
        app=hide.app,
        network=hide.network,
        incident=theft.number if rogue else NOT_ROGUE,
        forced=True,
    )


def sweep(theft: Theft, victim: int, ts: int, usd: float, hide: Disguise) -> None:
    """Sell what the victim holds, at market, ending about `ts`; most victims hold several coins."""
    rng, world = theft.rng, theft.world
    if rng.random() > theft.craft.sweeps:
        return
    holdings = world.people.usual_markets(victim)
    sold = rng.permutation(holdings)[: int(rng.integers(1, 21))]
    pause = log_uniform(rng, 0.05 * SECOND, 10 * SECOND)
    when = ts - rng.exponential(pause, len(sold)).cumsum()[::-1].astype(np.int64) - 1
    parts = split(rng, usd * rng.uniform(0.5, 1.0), len(sold), 0.8)
    steal(
        theft, hide, rogue=False, ts=when, market=sold, taker=victim, side=-BUY,
        usd=np.minimum(parts, 0.5 * world.markets.adv[sold]), is_market=True,
    )  # fmt: skip
    world.labels.incidents[theft.number].sweeps[victim] = int(when[0])


def buy_high(
    theft: Theft, hide: Disguise, victim: int, market: int, when: Int64s, usd: float,
    absorbed: float,
) -> None:  # fmt: skip
    """Buy at whatever price it takes; the share `absorbed` from sellers, resting or hitting."""
    rng = theft.rng
    n = len(when)
    parts = split(rng, usd, n, log_uniform(rng, 0.5, 30.0))
    from_seller = rng.random(n) < absorbed
    seller = rng.choice(theft.sellers, n)
    hits = from_seller & (rng.random(n) < theft.craft.rests)
    takes = ~hits
    steal(
        theft, hide, ts=when[takes], market=market, taker=victim, side=BUY, usd=parts[takes],
        maker=np.where(from_seller, seller, ANYBODY)[takes], is_market=bool(rng.random() < 0.6),
    )  # fmt: skip
    # the victim's bid is raised far above the market, and the seller hits it: the price follows
    steal(
        theft, hide, ts=when[hits], market=market, taker=seller[hits], side=-BUY, usd=parts[hits],
        maker=victim, owner=MAKER, offset=rng.uniform(0.0, 0.06, int(hits.sum())), weight=-1.0,
    )  # fmt: skip


def round_trips(
    theft: Theft, hide: Disguise, victim: int, markets: Int32s, when: Int64s, edge: float
) -> None:  # fmt: skip
    """Buy high and sell low, in runs, against the sellers nearly always; the price stays flat."""
    rng, world, n = theft.rng, theft.world, len(when)
    run = max(1, int(log_uniform(rng, 1, 25)))
    side = np.where((np.arange(n) // run) % 2 == 0, BUY, -BUY)
    in_turn = np.arange(n) * len(markets) // n if rng.random() < 0.6 else np.arange(n) // (2 * run)
    market = markets[in_turn % len(markets)]
    # away from the mid by the thief's edge: bought above, sold below
    away = world.markets.half_spread[market] * rng.uniform(0.3, 1.2) + edge
    away = away * rng.uniform(0.6, 1.3, n)
    wealth = float(world.people.wealth[victim])
    usual = float(world.people.size[victim]) * log_uniform(rng, 0.3, 6.0)
    # no more than the victim owns, neither at once nor lost in the end
    size = min(usual, wealth / (2 * run), wealth * rng.uniform(0.3, 1.0) / float(away.sum()))
    usd = np.maximum(size * rng.lognormal(0, rng.uniform(0.02, 0.6), n), 1.0)
    thief = rng.choice(theft.sellers, n)
    stray = rng.random(n) < rng.uniform(0.0, 0.15)  # somebody else stands in between
    rests = ~stray & (rng.random(n) < rng.choice([0.0, 0.2, 0.6]))
    takes = ~rests
    steal(
        theft, hide, ts=when[takes], market=market[takes], taker=victim, side=side[takes],
        usd=usd[takes], maker=np.where(stray, ANYBODY, thief)[takes],
        offset=np.where(stray, np.nan, side * away)[takes],
        weight=np.where(stray, 0.3, 0.05)[takes], is_market=bool(rng.random() < 0.4),
    )  # fmt: skip
    steal(
        theft, hide, ts=when[rests], market=market[rests], taker=thief[rests], owner=MAKER,
        side=-side[rests], usd=usd[rests], maker=victim, offset=(side * away)[rests], weight=-0.05,
    )  # fmt: skip


def aftermath(theft: Theft, market: int, first: int, last: int, usd: float) -> None:
    """Outsiders chase the price; the sellers sell into it; some of the robbed have nothing left."""
    rng, world = theft.rng, theft.world
    if rng.random() < 0.65:
        joiners = counts(rng, log_uniform(rng, 2, 60))
        chase(rng, world, market, first + int(0.3 * (last - first)), joiners, 0.25 * usd)
    n = int(rng.integers(0, 2 * len(theft.sellers) + 1))
    if n:
        world.flow.add(
            ts=last + rng.exponential(HOUR / 3, n).astype(np.int64),
            market=market,
            taker=rng.choice(theft.sellers, n),
            side=-BUY,
            usd=split(rng, usd * rng.uniform(0.02, 0.3), n),
        )
    stop_some(theft, last)


def stop_some(theft: Theft, last: int) -> None:
    """Leave some of the robbed with nothing to trade; the bots of the others run on."""
    broke = theft.victims[theft.rng.random(len(theft.victims)) < 0.45]
    stops = theft.world.people.stops
    stops[broke] = np.minimum(stops[broke], last)


def chase(rng: Rng, world: World, market: int, ts: int, n: int, usd: float) -> Int64s:
    """Let up to n honest people, with keys and without, buy a coin that runs, and sell it later."""
    people = world.people
    venue = int(world.markets.venue[market])
    keyed = world.honest_keys(people.of_kind("trend", "human", "gambler"))
    keyed = keyed[people.venue[keyed] == venue]
    who = world.strangers(rng, np.full(n, venue, np.int32))
    if len(keyed):
        who = np.where(rng.random(n) < 0.35, rng.choice(keyed, n), who)
    cap = 3 * usd / max(1, n)
    stake = np.minimum(people.draw_sizes(rng, who) * rng.lognormal(0.3, 0.8, n), cap)
    when = ts + rng.exponential(log_uniform(rng, 30 * SECOND, HOUR), n).astype(np.int64)
    world.flow.add(ts=when, market=market, taker=who, side=BUY, usd=stake, is_market=True)
    hold = rng.exponential(log_uniform(rng, 300 * SECOND, 12 * HOUR), n).astype(np.int64)
    world.flow.add(ts=when + hold + SECOND, market=market, taker=who, side=-BUY, usd=stake)
    return who
