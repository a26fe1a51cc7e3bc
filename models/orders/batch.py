"""Order events as columns: the form in which every stage passes them on.

A batch holds n events as NumPy columns. Names (markets, keys, accounts, apps, networks) stand once
per batch in small tables, and the columns hold codes into them, so that a stage maps a name to its
own dense slot once per batch and not once per event. Nothing is decided here;
`models.orders.decode` says what is let in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any, Final, Self, TypeAlias, get_origin, get_type_hints

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.orders.hashing import stable_hashes

Int8s: TypeAlias = NDArray[np.int8]
Int32s: TypeAlias = NDArray[np.int32]
Int64s: TypeAlias = NDArray[np.int64]
UInt8s: TypeAlias = NDArray[np.uint8]
UInt64s: TypeAlias = NDArray[np.uint64]
Float32s: TypeAlias = NDArray[np.float32]
Float64s: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

NONE: Final = -1  # the code of a name that the event does not have
BUY: Final = 1
SELL: Final = -1
MARKET_SEPARATOR: Final = (
    "\x1f"  # decode refuses control characters, so no venue or symbol holds it
)


class Status(IntEnum):
    """State of the order after the event; only the two fills carry volume and price."""

    NEW = 0
    PARTIALLY_FILLED = 1
    FILLED = 2
    CANCELED = 3
    REJECTED = 4
    EXPIRED = 5


@dataclass(frozen=True, slots=True)
class Names:
    """Distinct names of one kind in one batch, with their stable hashes; codes are positions."""

    strings: list[str]
    hashes: UInt64s

    @classmethod
    def of(cls, strings: list[str]) -> Self:
        """Build the table, hashing each name."""
        return cls(strings, stable_hashes(strings))

    @classmethod
    def of_each(cls, *kinds: list[str]) -> "list[Names]":
        """Build a table of each kind, hashing all names at once."""
        hashes = stable_hashes([name for names in kinds for name in names])
        ends = np.cumsum([len(names) for names in kinds])[:-1]
        return [cls(*part) for part in zip(kinds, np.split(hashes, ends), strict=True)]

    def __len__(self) -> int:
        return len(self.strings)

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Put tables one after the other."""
        return cls(
            [name for part in parts for name in part.strings],
            np.concatenate([part.hashes for part in parts]),
        )

    def once(self) -> tuple[Self, Int32s]:
        """Give each name once, in order of appearance, and the new code for each old and NONE."""
        codes = {name: code for code, name in enumerate(dict.fromkeys(self.strings))}
        renumbered = np.array([*(codes[name] for name in self.strings), NONE], np.int32)
        hashes = np.empty(len(codes), np.uint64)
        hashes[renumbered[:-1]] = self.hashes
        return type(self)(list(codes), hashes), renumbered

    def keep(self, codes: Int32s) -> tuple[Self, Int32s]:
        """Reduce the table to what `codes` uses, in order of appearance; gives the new codes."""
        used, renumbered = _renumber(codes, len(self.strings))
        table = type(self)([self.strings[code] for code in used.tolist()], self.hashes[used])
        return table, renumbered


