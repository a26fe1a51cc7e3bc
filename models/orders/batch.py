"""Order events as records: the form in which every stage passes them on.

A batch holds n events as one structured NumPy array, since what is done most often with them (to
take some, to put several batches together, to send them) then costs the same as with one column.
Names (markets, keys, accounts, apps, networks) stand once per batch in small tables, and the
records hold codes into them, so that a stage maps a name to its own dense slot once per batch and
not once per event. Nothing is decided here; `models.orders.decode` says what is let in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise
from typing import Any, Final, Generic, NamedTuple, Self, TypeAlias, TypeVar, overload

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.orders.hashing import stable_hashes
from models.records import copied, joined, taken

Int8s: TypeAlias = NDArray[np.int8]
Int32s: TypeAlias = NDArray[np.int32]
Int64s: TypeAlias = NDArray[np.int64]
UInt8s: TypeAlias = NDArray[np.uint8]
UInt64s: TypeAlias = NDArray[np.uint64]
Float32s: TypeAlias = NDArray[np.float32]
Float64s: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Events: TypeAlias = Any  # records of ORDER, (n,); their fields as attributes no type checker sees

S = TypeVar("S", bound=np.generic)

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

    def spelled(self, codes: Int32s) -> list[str | None]:
        """Give the name of each code; None for NONE."""
        return [None if code == NONE else self.strings[code] for code in codes.tolist()]

    def at(self, codes: Int64s) -> Self:
        """Give the names of these codes."""
        return type(self)([self.strings[code] for code in codes.tolist()], self.hashes[codes])

    def once(self) -> tuple[Self, Int32s]:
        """Give each name once, in order of appearance, and the new code for each old and NONE."""
        codes = {name: code for code, name in enumerate(dict.fromkeys(self.strings))}
        renumbered = np.array([*(codes[name] for name in self.strings), NONE], np.int32)
        hashes = np.empty(len(codes), np.uint64)
        hashes[renumbered[:-1]] = self.hashes
        return type(self)(list(codes), hashes), renumbered


class Column(Generic[S]):
    """One field of all events of a batch, as a view: what is written there is written in them."""

    def __init__(self, kind: type[S]) -> None:
        self.kind = kind
        self.name = ""

    def __set_name__(self, _: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, batch: None, owner: type) -> Self: ...
    @overload
    def __get__(self, batch: "OrderBatch", owner: type) -> NDArray[S]: ...
    def __get__(self, batch: "OrderBatch | None", owner: type) -> Self | NDArray[S]:
        return self if batch is None else batch.events[self.name]


@dataclass(frozen=True, slots=True)
class OrderBatch:
    """n accepted order events in arrival order, a record each; every column has shape (n,).

    `home` is all that is not of the event: the key stage says it.
    """

    events: Events
    event_id: list[str]
    markets: Names  # venue + MARKET_SEPARATOR + symbol
    keys: Names
    accounts: Names
    apps: Names
    networks: Names

    event_hash = Column(np.uint64)  # stable hash of event_id
    order_hash = Column(np.uint64)  # stable hash of order_id; 0: unknown
    ts = Column(np.int64)  # event time, ms since the Unix epoch, UTC
    price = Column(np.float64)  # quote currency; NaN where the event is no fill
    qty = Column(np.float64)  # base currency; NaN where the event is no fill
    notional = Column(np.float64)  # common currency (USD); NaN where the event is no fill
    arrival = Column(np.float64)  # mid price when the order reached the book; NaN: not given
    offset = Column(np.int64)  # where the event came from: Kafka offset, or line of the file
    partition = Column(np.int32)  # where the event came from
    market = Column(np.int32)  # code into markets
    key = Column(np.int32)  # code into keys; NONE: placed by web or mobile
    account = Column(np.int32)  # code into accounts
    app = Column(np.int32)  # code into apps; NONE: the user's own program
    counterparty = Column(np.int32)  # code into accounts; NONE: unknown
    network = Column(np.int32)  # code into networks; NONE: unknown
    home = Column(np.int32)  # code into apps: what the key usually uses; NONE: not said, or none
    side = Column(np.int8)  # BUY or SELL
    status = Column(np.int8)  # Status
    is_market = Column(np.bool_)  # a market order
    maker = Column(np.bool_)  # the order was resting

    @classmethod
    def of(cls, event_id: list[str], tables: Sequence[Names], **columns: NDArray[Any]) -> Self:
        """Make records of all columns but `home`; `tables` are in the order of TABLES.

        Raises KeyError where one is missing, TypeError where one is unknown, ValueError where one
        is not of shape (n,).
        """
        events = np.zeros(len(event_id), ORDER)
        events["home"] = NONE
        for name in [name for name in ORDER.names or () if name != "home"]:
            column = columns.pop(name)
            if column.shape != events.shape:
                raise ValueError(f"{name} has shape {column.shape}; must be {events.shape}")
            events[name] = column
        if columns:
            raise TypeError(f"orders have no columns {', '.join(columns)}")
        return cls(events, event_id, *tables)

    def with_homes(self, rows: Int64s, homes: Names, codes: Int32s) -> Self:
        """Say of the events at `rows` which app their keys usually use, by codes into `homes`."""
        if not len(rows):
            return self
        events = copied(self.events)
        events["home"][rows] = np.where(codes == NONE, NONE, codes + len(self.apps))
        return replace(self, events=events, apps=Names.concat([self.apps, homes]))

    def __len__(self) -> int:
        return len(self.event_id)

    @property
    def is_fill(self) -> Bools:
        """Whether each event is a fill, shape (n,)."""
        fills: Bools = (self.status == Status.FILLED) | (self.status == Status.PARTIALLY_FILLED)
        return fills

    @property
    def tables(self) -> list[Names]:
        """The names, in the order of TABLES."""
        return [self.markets, self.keys, self.accounts, self.apps, self.networks]

    @property
    def hashes(self) -> "Hashes":
        """Hashes of all names, for kernels."""
        return Hashes(*(table.hashes for table in self.tables))

    def select(self, rows: Int64s) -> Self:
        """Give the events at `rows`, in that order, with all names: sooner done, but never kept."""
        event_id = [self.event_id[row] for row in rows.tolist()]
        return type(self)(taken(self.events, rows), event_id, *self.tables)

    def take(self, rows: Int64s) -> Self:
        """Give the events at `rows`, in that order, with the tables reduced to what they use.

        Names stand in order of appearance.
        """
        events, whole = taken(self.events, rows), self.tables
        used, ends = _renumber(events, np.array([len(names) for names in whole]))
        bounds = pairwise([0, *ends.tolist()])
        tables = [
            names.at(used[start:end]) for names, (start, end) in zip(whole, bounds, strict=True)
        ]
        return type(self)(events, [self.event_id[row] for row in rows.tolist()], *tables)

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Put batches one after the other; a name that several hold stands several times."""
        events = joined([part.events for part in parts])
        counts = [[len(table) for table in part.tables] for part in parts]
        _shift(events, np.array([len(part) for part in parts]), np.array(counts, np.int32))
        tables = map(Names.concat, zip(*(part.tables for part in parts), strict=True))
        return cls(events, [i for part in parts for i in part.event_id], *tables)

    def named_once(self) -> Self:
        """Give the events with each name once in its table, where several parts held it."""
        once = [table.once() for table in self.tables]
        events = copied(self.events)
        for column, table in TABLE_OF.items():
            events[column] = once[TABLES.index(table)][1][events[column]]
        return type(self)(events, self.event_id, *(names for names, _ in once))


