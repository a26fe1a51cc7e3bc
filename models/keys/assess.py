"""Every keyed event of a batch in order: measured, weighed, and learned unless it is suspect."""

from typing import Any

import numpy as np
from numba import njit

from models.entities import Table, joint_hash
from models.keys import kernel
from models.keys import state as k
from models.keys.companions import familiarity, learn_company
from models.keys.usual_app import home_app, is_stranger
from models.orders.batch import Bools, Float32s, Float64s, Int8s, Int32s, Int64s, UInt64s
from models.prefetch import STEPS, ask_for, upcoming
from models.score.evidence import FAMILIAR_WEIGHT, NO_EVIDENCE, SUSPECT, chance, weigh


@njit(cache=True)
def _hash_at(hashes: UInt64s, code: int) -> np.uint64:
    return hashes[code] if code >= 0 else np.uint64(0)


@njit(cache=True)
def _look_ahead(
    keys: Table,
    pairs: Table,
    key_hash: UInt64s,
    key_code: Int32s,
    market_hash: UInt64s,
    market_code: Int32s,
    event: int,
) -> None:
    """Ask now and then for the records that the next events touch."""
    for step in range(STEPS):
        for i in upcoming(event, len(key_code)):
            if key_code[i] >= 0:
                name = key_hash[key_code[i]]
                ask_for(keys, name, step)
                ask_for(pairs, joint_hash(name, market_hash[market_code[i]]), step)


@njit(cache=True)
def assess(  # noqa: PLR0913, PLR0917 - columns are passed one by one
    keys: Table,
    pairs: Table,
    scale: Float64s,
    key_hash: UInt64s,
    key_code: Int32s,
    market_hash: UInt64s,
    symbol_hash: UInt64s,
    market_code: Int32s,
    app_hash: UInt64s,
    app_code: Int32s,
    network_hash: UInt64s,
    network_code: Int32s,
    account_hash: UInt64s,
    counterparty: Int32s,
    order_hash: UInt64s,
    time: Int64s,
    side: Int8s,
    is_fill: Bools,
    maker: Bools,
    price: Float64s,
    notional: Float64s,
    context: Float32s,
    company: UInt64s,
    features: Float32s,
    values: Float32s,
    usual: Float32s,
    surprises: Float32s,
    odds: Float32s,
    persistence: Float32s,
    familiar: Float32s,
    activity: Float32s,
    home: UInt64s,
    stranger: Bools,
) -> None:
    """Take a batch of events in order and write what `models.keys.stage.KeyStage` says of each.

    Events without a key are left as they are; of those that are no fills the network is learned.
    """
    for i in range(len(time)):
        _look_ahead(keys, pairs, key_hash, key_code, market_hash, market_code, i)
        if key_code[i] < 0:
            continue
        name = key_hash[key_code[i]]
        key = kernel.enter_key(keys, name, time[i])
        network = _hash_at(network_hash, network_code[i])
        if not is_fill[i]:
            if network != 0 and key.requests < k.SETTLED:
                kernel.learn_network(key, network)
            continue
        market = market_hash[market_code[i]]
        symbol = symbol_hash[market_code[i]]
        app = _hash_at(app_hash, app_code[i])
        partner = _hash_at(account_hash, counterparty[i])
        pair = kernel.enter_pair(pairs, key, market)
        taker = not maker[i]
        kernel.measure_fill(
            key,
            pair,
            context[i],
            features[i],
            symbol,
            app,
            network,
            side[i],
            taker,
            max(notional[i], k.DUST),
            values[i],
            usual[i],
        )
        familiar[i] = familiarity(key, company[i])
        odds[i] = weigh(scale, features[i], familiar[i], side[i], surprises[i])
        unusual = odds[i] + FAMILIAR_WEIGHT * familiar[i] > SUSPECT
        if kernel.wins(pair, notional[i]):
            odds[i] = NO_EVIDENCE
        persistence[i] = kernel.persistence(key)
        activity[i] = kernel.activity(key)
        home[i] = home_app(key)
        stranger[i] = is_stranger(key)
        if odds[i] > NO_EVIDENCE:
            key.evidence_1h += chance(odds[i], surprises[i])
        if not unusual and (order_hash[i] == 0 or order_hash[i] != key.order):
            learn_company(key, company[i])
        kernel.roll_windows(
            key,
            pair,
            context[i],
            symbol,
            order_hash[i],
            partner,
            side[i],
            taker,
            price[i],
            notional[i],
        )
        if not unusual:
            kernel.learn_past(key, pair, values[i], app, network, side[i], taker, notional[i])


@njit(cache=True, nogil=True)
def assess_freely(*columns: Any) -> None:
    """Do the same and leave the interpreter to other threads meanwhile."""
    assess(*columns)
