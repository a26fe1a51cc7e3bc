"""One call from a regime and a seed to a labelled tape."""

import zlib
from collections import defaultdict
from typing import Any, Final

import numpy as np

from models.orders.batch import Bools, Float64s, Int32s, UInt64s
from models.simulation.attacks import attack_all
from models.simulation.crowds import PRICE_BENDING, set_listings
from models.simulation.draws import Rng, mix
from models.simulation.fills import (
    Columns,
    by_time,
    daily_volume,
    fill,
    idle_events,
    real_orders,
    report,
)
from models.simulation.labels import Incident
from models.simulation.lookalikes import resemble_all
from models.simulation.regimes import Regime
from models.simulation.tape import Tape
from models.simulation.traders import trade_all
from models.simulation.world import World, draw_world

_ID_STYLES: Final = ("e%d", "%d", "%016x", "t-%d", "%x")


def simulate(regime: Regime, seed: int) -> Tape:
    """Simulate a regime; the same seed gives the same tape on every machine.

    What bends the fundamental prices comes first, then ordinary trade, which reacts to them, then
    attacks and look-alikes, which are cut to the volumes that trade has made. Each part draws from
    a generator of its own.
    """
    world_rng, crowd_rng, attack_rng, resemble_rng, trade_rng, fill_rng, name_rng = (
        np.random.default_rng(child)
        for child in np.random.SeedSequence([seed, zlib.crc32(repr(regime).encode())]).spawn(7)
    )
    world = draw_world(world_rng, regime)
    gives = _fields(name_rng, regime)
    set_listings(crowd_rng, world)
    resemble_all(crowd_rng, world, PRICE_BENDING)
    trade_all(trade_rng, world, int(regime.events * 0.9 / _events_per_order(gives)))
    world.markets.adv = daily_volume(world, real_orders(world))
    attack_all(attack_rng, world)
    resemble_all(resemble_rng, world, regime.lookalikes.keys() - PRICE_BENDING)
    fills = fill(fill_rng, world, real_orders(world))
    events = report(fill_rng, world, fills, gives["both_sides"])
    tells = gives["status"][world.markets.venue]
    idle = idle_events(fill_rng, events, tells)
    events = {name: np.concatenate([events[name], idle[name]]) for name in events}
    inside = (events["ts"] >= world.start) & (events["ts"] < world.end)
    events = by_time({name: column[inside] for name, column in events.items()})
    return _tape(name_rng, world, events, gives)


def _events_per_order(gives: dict[str, Bools]) -> float:
    """Events that one order leaves on average: its fills, both sides, and what is no fill."""
    return float(1.3 * (1 + 0.9 * gives["both_sides"].mean()) * (1 + 0.35 * gives["status"].mean()))


def _fields(rng: Rng, regime: Regime) -> dict[str, Bools]:
    """Which venue gives which field, each of shape (venues,)."""
    chances = {
        "counterparty": regime.gives_counterparty,
        "network": regime.gives_network,
        "arrival": regime.gives_arrival,
        "order_id": regime.gives_order_id,
        "status": regime.gives_status,
        "both_sides": regime.gives_both_sides,
        "strings": regime.gives_strings,
        "notional": 0.5,
    }
    return {name: rng.random(regime.n_venues) < chance for name, chance in chances.items()}


def _tape(rng: Rng, world: World, events: Columns, gives: dict[str, Bools]) -> Tape:
    people, markets = world.people, world.markets
    venue = markets.venue[events["market"]]
    actor, other = events["actor"], events["other"]
    n = len(actor)
    given = {name: chance[venue] for name, chance in gives.items()}
    numbers, network = np.unique(events["network"], return_inverse=True)
    keys, accounts, apps = _names(rng, world)
    tape = Tape(
        ts=events["ts"],
        id_number=_ids(rng, n),
        market=events["market"].astype(np.int32),
        key=np.where(actor < people.n_keys, actor, -1).astype(np.int32),
        account=people.account[actor].astype(np.int32),
        app=events["app"].astype(np.int32),
        counterparty=_shown(given["counterparty"] & (other >= 0), people.account[other]),
        network=_shown(given["network"], network),
        order=np.where(given["order_id"], events["order"] + 1, -1),
        side=events["side"].astype(np.int8),
        status=events["status"].astype(np.int8),
        is_market=events["is_market"].astype(np.bool_),
        maker=events["maker"].astype(np.bool_),
        price=events["price"],
        qty=events["qty"],
        notional=events["notional"],
        arrival=np.where(given["arrival"], _significant(events["arrival"]), np.nan),
        gives_notional=gives["notional"][markets.venue] | (markets.quote >= 2),
        gives_strings=gives["strings"][markets.venue],
        venues=[markets.venues[v] for v in markets.venue],
        symbols=markets.names,
        keys=keys,
        accounts=accounts,
        apps=apps,
        networks=[_network_name(number) for number in numbers.tolist()],
        id_style=str(rng.choice(_ID_STYLES)),
        labels={},
    )
    tape.labels.update(_labels(world, tape, events["incident"]))
    return tape


