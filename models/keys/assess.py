"""Every keyed event of a batch in order: measured, weighed, and learned unless it is suspect."""

from typing import Any

import numpy as np
from numba import njit

from models.entities import Table, joint_hash
from models.keys import kernel
from models.keys import state as k
from models.keys.companions import familiarity, learn_company
from models.keys.usual_app import home_app, is_stranger
from models.orders.batch import Events, Float64s, Hashes, UInt64s, hash_at, is_fill
from models.prefetch import STEPS, ask_for, upcoming
from models.rows import Told
from models.score.evidence import FAMILIAR_WEIGHT, NO_EVIDENCE, SUSPECT, chance, weigh


@njit(cache=True)
def _look_ahead(keys: Table, pairs: Table, events: Events, names: Hashes, event: int) -> None:
    """Ask now and then for the records that the next events touch."""
    for step in range(STEPS):
        for i in upcoming(event, len(events)):
            e = events[i]
            if e.key >= 0:
                key = names.keys[e.key]
                ask_for(keys, key, step)
                ask_for(pairs, joint_hash(key, names.markets[e.market]), step)


@njit(cache=True)
def assess(
    keys: Table,
    pairs: Table,
    scale: Float64s,
    events: Events,
    names: Hashes,
    symbols: UInt64s,
    before: Told,
    told: Told,
) -> UInt64s:
    """Take a batch of events in order and write what is told of each fill of a key.

    `symbols` are hashes of each market's symbol, `before` is what the market stage told. Events
    without a key are left as they are; of those that are no fills the network is learned.

    Gives hashes of the apps that their keys usually use, 0: none; shape (n,).
    """
    homes = np.zeros(len(events), np.uint64)
    for i in range(len(events)):
        _look_ahead(keys, pairs, events, names, i)
        e, out = events[i], told[i]
        if e.key < 0:
            continue
        key = kernel.enter_key(keys, names.keys[e.key], out.time)
        network = hash_at(names.networks, e.network)
        if not is_fill(e.status):
            if network != 0 and key.requests < k.SETTLED:
                kernel.learn_network(key, network)
            continue
        symbol, app = symbols[e.market], hash_at(names.apps, e.app)
        company, partner = before[i].company, hash_at(names.accounts, e.counterparty)
        pair = kernel.enter_pair(pairs, key, names.markets[e.market])
        kernel.measure_fill(key, pair, e, symbol, app, network, out)
        out.familiarity = familiarity(key, company)
        out.odds = weigh(scale, out.features, out.familiarity, e.side, out.surprises)
        unusual = out.odds + FAMILIAR_WEIGHT * out.familiarity > SUSPECT
        if kernel.wins(pair, e.notional):
            out.odds = NO_EVIDENCE
        out.persistence = kernel.persistence(key)
        out.activity = kernel.activity(key)
        homes[i] = home_app(key)
        out.stranger = is_stranger(key)
        out.fresh = key.day == key.first
        if out.odds > NO_EVIDENCE:
            key.evidence_1h += chance(out.odds, out.surprises)
        if not unusual and (e.order_hash == 0 or e.order_hash != key.order):
            learn_company(key, company)
        kernel.roll_windows(key, pair, e, out.context, symbol, partner)
        if not unusual:
            kernel.learn_past(key, pair, e, out.values, app, network)
    return homes


@njit(cache=True, nogil=True)
def assess_freely(*arguments: Any) -> UInt64s:
    """Do the same and leave the interpreter to other threads meanwhile."""
    return assess(*arguments)
