"""Thefts by leaked keys, in the shapes known from real cases, and their quieter variants.

The blitz: many keys, minutes, one illiquid coin bought from prepared sellers at a multiple of its
price. The drip: one key, hours, many small round trips against the thief, the price about flat.
Beside them stealth, and one rich key in a mid-cap.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from models.orders.batch import Int64s
from models.simulation.draws import DAY, HOUR, MINUTE, SECOND, Rng, counts, log_uniform
from models.simulation.theft import (
    Craft,
    aftermath,
    begin,
    buy_high,
    choose_victims,
    disguise,
    draw_craft,
    prepare,
    round_trips,
    stop_some,
    sweep,
)
from models.simulation.world import World


def attack_all(rng: Rng, world: World) -> None:
    """Commit the regime's attacks, at times and with victims that vary."""
    craft = draw_craft(rng)
    for kind, rate in world.regime.attacks.items():
        n = counts(rng, rate)
        for _ in range(max(1, n) if rate >= 1 else n):
            ts = world.start + int((world.end - world.start) * rng.beta(1.6, 1.2))
            ATTACKS[kind](rng, world, craft, ts)


def blitz(rng: Rng, world: World, craft: Craft, ts: int) -> None:
    """Rob many keys of one app, or now and then of any, through one illiquid coin or a few."""
    wanted = 1 if rng.random() < 0.1 else int(log_uniform(rng, 3, 61))
    wanted = min(wanted, max(1, world.people.n_keys // 12))
    victims = choose_victims(rng, world, craft, _some_app(rng, world), wanted)
    if not len(victims):
        return
    loot = world.people.wealth[victims] * rng.uniform(0.3, 1.0, len(victims))
    n_coins = 1 if rng.random() < 0.75 else int(rng.integers(2, 4))
    drawn = [_target(rng, world, craft, victims, loot.sum() / n_coins) for _ in range(n_coins)]
    markets = [market for market in drawn if market is not None]
    if not markets:
        return
    theft = begin(rng, world, craft, "blitz", markets[0], victims, int(rng.integers(1, 31)))
    prepare(theft, markets[0], ts, float(loot.sum()))
    length = log_uniform(rng, 30 * SECOND, 10 * MINUTE)
    hide, hands_vary = disguise(theft), rng.random() < 0.3
    absorbed, last = rng.uniform(0.3, 1.0), ts
    for place, victim in enumerate(victims.tolist()):
        hide = disguise(theft) if hands_vary else hide
        first = ts + int(rng.random() * length * 0.8)
        sweep(theft, victim, first, float(loot[place]), hide)
        market = markets[place % len(markets)] if rng.random() < 0.8 else markets[0]
        n = int(log_uniform(rng, 1, 41))
        when = first + np.sort(rng.random(n) * length * rng.uniform(0.02, 0.5)).astype(np.int64)
        buy_high(theft, hide, victim, market, when, float(loot[place]), absorbed)
        last = max(last, int(when[-1]))
    aftermath(theft, markets[0], ts, last, float(loot.sum()))


def _some_app(rng: Rng, world: World) -> int | None:
    """Choose an app by its number of keys; sometimes none."""
    apps = world.people.app[: world.people.n_keys]
    apps = apps[apps >= 0]
    return int(rng.choice(apps)) if len(apps) and rng.random() < 0.85 else None


def _target(rng: Rng, world: World, craft: Craft, victims: Int64s, usd: float) -> int | None:
    """Choose a market that the loot can lift: some of its daily volumes to dozens of them."""
    adv = usd / log_uniform(rng, 1.0, 60.0)
    new = bool(rng.random() < craft.new_coin)
    return world.thin_market(rng, int(rng.choice(victims)), adv / 2, adv * 2, new=new)


def midcap(rng: Rng, world: World, craft: Craft, ts: int) -> None:
    """Rob one rich key through a coin of middling volume, within minutes."""
    rich = choose_victims(rng, world, craft, None, 30)
    if not len(rich):
        return
    wealth = world.people.wealth
    victims = rich[np.argsort(wealth[rich])[-int(rng.integers(1, 4)) :]][:1]
    victim = int(victims[0])
    loot = float(wealth[victim]) * rng.uniform(0.5, 1.0)
    market = world.thin_market(rng, victim, loot * 0.2, loot * 8)
    if market is None:
        return
    theft = begin(rng, world, craft, "midcap", market, victims, int(rng.integers(1, 8)))
    hide = disguise(theft)
    prepare(theft, market, ts, loot)
    sweep(theft, victim, ts, loot, hide)
    length = log_uniform(rng, 20 * SECOND, 30 * MINUTE)
    when = ts + np.sort(rng.random(int(log_uniform(rng, 1, 60))) * length).astype(np.int64)
    buy_high(theft, hide, victim, market, when, loot, rng.uniform(0.1, 0.8))
    aftermath(theft, market, ts, int(when[-1]), loot)


def drip(rng: Rng, world: World, craft: Craft, ts: int) -> None:
    """Bleed one key, or a few, by many small round trips against the thief."""
    n = int(log_uniform(rng, *world.regime.drip_trades))
    sessions = 1 if rng.random() < 0.75 else int(rng.integers(2, 5))
    n_coins = int(log_uniform(rng, 1, 21))
    _bleed(rng, world, craft, ("drip", ts, log_uniform(rng, 0.6, 4.0) * HOUR), n_coins, n, sessions)


def stealth(rng: Rng, world: World, craft: Craft, ts: int) -> None:
    """Take little at a time: few trades near the key's usual size, over hours or a day."""
    if rng.random() < 0.4:
        _slow_purchase(rng, world, craft, ts)
        return
    n = int(log_uniform(rng, 10, 120))
    length = log_uniform(rng, HOUR, DAY)
    _bleed(rng, world, craft, ("stealth", ts, length), int(rng.integers(1, 4)), n, 1)


def _bleed(
    rng: Rng, world: World, craft: Craft, plan: tuple[str, int, float], n_coins: int, n: int,
    sessions: int,
) -> None:  # fmt: skip
    """Bleed keys by n trades in all; the plan is the kind, the begin and a session's length."""
    kind, ts, length = plan
    wanted = 1 if rng.random() < 0.8 else int(rng.integers(2, 5))
    app = _some_app(rng, world) if wanted > 1 else None
    victims = choose_victims(rng, world, craft, app, wanted)
    if not len(victims):
        return
    ceiling = log_uniform(rng, 1e4, 3e5)
    drawn = [world.thin_market(rng, int(victims[0]), 6e2, ceiling) for _ in range(n_coins)]
    markets = np.array([market for market in drawn if market is not None], np.int32)
    if not len(markets):
        return
    theft = begin(rng, world, craft, kind, int(markets[0]), victims, int(rng.integers(1, 6)))
    edge = log_uniform(rng, 0.002, 0.08)
    for victim in victims.tolist():
        hide = disguise(theft)
        loot = float(world.people.wealth[victim]) * rng.uniform(0.3, 1.0)
        sweep(theft, victim, ts, loot, hide)
        first = ts + int(rng.integers(0, 10 * MINUTE))
        for session in range(sessions):
            begins = first + session * DAY + int(rng.normal(0, HOUR) if session else 0)
            each = max(6, n // (sessions * len(victims)))
            ramp = rng.beta(rng.uniform(0.8, 2.5), rng.uniform(0.8, 1.5), each)
            when = begins + np.sort(ramp * length).astype(np.int64)
            round_trips(theft, hide, victim, markets, when, edge)
    stop_some(theft, first + (sessions - 1) * DAY + int(length))


def _slow_purchase(rng: Rng, world: World, craft: Craft, ts: int) -> None:
    """Let one key buy one thin coin too dear, at its usual size, all day, from few sellers."""
    victims = choose_victims(rng, world, craft, None, 1)
    if not len(victims):
        return
    victim = int(victims[0])
    usual = float(world.people.size[victim])
    market = world.thin_market(rng, victim, usual * 5, usual * 300)
    if market is None:
        return
    theft = begin(rng, world, craft, "stealth", market, victims, int(rng.integers(1, 4)))
    n = int(log_uniform(rng, 4, 50))
    loot = usual * n * log_uniform(rng, 0.5, 2.0)
    prepare(theft, market, ts, loot)
    when = np.sort(rng.beta(1.5, 1.0, n) * log_uniform(rng, 0.5 * HOUR, DAY)).astype(np.int64)
    buy_high(theft, disguise(theft), victim, market, ts + when, loot, rng.uniform(0.5, 1.0))


ATTACKS: Final[dict[str, Callable[[Rng, World, Craft, int], None]]] = {
    "blitz": blitz,
    "drip": drip,
    "stealth": stealth,
    "midcap": midcap,
}
