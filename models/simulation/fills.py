"""From intentions to events: who filled whom, at which prices, and what each side reports."""

from typing import Final

import numpy as np

from models.orders.batch import Float64s, Int64s, Status
from models.simulation.draws import DAY, MINUTE, Rng, hash_uniform, mix, ranks
from models.simulation.exchange import Executions, execute
from models.simulation.flow import ANYBODY, MAKER, NOT_ROGUE, TAKER, USUAL
from models.simulation.people import networks_of
from models.simulation.world import World

Columns = dict[str, np.ndarray]
_STRANGER_MAKES: Final = 0.3  # share of the book's fills that no market maker makes


def real_orders(world: World) -> Columns:
    """Give the flow without what cannot be: trade of the unborn, the gone, and before a listing."""
    orders = world.flow.collect(world.start, world.end)
    people, coin = world.people, world.markets.coin[orders["market"]]
    owner = np.where(orders["owner"] == MAKER, orders["maker"], orders["taker"])
    alive = (orders["ts"] >= people.born[owner]) & (orders["ts"] < people.stops[owner])
    keep = (alive | orders["forced"]) & (orders["ts"] >= world.coins.listed[coin])
    made = orders["maker"] >= 0
    account = people.account
    keep &= ~made | (account[orders["maker"]] != account[orders["taker"]])
    return {name: column[keep] for name, column in orders.items()}


def daily_volume(world: World, orders: Columns) -> Float64s:
    """USD a day of each market without the attacks, no less than a third of what was planned."""
    live = world.end - np.maximum(world.coins.listed[world.markets.coin], world.start)
    usd = np.bincount(
        orders["market"], orders["usd"] * ~orders["forced"], minlength=len(world.markets)
    )
    volume: Float64s = usd * DAY / np.maximum(live, DAY / 24)
    return np.maximum(volume, world.markets.adv / 3)


def fill(rng: Rng, world: World, orders: Columns) -> Columns:
    """Execute the orders; give one row per fill, with prices in the quote and both parties."""
    orders["noise"] = rng.random(len(orders["ts"]))
    done = execute(orders, world.coins, world.markets, daily_volume(world, orders), world.start)
    levels = np.where(orders["owner"] == MAKER, 1, done.levels)
    row = np.repeat(np.arange(len(levels)), levels)
    rank = ranks(row)
    part = rng.gamma(1.2, 1.0, len(row)) + 0.05
    part /= np.bincount(row, part, minlength=len(levels))[row]
    fills = {name: column[row] for name, column in orders.items()}
    fills["row"] = row
    _price(world, fills, done, rank / np.maximum(levels[row] - 1, 1), part)
    _find_makers(rng, world, fills)
    fills["last"] = np.append(np.diff(fills["row"]) != 0, True)
    return fills


def _price(world: World, fills: Columns, done: Executions, depth: Float64s, part: Float64s) -> None:
    """Set price and arrival price in the quote, quantity in whole lots, and notional in USD."""
    markets, coins, row = world.markets, world.coins, fills["row"]
    market = fills["market"]
    log_price = done.first[row] + (done.last[row] - done.first[row]) * depth
    dollars = markets.quote_rate[market].copy()
    coin = markets.quote_coin[market]
    quoted = np.flatnonzero(coin >= 0)
    grid = np.clip((fills["ts"][quoted] - world.start) / coins.grid_step, 0, None).astype(np.int64)
    dollars[quoted] = np.exp(coins.log_price[coin[quoted], grid])
    tick_per_unit = np.rint(1 / np.minimum(markets.tick, 1.0))[market]
    step = np.maximum(markets.tick[market], 1.0)
    price = np.exp(log_price) / dollars
    ticks = np.maximum(np.rint(price / step * tick_per_unit), 1.0)
    fills["price"] = ticks * step / tick_per_unit
    fills["arrival"] = np.exp(done.arrival[row]) / dollars
    digits = 10.0 ** (4 - np.floor(np.log10(30.0 / np.exp(coins.log_price[:, 0]))))
    lots_per_unit = np.maximum(digits[markets.coin[market]], 1e-6)
    lots = np.maximum(np.rint(fills["usd"] * part / (price * dollars) * lots_per_unit), 1.0)
    fills["qty"] = lots / lots_per_unit
    fills["notional"] = fills["price"] * fills["qty"] * dollars


def _find_makers(rng: Rng, world: World, fills: Columns) -> None:
    """Let the book's makers, or a stranger's resting order, make the fills set for nobody."""
    maker = fills["maker"].astype(np.int64)
    open_rows = np.flatnonzero(maker == ANYBODY)
    market = fills["market"][open_rows]
    sizes = np.array([len(roster) for roster in world.makers])
    rosters = np.full((len(sizes), sizes.max()), -1, np.int64)
    for place, roster in enumerate(world.makers):
        rosters[place, : len(roster)] = roster
    choice = (sizes[market] * rng.random(len(open_rows)) ** 1.5).astype(np.int64)
    chosen = rosters[market, choice]
    people, ts = world.people, fills["ts"][open_rows]
    account = people.account
    away = (people.born[chosen] > ts) | (people.stops[chosen] <= ts)
    away |= account[chosen] == account[fills["taker"][open_rows]]
    strange = away | (rng.random(len(open_rows)) < _STRANGER_MAKES)
    for _ in range(2):  # whoever draws itself draws again
        venues = world.markets.venue[market[strange]]
        chosen[strange] = world.strangers(rng, venues)
        strange = account[chosen] == account[fills["taker"][open_rows]]
    maker[open_rows] = chosen
    fills["maker"] = maker
    keep = account[maker] != account[fills["taker"]]
    for name in fills:
        fills[name] = fills[name][keep]