@dataclass(frozen=True, slots=True)
class OrderBatch:
    """n accepted order events in arrival order; every column has shape (n,)."""

    event_id: list[str]
    event_hash: UInt64s  # stable hash of event_id
    ts: Int64s  # event time, ms since the Unix epoch, UTC
    market: Int32s  # code into markets
    key: Int32s  # code into keys; NONE: placed by web or mobile
    account: Int32s  # code into accounts
    app: Int32s  # code into apps; NONE: the user's own program
    counterparty: Int32s  # code into accounts; NONE: unknown
    network: Int32s  # code into networks; NONE: unknown
    order_hash: UInt64s  # stable hash of order_id; 0: unknown
    side: Int8s  # BUY or SELL
    status: Int8s  # Status
    is_market: Bools  # a market order
    maker: Bools  # the order was resting
    price: Float64s  # quote currency; NaN where the event is no fill
    qty: Float64s  # base currency; NaN where the event is no fill
    notional: Float64s  # common currency (USD); NaN where the event is no fill
    arrival: Float64s  # mid price when the order reached the book; NaN: not given
    partition: Int32s  # where the event came from
    offset: Int64s  # where the event came from: Kafka offset, or line of the file
    markets: Names  # venue + MARKET_SEPARATOR + symbol
    keys: Names
    accounts: Names
    apps: Names
    networks: Names

    def __len__(self) -> int:
        return len(self.event_id)

    @property
    def is_fill(self) -> Bools:
        """Whether each event is a fill, shape (n,)."""
        fills: Bools = (self.status == Status.FILLED) | (self.status == Status.PARTIALLY_FILLED)
        return fills

    def select(self, rows: Int64s) -> "OrderBatch":
        """Give the events at `rows`, in that order, with all names: sooner done, but never kept."""
        return OrderBatch(
            [self.event_id[row] for row in rows.tolist()],
            **{name: getattr(self, name)[rows] for name in _COLUMNS},
            **{name: getattr(self, name) for name in TABLES},
        )

    def take(self, rows: Int64s) -> "OrderBatch":
        """Give the events at `rows`, in that order, with the tables reduced to what they use."""
        taken: dict[str, Any] = {name: getattr(self, name)[rows] for name in _COLUMNS}
        taken["event_id"] = [self.event_id[row] for row in rows.tolist()]
        taken["markets"], taken["market"] = self.markets.keep(taken["market"])
        taken["keys"], taken["key"] = self.keys.keep(taken["key"])
        taken["apps"], taken["app"] = self.apps.keep(taken["app"])
        taken["networks"], taken["network"] = self.networks.keep(taken["network"])
        both = np.concatenate([taken["account"], taken["counterparty"]])
        taken["accounts"], both = self.accounts.keep(both)
        taken["account"], taken["counterparty"] = both[: len(rows)], both[len(rows) :]
        return OrderBatch(**taken)

    @classmethod
    def concat(cls, parts: Sequence["OrderBatch"]) -> "OrderBatch":
        """Put batches one after the other; a name that several hold stands several times."""
        joined: dict[str, Any] = {"event_id": [i for part in parts for i in part.event_id]}
        for column, table in TABLE_OF.items():
            joined[column] = _joined_codes(
                [getattr(part, column) for part in parts], [getattr(part, table) for part in parts]
            )
        for table in TABLES:
            joined[table] = Names.concat([getattr(part, table) for part in parts])
        for field in fields(cls):
            if field.name not in joined:
                joined[field.name] = np.concatenate([getattr(part, field.name) for part in parts])
        return cls(**joined)

    def named_once(self) -> "OrderBatch":
        """Give the events with each name once in its table, where several parts held it."""
        once = {table: getattr(self, table).once() for table in TABLES}
        changed: dict[str, Any] = {table: names for table, (names, _) in once.items()}
        for column, table in TABLE_OF.items():
            changed[column] = once[table][1][getattr(self, column)]
        return replace(self, **changed)


TABLE_OF: Final = {  # of each column of codes
    "market": "markets",
    "key": "keys",
    "account": "accounts",
    "app": "apps",
    "counterparty": "accounts",
    "network": "networks",
}
TABLES: Final = tuple(dict.fromkeys(TABLE_OF.values()))
_COLUMNS: Final = [
    name for name, kind in get_type_hints(OrderBatch).items() if get_origin(kind) is np.ndarray
]


@njit(cache=True)
def _renumber(codes: Int32s, count: int) -> tuple[Int64s, Int32s]:
    """Give which of `count` names are used, in order of appearance, and the codes among these."""
    places = np.full(count, NONE, np.int32)
    used = np.empty(count, np.int64)
    renumbered = np.full(len(codes), NONE, np.int32)
    found = 0
    for i in range(len(codes)):
        code = codes[i]
        if code >= 0:
            if places[code] < 0:
                places[code] = found
                used[found] = code
                found += 1
            renumbered[i] = places[code]
    return used[:found], renumbered


def _joined_codes(columns: Sequence[Int32s], tables: Sequence[Names]) -> Int32s:
    """Codes into the tables put one after the other."""
    starts = np.cumsum([0, *(len(table) for table in tables[:-1])], dtype=np.int32)
    codes = np.concatenate(columns)
    shift = np.repeat(starts, [len(column) for column in columns])
    return np.where(codes < 0, codes, codes + shift)


def venue_and_symbol(market: str) -> tuple[str, str]:
    r"""Split the name of a market into its venue and its symbol.

    >>> venue_and_symbol("binance\x1fAXSUSDT")
    ('binance', 'AXSUSDT')
    """
    venue, _, symbol = market.partition(MARKET_SEPARATOR)
    return venue, symbol
