"""The key stage: every keyed event in order of time, measured against its key's own past."""

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from models.bounds import BOUNDS, Bounds
from models.entities import Table, new_table, put_back, saved_tables, with_room
from models.keys import state as k
from models.keys.app_names import AppNames
from models.keys.assess import assess
from models.market import state as m
from models.orders.batch import Float64s, OrderBatch, UInt64s, venue_and_symbol
from models.orders.hashing import stable_hashes
from models.rows import Rows
from models.score.evidence import NO_EVIDENCE, NOTABLE
from models.snapshot import Records, Saved, Snapshot

_PASSED_ON: Final = [name for name in k.TOLD.names or () if name in (m.TOLD.names or ())]


class KeyStage:
    """State of the keys of one partition."""

    def __init__(
        self, scale: Float64s, bounds: Bounds = BOUNDS, kernel: Callable[..., UInt64s] = assess
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

        What is told of each: `models.keys.state.TOLD`; and the app that its key usually uses, in
        `orders.home`, where the fill is notable. Events without a key pass through unmeasured.
        """
        n, orders = len(rows), rows.orders
        self._apps.learn(orders)
        self._keys = with_room(self._keys, len(orders.keys), self.bounds.keys)
        self._pairs = with_room(self._pairs, n, self.bounds.pairs)
        told = np.zeros(n, k.TOLD)
        for name in _PASSED_ON:
            told[name] = rows.told[name]
        told["odds"] = NO_EVIDENCE
        homes = self._kernel(
            self._keys,
            self._pairs,
            self._scale,
            orders.events,
            orders.hashes,
            _symbols(orders),
            rows.told,
            told,
        )
        notable = np.flatnonzero(told["odds"] > NOTABLE)
        return Rows(orders.with_homes(notable, *self._apps.at(homes[notable])), told)


def _symbols(orders: OrderBatch) -> UInt64s:
    """Hash of each market's symbol, whatever its venue; shape (len(orders.markets),)."""
    return stable_hashes([venue_and_symbol(market)[1] for market in orders.markets.strings])