def report(rng: Rng, world: World, fills: Columns, both: np.ndarray) -> Columns:
    """Give the events of who began each trade, and of the other side where the venue is in `both`.

    Columns: ts, market, actor, other, side, status, is_market, maker, price, qty, notional,
    arrival, app, network, order, incident; sorted by time.
    """
    shown = both[world.markets.venue[fills["market"]]]
    takers = _side(world, fills, np.flatnonzero(shown | (fills["owner"] == TAKER)), TAKER)
    makers = _side(world, fills, np.flatnonzero(shown | (fills["owner"] == MAKER)), MAKER)
    takers["status"] = np.where(takers.pop("last"), Status.FILLED, Status.PARTIALLY_FILLED)
    makers["status"] = np.where(
        rng.random(len(makers["ts"])) < 0.75, Status.FILLED, Status.PARTIALLY_FILLED
    )
    del makers["last"]
    events = {name: np.concatenate([takers[name], makers[name]]) for name in takers}
    return by_time(events)


def by_time(events: Columns) -> Columns:
    """Sort events by time, those within a millisecond in the order of their fills."""
    place = np.lexsort((events["fill"], events["ts"]))
    return {name: column[place] for name, column in events.items()}


def _side(world: World, fills: Columns, rows: Int64s, who: int) -> Columns:
    """Events of one side of the fills at `rows`."""
    at = {name: column[rows] for name, column in fills.items()}
    actor, other = (at["taker"], at["maker"]) if who == TAKER else (at["maker"], at["taker"])
    owns = at["owner"] == who
    app = np.where(owns, at["app"], USUAL)
    app = np.where(app == USUAL, world.people.app_at(actor, at["ts"]), app)
    app = np.where(actor < world.people.n_keys, app, -1)
    # a resting order lives for a while and is filled more than once
    resting = mix(actor, at["market"], at["side"], at["ts"] // (5 * MINUTE)) >> np.uint64(20)
    return {
        "ts": at["ts"],
        "fill": rows,
        "market": at["market"],
        "actor": actor.astype(np.int64),
        "other": other.astype(np.int64),
        "side": at["side"] if who == TAKER else -at["side"],
        "is_market": at["is_market"] & (who == TAKER),
        "maker": np.full(len(rows), who == MAKER),
        "price": at["price"],
        "qty": at["qty"],
        "notional": at["notional"],
        "arrival": at["arrival"] if who == TAKER else _arrival_of_resting(world, at),
        "app": app,
        "network": _network(world, actor, at["ts"], app, np.where(owns, at["network"], USUAL)),
        "order": 2 * at["row"] if who == TAKER else 2 * resting.astype(np.int64) + 1,
        "incident": np.where(owns, at["incident"], NOT_ROGUE),
        "last": at["last"],
    }


def _arrival_of_resting(world: World, at: Columns) -> Float64s:
    """Mid when a resting order was placed: on its own side of the price, some time ago."""
    sigma = world.coins.sigma[world.markets.coin[at["market"]]]
    stir = np.abs(hash_uniform(at["row"], 93) - hash_uniform(at["row"], 94))
    away = world.markets.half_spread[at["market"]] + 0.15 * sigma * stir
    before: Float64s = at["price"] * np.exp(-at["side"] * away)
    return np.where(np.isnan(at["offset"]), before, at["arrival"])


def _network(
    world: World, actor: Int64s, ts: Int64s, app: np.ndarray, disguise: np.ndarray
) -> Int64s:
    """Network of each event: the actor's own or its app's, or that which a thief borrows."""
    usual = networks_of(world.people, actor, ts, app)
    nobody = np.full(len(actor), -1)
    borrowed = networks_of(world.people, np.maximum(disguise, 0), ts, nobody)
    return np.where(disguise == USUAL, usual, borrowed)


def idle_events(rng: Rng, events: Columns, tells: np.ndarray) -> Columns:
    """Events that are no fills, of the venues' markets in `tells`: new, canceled, rejected.

    Programs differ: some never show any, makers show several for every fill.
    """
    talkative = hash_uniform(events["actor"], 91) ** 3 * 1.6
    n = rng.poisson(talkative * tells[events["market"]])
    rows = np.repeat(np.arange(len(n)), n)
    idle = {name: column[rows].copy() for name, column in events.items()}
    k = len(rows)
    kind = rng.choice([Status.NEW, Status.CANCELED, Status.REJECTED, Status.EXPIRED], k,
                      p=[0.55, 0.4, 0.03, 0.02])  # fmt: skip
    ahead = np.where(idle["maker"], rng.exponential(10 * MINUTE, k), rng.exponential(80.0, k))
    later = rng.exponential(20 * MINUTE, k)
    idle["ts"] = idle["ts"] + np.where(kind == Status.NEW, -ahead, later).astype(np.int64)
    idle["status"] = kind
    idle["incident"] = np.full(k, NOT_ROGUE)
    idle["other"] = np.full(k, -1)
    new_order = kind != Status.NEW
    idle["order"] = np.where(new_order, 2 * rng.integers(1 << 40, 1 << 41, k), idle["order"])
    idle["maker"] = np.zeros(k, bool)
    return idle
