"""Theft by leaked keys: victims are made to trade at a loss against accounts of the thief.

Two shapes, known from real cases. The blitz: many keys, minutes, one illiquid coin bought from
prepared sellers at a multiple of its price. The drip: one key, hours, many small round trips
against the thief, the price about flat. Beside them: stealth, and one rich key in a mid-cap.
"""

from dataclasses import dataclass

import numpy as np

from models.orders.batch import BUY, Int64s
from models.simulation.draws import DAY, HOUR, MINUTE, SECOND, Rng, counts, log_uniform, split
from models.simulation.flow import ANYBODY, MAKER, TAKER, USUAL
from models.simulation.labels import Incident
from models.simulation.people import WEB
from models.simulation.traders import quiet_trade
from models.simulation.world import World


@dataclass(frozen=True, slots=True)
class Disguise:
    """Under which app and network the thief's orders come; USUAL: under the victim's own."""

    app: int
    network: int


def attack_all(rng: Rng, world: World) -> None:
    """Commit the regime's attacks, at times and with victims that vary."""
    for kind, rate in world.regime.attacks.items():
        n = counts(rng, rate)
        if rate >= 1:
            n = max(1, n)
        for _ in range(n):
            ts = world.start + int((world.end - world.start) * rng.beta(1.6, 1.2))
            {"blitz": blitz, "drip": drip, "stealth": stealth, "midcap": midcap}[kind](
                rng, world, ts
            )


def _choose_victims(rng: Rng, world: World, app: int | None, venue: int, n: int) -> Int64s:
    """Choose keys of an app (None: of any) on a venue; the dormant as likely as the busy."""
    people = world.people
    candidates = np.arange(people.n_keys)
    candidates = candidates[people.venue[candidates] == venue]
    if app is not None:
        candidates = candidates[people.app[candidates] == app]
    leaked = np.array(sorted(world.labels.leaked), np.int64)
    candidates = np.setdiff1d(candidates, leaked)
    weights = people.wealth[candidates] ** 0.35
    n = min(n, len(candidates))
    if not n:
        return candidates
    return rng.choice(candidates, n, replace=False, p=weights / weights.sum())