ORDER: Final = np.dtype(
    [
        (name, column.kind)
        for name, column in vars(OrderBatch).items()
        if isinstance(column, Column)
    ],
    align=True,
)
TABLE_OF: Final = {  # of each column of codes
    "market": "markets",
    "key": "keys",
    "account": "accounts",
    "app": "apps",
    "home": "apps",
    "counterparty": "accounts",
    "network": "networks",
}
TABLES: Final = tuple(dict.fromkeys(TABLE_OF.values()))


class Hashes(NamedTuple):
    """Stable hashes of the names of a batch, by table."""

    markets: UInt64s
    keys: UInt64s
    accounts: UInt64s
    apps: UInt64s
    networks: UInt64s


@njit(cache=True)
def is_fill(status: int) -> bool:
    """Whether an event of that status is a fill."""
    return status in (Status.FILLED, Status.PARTIALLY_FILLED)


@njit(cache=True)
def hash_at(hashes: UInt64s, code: int) -> np.uint64:
    """Give the hash of a name; 0: none."""
    return hashes[code] if code >= 0 else np.uint64(0)


MARKETS, KEYS, ACCOUNTS, APPS, NETWORKS = range(len(TABLES))


@njit(cache=True)
def _renumber(events: Events, counts: Int64s) -> tuple[Int64s, Int64s]:
    """Have codes count only the names that are used, of `counts` in each table.

    Gives these, table by table in order of appearance, and where each table ends among them.
    """
    used = np.empty(counts.sum(), np.int64)
    ends = np.empty(len(counts), np.int64)
    places = np.empty(counts.max(), np.int32)
    end = 0
    for table in range(len(counts)):
        places[: counts[table]] = NONE
        start = end
        if table == MARKETS:
            end = _count(events.market, places, used, start, end)
        elif table == KEYS:
            end = _count(events.key, places, used, start, end)
        elif table == ACCOUNTS:
            end = _count(events.account, places, used, start, end)
            end = _count(events.counterparty, places, used, start, end)
        elif table == APPS:
            end = _count(events.app, places, used, start, end)
            end = _count(events.home, places, used, start, end)
        else:
            end = _count(events.network, places, used, start, end)
        ends[table] = end
    return used, ends


@njit(cache=True)
def _count(codes: Int32s, places: Int32s, used: Int64s, start: int, end: int) -> int:
    """Renumber the codes of one column; gives the new end of what is used."""
    for i in range(len(codes)):
        code = codes[i]
        if code >= 0:
            if places[code] < 0:
                places[code] = end - start
                used[end] = code
                end += 1
            codes[i] = places[code]
    return end


@njit(cache=True)
def _shift(events: Events, lengths: Int64s, counts: Int32s) -> None:
    """Have the codes of parts of such lengths count the names of the parts before.

    `counts` has shape (parts, tables).
    """
    i = 0
    before = np.zeros(counts.shape[1], np.int32)
    for part in range(len(lengths)):
        for _ in range(lengths[part]):
            event = events[i]
            event.market += before[MARKETS]
            event.account += before[ACCOUNTS]
            if event.key >= 0:
                event.key += before[KEYS]
            if event.counterparty >= 0:
                event.counterparty += before[ACCOUNTS]
            if event.app >= 0:
                event.app += before[APPS]
            if event.home >= 0:
                event.home += before[APPS]
            if event.network >= 0:
                event.network += before[NETWORKS]
            i += 1
        before += counts[part]


def venue_and_symbol(market: str) -> tuple[str, str]:
    r"""Split the name of a market into its venue and its symbol.

    >>> venue_and_symbol("binance\x1fAXSUSDT")
    ('binance', 'AXSUSDT')
    """
    venue, _, symbol = market.partition(MARKET_SEPARATOR)
    return venue, symbol
