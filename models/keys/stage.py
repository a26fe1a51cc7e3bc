"""The key stage: every keyed event in order of time, measured against its key's own past."""

import msgspec
import numpy as np
from numba import njit

from models.bounds import BOUNDS, Bounds
from models.entities import (
    Table,
    joint_hash,
    new_table,
    put_back,
    saved_tables,
    with_room,
)
from models.keys import kernel
from models.keys import state as k
from models.keys.companions import familiarity, learn_company
from models.keys.homes import AppNames
from models.orders.batch import (
    Bools,
    Float32s,
    Float64s,
    Int8s,
    Int32s,
    Int64s,
    OrderBatch,
    UInt64s,
    venue_and_symbol,
)
from models.orders.hashing import stable_hashes
from models.prefetch import STEPS, ask_for, upcoming
from models.rows import Rows
from models.score.evidence import (
    FAMILIAR_WEIGHT,
    NO_EVIDENCE,
    NOTABLE,
    SUSPECT,
    Scale,
    chance,
    weigh,
)
from models.snapshot import Saved, Snapshot


class KeyStage:
    """State of the keys of one partition."""

    def __init__(self, scale: Scale, bounds: Bounds = BOUNDS) -> None:
        self._scale = scale
        self.bounds = bounds
        self._keys: Table = new_table(k.KEY, min(256, bounds.keys))
        self._pairs: Table = new_table(k.PAIR, min(1024, bounds.pairs))
        self._apps = AppNames()

    def snapshot(self) -> Snapshot:
        """Give the state as it is now."""
        records, tables = saved_tables(self)
        return Snapshot(records, msgspec.msgpack.encode((tables, self._apps.save())))

    def restore(self, records: Saved, values: bytes) -> None:
        """Take a state back, in place of that of a new stage."""
        kinds = tuple[dict[str, list[int]], dict[int, str]]
        tables, apps = msgspec.msgpack.decode(values, type=kinds)
        put_back(self, records, tables)
        self._apps.restore(apps)

    def assess(self, rows: Rows) -> Rows:
        """Measure each event against what came before it, then learn it unless it is suspect.

        Events without a key pass through unmeasured. `company` has done its service here.

        Gives the same events with columns added, zeros where the event is no fill of a key:
        `features` and their `surprises`, shape (n, FEATURES); `values` and `usual`, (n, BASELINES),
        what the key did and what its past made one expect, as logarithms; `odds`, (n,), the log
        odds that the fill is rogue; `persistence`, (n,), how much more rogue the key's last hour
        looks than its usual ones; `familiarity`, (n,), how far those of its app who buy with the
        key are those who usually do, 0 to 1; `activity`, (n,), log of the fills a day that one
        expects of the key; `home`, (n,), name of the app that the key usually uses, in UTF-8: empty
        for none, and where the fill is not notable.
        """
        n, orders = len(rows), rows.orders
        self._apps.learn(orders)
        self._keys = with_room(self._keys, len(orders.keys), self.bounds.keys)
        self._pairs = with_room(self._pairs, n, self.bounds.pairs)
        features = np.zeros((n, len(k.FEATURES)), np.float32)
        values = np.zeros((n, len(k.BASELINES)), np.float32)
        usual = np.zeros((n, len(k.BASELINES)), np.float32)
        surprises = np.zeros((n, len(k.FEATURES)), np.float32)
        odds = np.full(n, NO_EVIDENCE, np.float32)
        persistence = np.zeros(n, np.float32)
        familiar = np.zeros(n, np.float32)
        activity = np.zeros(n, np.float32)
        home = np.zeros(n, np.uint64)
        _assess(
            self._keys,
            self._pairs,
            self._scale,
            orders.keys.hashes,
            orders.key,
            orders.markets.hashes,
            _symbols(orders),
            orders.market,
            orders.apps.hashes,
            orders.app,
            orders.networks.hashes,
            orders.network,
            orders.accounts.hashes,
            orders.counterparty,
            orders.order_hash,
            rows.time,
            orders.side,
            orders.is_fill,
            orders.maker,
            orders.price,
            orders.notional,
            rows.extra["context"],
            rows.extra["company"],
            features,
            values,
            usual,
            surprises,
            odds,
            persistence,
            familiar,
            activity,
            home,
        )
        return rows.without("company").with_columns(
            features=features,
            surprises=surprises,
            values=values,
            usual=usual,
            odds=odds,
            persistence=persistence,
            familiarity=familiar,
            activity=activity,
            home=self._apps.at(np.flatnonzero(odds > NOTABLE), home),
        )


def _symbols(orders: OrderBatch) -> UInt64s:
    """Hash of each market's symbol, whatever its venue; shape (len(orders.markets),)."""
    return stable_hashes([venue_and_symbol(market)[1] for market in orders.markets.strings])


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
def _assess(  # noqa: PLR0913, PLR0917 - columns are passed one by one
    keys: Table,
    pairs: Table,
    scale: Scale,
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
) -> None:
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
        home[i] = key.app if key.app_orders > 0.0 else np.uint64(0)
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