def _choose_sellers(rng: Rng, world: World, venue: int, n: int, victims: Int64s) -> Int64s:
    """Choose accounts of the thief: people like all others, a few of them with a key."""
    people = world.people
    web = people.of_kind(WEB)
    pool = web[people.venue[web] == venue]
    keyed = people.of_kind("unused", "sleeper", "human")
    keyed = keyed[people.venue[keyed] == venue]
    leaked = np.r_[victims, np.array(sorted(world.labels.leaked), np.int64)]
    keyed = keyed[~np.isin(people.account[keyed], people.account[leaked])]
    if len(keyed) and rng.random() < 0.3:
        pool = np.r_[pool, rng.permutation(keyed)[: max(1, len(pool) // 4)]]
    # rarely seen accounts are the rule, busy ones happen
    tail = pool[len(pool) // 4 :] if rng.random() < 0.7 else pool
    return rng.choice(tail, min(n, len(tail)), replace=False)


def _prepare(rng: Rng, world: World, sellers: Int64s, market: int, ts: int, usd: float) -> None:
    """Let some sellers gather the coin in the days before, and trade other things as cover."""
    for seller in sellers.tolist():
        if rng.random() < 0.5:
            since = max(world.start, ts - int(log_uniform(rng, HOUR, 4 * DAY)))
            share = usd / len(sellers) * rng.uniform(0.05, 0.6)
            quiet_trade(rng, world, seller, market, since, ts, share, int(rng.integers(1, 25)))
        if rng.random() < 0.5:
            n = int(rng.integers(1, 20))
            who = np.full(n, seller)
            world.flow.add(
                ts=world.any_times(rng, n, world.start, world.end),
                market=world.people.pick_homes(rng, who),
                taker=seller,
                usd=world.people.draw_sizes(rng, who),
                side=np.where(rng.random(n) < 0.5, BUY, -BUY),
            )


def _disguise(rng: Rng, world: World, victim: int) -> Disguise:
    """Draw the app and the network of one attack; both are often the victim's own."""
    u = rng.random()
    app = USUAL
    if u < 0.12:
        app = int(rng.integers(0, world.regime.n_apps))
    elif u < 0.2:
        app = ANYBODY  # no app
    if rng.random() < 0.3:
        return Disguise(app, USUAL)
    # any other actor's own block: rented servers and proxies serve honest people too
    return Disguise(app, int(rng.integers(0, len(world.people))))


def _sweep(rng: Rng, world: World, victim: int, ts: int, usd: float, hide: Disguise) -> int:
    """Sell what the victim holds, at market, ending about `ts`; give the time of the first."""
    people = world.people
    holdings = people.usual_markets(victim)
    n = int(min(len(holdings), rng.integers(1, 21)))
    sold = rng.permutation(holdings)[:n]
    pause = log_uniform(rng, 0.05 * SECOND, 10 * SECOND)
    when = ts - rng.exponential(pause, n).cumsum()[::-1].astype(np.int64) - 1
    _steal(
        world,
        hide,
        NOT_LABELLED,
        ts=when,
        market=sold,
        taker=victim,
        usd=split(rng, usd, n, 0.8) * rng.uniform(0.5, 1.0),
        side=-BUY,
        is_market=True,
    )
    return int(when[0])


NOT_LABELLED = -1


def _steal(world: World, hide: Disguise, incident: int, **columns: object) -> None:
    world.flow.add(
        **columns,  # type: ignore[arg-type]  # the columns are checked by Flow.add
        app=hide.app,
        network=hide.network,
        incident=incident,
        forced=True,
    )


def _open(world: World, kind: str, market: int, victims: Int64s, sellers: Int64s) -> int:
    """Record an incident; its app is the one that all victims share, if they do."""
    apps = {int(app) for app in world.people.app[victims]}
    shared = next(iter(apps)) if len(apps) == 1 else -1
    return world.labels.open(
        Incident(
            kind=kind,
            app=shared if shared >= 0 else None,
            market=market,
            victims=victims.tolist(),
            sellers=sellers.tolist(),
        )
    )


def blitz(rng: Rng, world: World, ts: int) -> None:
    """Rob many keys of one app within minutes, through one illiquid coin or a few."""
    people, regime = world.people, world.regime
    venue = int(people.venue[rng.integers(0, people.n_keys)])
    app: int | None = None
    if rng.random() < 0.85:
        apps = people.app[: people.n_keys][people.venue[: people.n_keys] == venue]
        apps = apps[apps >= 0]
        app = int(rng.choice(apps)) if len(apps) else None
    wanted = int(log_uniform(rng, 3, 61))
    if rng.random() < 0.1:
        wanted = 1
    victims = _choose_victims(rng, world, app, venue, min(wanted, max(1, people.n_keys // 12)))
    if not len(victims):
        return
    loot = people.wealth[victims] * rng.uniform(0.3, 1.0, len(victims))
    n_coins = 1 if rng.random() < 0.75 else int(rng.integers(2, 4))
    markets = [_target(rng, world, victims, loot.sum() / n_coins) for _ in range(n_coins)]
    sellers = _choose_sellers(rng, world, venue, int(rng.integers(1, 31)), victims)
    incident = _open(world, "blitz", markets[0], victims, sellers)
    _prepare(rng, world, sellers, markets[0], ts, float(loot.sum()))
    length = log_uniform(rng, 30 * SECOND, 10 * MINUTE)
    one_hand = _disguise(rng, world, int(victims[0]))
    hands_vary = rng.random() < 0.3
    absorbed = rng.uniform(0.3, 1.0)
    last = ts
    for place, victim in enumerate(victims.tolist()):
        hide = _disguise(rng, world, victim) if hands_vary else one_hand
        begin = ts + int(rng.random() * length * 0.8)
        if rng.random() < 0.65:
            first = _sweep(rng, world, victim, begin, float(loot[place]), hide)
            world.labels.incidents[incident].sweeps[victim] = first
        market = markets[place % n_coins] if rng.random() < 0.8 else markets[0]
        n = max(1, int(log_uniform(rng, 1, 41)))
        when = begin + np.sort(rng.random(n) * length * rng.uniform(0.02, 0.5)).astype(np.int64)
        _buy_high(
            rng, world, victim, market, when, float(loot[place]), sellers, absorbed, hide, incident
        )
        last = max(last, int(when[-1]))
    _aftermath(rng, world, markets[0], ts, last, float(loot.sum()), sellers)
    _stop_some(rng, world, victims, last)
    del regime


def _target(rng: Rng, world: World, victims: Int64s, usd: float) -> int:
    """Choose a market that the loot can lift: some of its daily volumes to dozens of them."""
    adv = usd / log_uniform(rng, 0.3, 25.0)
    actor = int(rng.choice(victims))
    market = world.thin_market(rng, actor, adv / 2, adv * 2, new=bool(rng.random() < 0.9))
    assert market is not None  # every venue lists more than anybody calls its own
    return market


def _buy_high(
    rng: Rng, world: World, victim: int, market: int, when: Int64s, usd: float, sellers: Int64s,
    absorbed: float, hide: Disguise, incident: int,
) -> None:  # fmt: skip
    """Buy at whatever price it takes; a share of it from the sellers, who rest or hit the bid."""
    n = len(when)
    parts = split(rng, usd, n, log_uniform(rng, 0.5, 30.0))
    from_seller = rng.random(n) < absorbed
    seller = rng.choice(sellers, n)
    hits = from_seller & (rng.random(n) < 0.25)
    takes = ~hits
    is_market = bool(rng.random() < 0.6)
    _steal(
        world,
        hide,
        incident,
        ts=when[takes],
        market=market,
        taker=victim,
        side=BUY,
        usd=parts[takes],
        maker=np.where(from_seller, seller, ANYBODY)[takes],
        is_market=is_market,
    )
    # the victim's bid is raised far above the market, and the seller hits it: the price follows
    _steal(
        world,
        hide,
        incident,
        ts=when[hits],
        market=market,
        taker=seller[hits],
        side=-BUY,
        usd=parts[hits],
        maker=victim,
        owner=MAKER,
        offset=rng.uniform(0.0, 0.06, int(hits.sum())),
        weight=-1.0,
    )


def _aftermath(
    rng: Rng, world: World, market: int, ts: int, last: int, usd: float, sellers: Int64s
) -> None:
    """Outsiders chase the price; those who hold the coin, and the sellers, sell into it."""
    if rng.random() < 0.65:
        joiners = counts(rng, log_uniform(rng, 2, 60))
        chase(rng, world, market, ts + int(0.3 * (last - ts)), joiners, 0.25 * usd)
    n = int(rng.integers(0, 2 * len(sellers) + 1))
    if n:
        world.flow.add(
            ts=last + rng.exponential(20 * MINUTE, n).astype(np.int64),
            market=market,
            taker=rng.choice(sellers, n),
            side=-BUY,
            usd=split(rng, usd * rng.uniform(0.02, 0.3), n),
        )


def chase(rng: Rng, world: World, market: int, ts: int, n: int, usd: float) -> Int64s:
    """Let n honest people, with keys and without, buy a coin that runs, and sell it later."""
    people = world.people
    venue = int(world.markets.venue[market])
    keyed = people.of_kind("trend", "human", "gambler")
    keyed = keyed[people.venue[keyed] == venue]
    web = world.strangers(rng, np.full(n, venue, np.int32))
    with_key = (rng.random(n) < 0.35) & (len(keyed) > 0)
    who = np.where(with_key, rng.choice(keyed, n) if len(keyed) else web, web)
    leaked = np.array(sorted(world.labels.leaked), np.int64)
    who = who[~np.isin(who, leaked)]
    cap = usd / max(1, len(who))
    stake = np.minimum(people.draw_sizes(rng, who) * rng.lognormal(0.3, 0.8, len(who)), 3 * cap)
    when = ts + rng.exponential(log_uniform(rng, 30 * SECOND, HOUR), len(who)).astype(np.int64)
    world.flow.add(ts=when, market=market, taker=who, side=BUY, usd=stake, is_market=True)
    hold = rng.exponential(log_uniform(rng, 5 * MINUTE, 12 * HOUR), len(who)).astype(np.int64)
    world.flow.add(ts=when + hold + SECOND, market=market, taker=who, side=-BUY, usd=stake)
    return who


def _stop_some(rng: Rng, world: World, victims: Int64s, last: int) -> None:
    """Leave some of the robbed with nothing to trade; the bots of the others run on."""
    broke = victims[rng.random(len(victims)) < 0.45]
    world.people.stops[broke] = np.minimum(world.people.stops[broke], last)


def midcap(rng: Rng, world: World, ts: int) -> None:
    """Rob one rich key through a coin of middling volume, within minutes."""
    people = world.people
    venue = int(rng.integers(0, world.regime.n_venues))
    rich = _choose_victims(rng, world, None, venue, 30)
    if not len(rich):
        return
    victim = rich[np.argsort(people.wealth[rich])[-int(rng.integers(1, 4)) :]][:1]
    loot = float(people.wealth[victim[0]]) * rng.uniform(0.5, 1.0)
    market = world.thin_market(rng, int(victim[0]), loot * 0.3, loot * 20)
    if market is None:
        return
    sellers = _choose_sellers(rng, world, venue, int(rng.integers(1, 8)), victim)
    incident = _open(world, "midcap", market, victim, sellers)
    hide = _disguise(rng, world, int(victim[0]))
    _prepare(rng, world, sellers, market, ts, loot)
    if rng.random() < 0.6:
        first = _sweep(rng, world, int(victim[0]), ts, loot, hide)
        world.labels.incidents[incident].sweeps[int(victim[0])] = first
    n = int(log_uniform(rng, 1, 60))
    when = ts + np.sort(rng.random(n) * log_uniform(rng, 20 * SECOND, 30 * MINUTE)).astype(np.int64)
    _buy_high(
        rng,
        world,
        int(victim[0]),
        market,
        when,
        loot,
        sellers,
        rng.uniform(0.1, 0.8),
        hide,
        incident,
    )
    _aftermath(rng, world, market, ts, int(when[-1]), loot, sellers)
    _stop_some(rng, world, victim, int(when[-1]))


def drip(rng: Rng, world: World, ts: int) -> None:
    """Bleed one key, or a few, by many small round trips against the thief."""
    low, high = world.regime.drip_trades
    hours = log_uniform(rng, 0.6, 4.0)
    sessions = 1 if rng.random() < 0.75 else int(rng.integers(2, 5))
    n = int(log_uniform(rng, low, high))
    _bleed(rng, world, "drip", ts, n, hours * HOUR, sessions, log_uniform(rng, 0.004, 0.08))


def stealth(rng: Rng, world: World, ts: int) -> None:
    """Take little at a time: few trades near the key's usual size, over hours or a day."""
    if rng.random() < 0.4:
        _slow_purchase(rng, world, ts)
        return
    n = int(log_uniform(rng, 10, 120))
    hours = log_uniform(rng, 1.0, 24.0)
    _bleed(rng, world, "stealth", ts, n, hours * HOUR, 1, log_uniform(rng, 0.01, 0.12))


def _bleed(
    rng: Rng, world: World, kind: str, ts: int, n: int, length: float, sessions: int, edge: float
) -> None:
    venue = int(rng.integers(0, world.regime.n_venues))
    wanted = 1 if rng.random() < 0.8 else int(rng.integers(2, 5))
    anchor = _choose_victims(rng, world, None, venue, 1)
    if not len(anchor):
        return
    app = int(world.people.app[anchor[0]])
    more = _choose_victims(rng, world, app if app >= 0 else None, venue, wanted)
    victims = np.unique(np.r_[anchor, more])[:wanted] if wanted > 1 else anchor
    n_coins = int(log_uniform(rng, 1, 21)) if kind == "drip" else int(rng.integers(1, 4))
    markets = [
        m
        for m in (world.thin_market(rng, int(victims[0]), 6e2, 3e4) for _ in range(n_coins))
        if m is not None
    ]
    if not markets:
        return
    sellers = _choose_sellers(rng, world, venue, int(rng.integers(1, 6)), victims)
    incident = _open(world, kind, markets[0], victims, sellers)
    for victim in victims.tolist():
        hide = _disguise(rng, world, victim)
        if rng.random() < 0.5:
            loot = float(world.people.wealth[victim]) * rng.uniform(0.3, 1.0)
            first = _sweep(rng, world, victim, ts, loot, hide)
            world.labels.incidents[incident].sweeps[victim] = first
        begin = ts + int(rng.integers(0, 10 * MINUTE))
        for session in range(sessions):
            when = begin + session * DAY + int(rng.normal(0, HOUR) if session else 0)
            each = max(6, n // (sessions * len(victims)))
            _round_trips(
                rng, world, victim, markets, when, each, length, edge, sellers, hide, incident
            )
    _stop_some(rng, world, victims, ts + int(length))


def _round_trips(
    rng: Rng, world: World, victim: int, markets: list[int], ts: int, n: int, length: float,
    edge: float, sellers: Int64s, hide: Disguise, incident: int,
) -> None:  # fmt: skip
    """Buy high and sell low, in runs, at a rate that ramps up; against the sellers nearly always."""
    ramp = rng.beta(rng.uniform(0.8, 2.5), rng.uniform(0.8, 1.5), n)
    when = ts + np.sort(ramp * length).astype(np.int64)
    run = max(1, int(log_uniform(rng, 1, 25)))
    side = np.where((np.arange(n) // run) % 2 == 0, BUY, -BUY)
    turns = np.arange(n) * len(markets) // n if rng.random() < 0.6 else np.arange(n) // (2 * run)
    market = np.array(markets, np.int32)[turns % len(markets)]
    usual = float(world.people.size[victim])
    size = min(usual * log_uniform(rng, 0.3, 6.0), float(world.people.wealth[victim]) / (2 * run))
    usd = np.maximum(size * rng.lognormal(0, rng.uniform(0.02, 0.6), n), 1.0)
    # away from the mid by the thief's edge: bought above, sold below
    away = world.markets.half_spread[market] * rng.uniform(0.3, 1.2) + edge
    away = away * rng.uniform(0.6, 1.3, n)
    thief = rng.choice(sellers, n)
    stray = rng.random(n) < rng.uniform(0.0, 0.15)  # somebody else stands in between
    rests = ~stray & (rng.random(n) < rng.choice([0.0, 0.2, 0.6]))
    takes = ~rests
    _steal(
        world, hide, incident, ts=when[takes], market=market[takes], taker=victim, owner=TAKER,
        side=side[takes], usd=usd[takes], maker=np.where(stray, ANYBODY, thief)[takes],
        offset=np.where(stray, np.nan, side * away)[takes],
        weight=np.where(stray, 1.0, 0.05)[takes],
    )  # fmt: skip
    _steal(
        world, hide, incident, ts=when[rests], market=market[rests], taker=thief[rests],
        owner=MAKER, side=-side[rests], usd=usd[rests], maker=victim,
        offset=(side * away)[rests], weight=-0.05,
    )  # fmt: skip


def _slow_purchase(rng: Rng, world: World, ts: int) -> None:
    """Let one key buy one thin coin too dear, at its usual size, all day, from few sellers."""
    venue = int(rng.integers(0, world.regime.n_venues))
    victims = _choose_victims(rng, world, None, venue, 1)
    if not len(victims):
        return
    victim = int(victims[0])
    usual = float(world.people.size[victim])
    market = world.thin_market(rng, victim, usual * 5, usual * 300)
    if market is None:
        return
    sellers = _choose_sellers(rng, world, venue, int(rng.integers(1, 4)), victims)
    incident = _open(world, "stealth", market, victims, sellers)
    n = int(log_uniform(rng, 4, 50))
    length = log_uniform(rng, 0.5 * HOUR, DAY)
    when = ts + np.sort(rng.beta(1.5, 1.0, n) * length).astype(np.int64)
    loot = usual * n * log_uniform(rng, 0.5, 2.0)
    hide = _disguise(rng, world, victim)
    _prepare(rng, world, sellers, market, ts, loot)
    _buy_high(
        rng, world, victim, market, when, loot, sellers, rng.uniform(0.5, 1.0), hide, incident
    )
