"""The market stage: every event, in the order of its partition, told what its market is doing."""

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
from numba import njit

from models.bounds import BOUNDS, Bounds
from models.entities import Table, new_table, put_back, saved_tables, with_room
from models.market import state as s
from models.market.duplicates import Duplicates
from models.market.kernel import observe
from models.orders.batch import NONE, Bools, Int64s, OrderBatch
from models.rows import Rows, Told
from models.snapshot import Records, Saved, Snapshot

AGREEING: Final = 3  # events in a row that must lie ahead before the partition's clock follows


# Places in the clock of a partition: its time, ms; how many events in a row ran ahead of it; the
# least of their times; and whether it rests on the first event alone.
NOW, RAN_AHEAD, LEAST_AHEAD, IS_FIRST = range(4)


class _Values(msgspec.Struct, array_like=True):
    tables: dict[str, list[int]]
    ids: tuple[int, int]
    clock: list[int]
    duplicates: int
    ahead: int


class MarketStage:
    """State of the markets of one partition of orders."""

    def __init__(self, bounds: Bounds = BOUNDS, kernel: Callable[..., None] = observe) -> None:
        self.bounds = bounds
        self._kernel = kernel
        self._markets: Table = new_table(s.MARKET, min(64, bounds.markets))
        self._app_markets: Table = new_table(s.APP_MARKET, min(256, bounds.pairs))
        self._seen: Table = new_table(s.SEEN, min(1024, bounds.pairs))
        self._dealers: Table = new_table(s.DEALER, min(1024, bounds.pairs))
        self._ids = Duplicates()
        self.duplicates = 0  # events that were seen before
        self.ahead = 0  # events too far ahead of the partition's clock for it to follow
        self._clock = np.zeros(4, np.int64)

    @property
    def clock(self) -> int:
        """Time up to which this partition has been read, ms; 0 before the first event."""
        return int(self._clock[NOW])

    def snapshot(self) -> Snapshot:
        """Give the state as it is now."""
        records, tables = saved_tables(self)
        values = _Values(tables, self._ids.place, self._clock.tolist(), self.duplicates, self.ahead)
        return Snapshot(records | {"ids": self._ids.records()}, msgspec.msgpack.encode(values))

    def records(self) -> dict[str, Records]:
        """Give what is saved record by record, without the rest."""
        return saved_tables(self)[0] | {"ids": self._ids.records()}

    def restore(self, records: Saved, values: bytes) -> None:
        """Take a state back, in place of that of a new stage."""
        found = msgspec.msgpack.decode(values, type=_Values)
        put_back(self, records, found.tables)
        self._ids.restore(records["ids"], found.ids)
        self._clock[:] = found.clock
        self.duplicates, self.ahead = found.duplicates, found.ahead

    def observe(self, batch: OrderBatch) -> Rows:
        """Learn a batch in order; gives the events of API keys and all offers, each once.

        What is told of each: `models.market.state.TOLD`.
        """
        n = len(batch)
        fresh: Bools = self._ids.first_time(batch.event_hash)
        self.duplicates += n - int(fresh.sum())
        self._markets = with_room(self._markets, len(batch.markets), self.bounds.markets)
        self._app_markets = with_room(self._app_markets, n, self.bounds.pairs)
        self._seen = with_room(self._seen, n, self.bounds.pairs)
        self._dealers = with_room(self._dealers, n, self.bounds.pairs)
        rows = Rows(batch, np.zeros(n, s.TOLD))
        self._kernel(
            self._markets,
            self._app_markets,
            self._seen,
            self._dealers,
            fresh,
            batch.events,
            batch.hashes,
            rows.told,
        )
        _follow(self._clock, fresh, rows.told)
        self.ahead += int((rows.time > rows.merge_time + s.JUMP_MS).sum())
        wanted = fresh & ((batch.key != NONE) | rows.told["offer"])
        return rows if wanted.all() else rows.take(np.flatnonzero(wanted))


@njit(cache=True)
def _follow(clock: Int64s, fresh: Bools, rows: Told) -> None:
    """Move the partition's clock; one event with a bad timestamp does not carry it away.

    It never goes back, but once where the event after the first says that the first was wrong.
    """
    for i in range(len(rows)):
        told = rows[i]
        if fresh[i]:
            is_first = clock[NOW] == 0
            if is_first or (clock[IS_FIRST] > 0 and told.time < clock[NOW] - s.JUMP_MS):
                clock[NOW] = told.time
            clock[IS_FIRST] = is_first
            if told.time > clock[NOW] + s.JUMP_MS:
                least = min(clock[LEAST_AHEAD], told.time) if clock[RAN_AHEAD] > 0 else told.time
                clock[LEAST_AHEAD] = least
                clock[RAN_AHEAD] += 1
            else:
                clock[NOW] = max(clock[NOW], told.time)
                clock[RAN_AHEAD] = 0
            if clock[RAN_AHEAD] == AGREEING:
                clock[NOW] = clock[LEAST_AHEAD]
                clock[RAN_AHEAD] = 0
        told.merge_time = clock[NOW]