def _shown(given: Bools, codes: np.ndarray) -> Int32s:
    shown: Int32s = np.where(given, codes, -1).astype(np.int32)
    return shown


def _significant(values: Float64s) -> Float64s:
    """Round to nine significant digits."""
    scale = 10.0 ** (8 - np.floor(np.log10(values)))
    rounded: Float64s = np.rint(values * scale) / scale
    return rounded


def _ids(rng: Rng, n: int) -> UInt64s:
    """Draw unique numbers, rising or scattered."""
    first = int(rng.integers(1, 1 << 40))
    rising = np.arange(first, first + n, dtype=np.int64)
    if rng.random() < 0.5:
        return rising.astype(np.uint64)
    return mix(rising)  # a bijection, so still unique


def _names(rng: Rng, world: World) -> tuple[list[str], list[str], list[str]]:
    """Names of keys, accounts and apps; their numbers tell nothing."""
    n = len(world.people)
    keys = rng.permutation(10 * n)[: world.people.n_keys] + 10_000
    accounts = rng.permutation(10 * n)[:n] + 10_000
    style = str(rng.choice(["k%d", "%016x", "key-%d"]))
    hashed = mix(keys, int(rng.integers(1 << 30))) if "x" in style else keys
    apps = [f"app{number}" for number in rng.permutation(900)[: world.regime.n_apps] + 100]
    if world.regime.n_apps > 900:
        apps = [f"app{number}" for number in range(world.regime.n_apps)]
    return [style % k for k in hashed.tolist()], [f"u{a}" for a in accounts.tolist()], apps


def _network_name(number: int) -> str:
    return f"AS{number + 1000}"


def _labels(world: World, tape: Tape, incident: np.ndarray) -> dict[str, Any]:
    """Say what is known of the tape, in names; only what shows on it."""
    rogue: dict[int, list[list[float]]] = defaultdict(list)
    rows = np.flatnonzero((incident >= 0) & tape.is_fill)
    for row in rows.tolist():
        rogue[int(tape.key[row])].append([int(tape.ts[row]), float(tape.notional[row])])
    leaked: dict[str, Any] = {}
    incidents = []
    for number, known in enumerate(world.labels.incidents):
        victims = [victim for victim in known.victims if rogue.get(victim)]
        if not victims:
            continue
        for victim in victims:
            leaked[tape.keys[victim]] = {
                "incident": number,
                "first_rogue_ts": rogue[victim][0][0],
                "rogue": rogue[victim],
            }
            if victim in known.sweeps:
                leaked[tape.keys[victim]]["sweep_ts"] = known.sweeps[victim]
        ts = min(rogue[victim][0][0] for victim in victims)
        incidents.append(_incident(world, tape, number, known, victims) | {"ts": ts})
    negatives = [
        {
            "kind": note.kind,
            "keys": [tape.keys[actor] for actor in note.actors if actor < world.people.n_keys],
            "symbol": None if note.market is None else tape.symbols[note.market],
            "ts": note.ts,
        }
        for note in world.labels.lookalikes
    ]
    return {"leaked": leaked, "incidents": incidents, "hard_negatives": negatives}


def _incident(
    world: World, tape: Tape, number: int, known: Incident, victims: list[int]
) -> dict[str, Any]:
    return {
        "id": number,
        "kind": known.kind,
        "app": None if known.app is None else tape.apps[known.app],
        "venue": tape.venues[known.market],
        "symbol": tape.symbols[known.market],
        "keys": [tape.keys[victim] for victim in victims],
        "sellers": [tape.accounts[world.people.account[seller]] for seller in known.sellers],
    }
