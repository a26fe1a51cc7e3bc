"""The key stage: every keyed event in order of time, measured against its key's own past."""

from collections.abc import Callable

import msgspec
import numpy as np

from models.bounds import BOUNDS, Bounds
from models.entities import Table, new_table, put_back, saved_tables, with_room
from models.keys import state as k
from models.keys.assess import assess
from models.keys.homes import AppNames
from models.orders.batch import Float64s, OrderBatch, UInt64s, venue_and_symbol
from models.orders.hashing import stable_hashes
from models.rows import Rows
from models.score.evidence import NO_EVIDENCE, NOTABLE
from models.snapshot import Records, Saved, Snapshot


class KeyStage:
    """State of the keys of one partition."""

    def __init__(
        self, scale: Float64s, bounds: Bounds = BOUNDS, kernel: Callable[..., None] = assess
    ) -> None:
        self._scale = scale
        self._kernel = kernel
        self.bounds = bounds
        self._keys: Table = new_table(k.KEY, min(256, bounds.keys))
        self._pairs: Table = new_table(k.PAIR, min(1024, bounds.pairs))
        self._apps = AppNames()

    def snapshot(self) -> Snapshot:
        """Give the state as it is now."""
        records, tables = saved_tables(self)
        return Snapshot(records, msgspec.msgpack.encode((tables, self._apps.save())))

    def records(self) -> dict[str, Records]:
        """Give what is saved record by record, without the rest."""
        return saved_tables(self)[0]

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
        for none, and where the fill is not notable; `stranger`, (n,), whether nobody knows
        that app, since the key has hardly bought before.
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
        stranger = np.zeros(n, np.bool_)
        self._kernel(
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
            stranger,
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
            stranger=stranger,
            home=self._apps.at(np.flatnonzero(odds > NOTABLE), home),
        )


def _symbols(orders: OrderBatch) -> UInt64s:
    """Hash of each market's symbol, whatever its venue; shape (len(orders.markets),)."""
    return stable_hashes([venue_and_symbol(market)[1] for market in orders.markets.strings])
