"""The tape: simulated order events as columns, given as JSON lines or as a batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from models.orders.batch import (
    MARKET_SEPARATOR,
    Bools,
    Float64s,
    Int8s,
    Int32s,
    Int64s,
    Names,
    OrderBatch,
    Status,
    UInt64s,
)
from models.orders.hashing import stable_hashes

_CHUNK: Final = 50_000
_SIDES: Final = {1: "buy", -1: "sell"}
_STATUSES: Final = {status: status.name.lower() for status in Status}


class _Line(msgspec.Struct, omit_defaults=True):
    """One event as it is written; what a venue does not give is left out."""

    event_id: str
    ts: int
    venue: str
    symbol: str
    api_key: str | None
    account: str
    side: str
    app: str | None
    type: str
    status: str
    order_id: str | None = None
    price: float | str | None = None
    qty: float | str | None = None
    notional: float | str | None = None
    maker: bool | None = None
    arrival_price: float | str | None = None
    counterparty: str | None = None
    network: str | None = None


@dataclass(frozen=True, slots=True)
class Tape:
    """n order events, sorted by time, as columns of shape (n,), and what is known about them."""

    ts: Int64s  # ms since the Unix epoch, UTC
    id_number: UInt64s  # unique; event_ids() spells it
    market: Int32s
    key: Int32s  # -1: web or mobile
    account: Int32s
    app: Int32s  # -1: none
    counterparty: Int32s  # code of an account; -1: not given
    network: Int32s  # -1: not given
    order: Int64s  # -1: not given
    side: Int8s  # 1 buy, -1 sell
    status: Int8s
    is_market: Bools
    maker: Bools
    price: Float64s  # quote currency
    qty: Float64s
    notional: Float64s  # USD
    arrival: Float64s  # NaN: not given
    gives_notional: Bools  # of each market, shape (M,)
    gives_strings: Bools  # numbers come as strings, shape (M,)
    venues: list[str]  # of each market
    symbols: list[str]  # of each market
    keys: list[str]
    accounts: list[str]
    apps: list[str]
    networks: list[str]
    id_style: str
    labels: dict[str, Any]  # in the form of `roguekey simulate --labels`

    def __len__(self) -> int:
        return len(self.ts)

    def event_ids(self, rows: slice = slice(None)) -> list[str]:
        """Spell the ids of the events at `rows`."""
        style = self.id_style
        return [style % number for number in self.id_number[rows].tolist()]

    @property
    def is_fill(self) -> Bools:
        """Whether each event is a fill, shape (n,)."""
        fills: Bools = (self.status == Status.FILLED) | (self.status == Status.PARTIALLY_FILLED)
        return fills


def to_orders(tape: Tape) -> OrderBatch:
    """Give the tape as the batch that decoding its written form would give, without the JSON."""
    ids = tape.event_ids()
    orders = np.where(tape.order >= 0, tape.order, 0)
    numbers, place = np.unique(orders, return_inverse=True)
    hashes = stable_hashes([_order_id(number) for number in numbers.tolist()])
    fill = tape.is_fill
    n = len(tape)
    markets = [v + MARKET_SEPARATOR + s for v, s in zip(tape.venues, tape.symbols, strict=True)]
    tables = Names.of_each(markets, tape.keys, tape.accounts, tape.apps, tape.networks)
    return OrderBatch.of(
        ids,
        tables,
        event_hash=stable_hashes(ids),
        ts=tape.ts,
        market=tape.market,
        key=tape.key,
        account=tape.account,
        app=tape.app,
        counterparty=tape.counterparty,
        network=tape.network,
        order_hash=np.where(tape.order >= 0, hashes[place], np.uint64(0)),
        side=tape.side,
        status=tape.status,
        is_market=tape.is_market,
        maker=tape.maker & fill,
        price=np.where(fill, tape.price, np.nan),
        qty=np.where(fill, tape.qty, np.nan),
        notional=np.where(fill, tape.notional, np.nan),
        arrival=tape.arrival,
        partition=np.zeros(n, np.int32),
        offset=np.arange(n, dtype=np.int64),
    )


def json_lines(tape: Tape) -> Iterator[bytes]:
    """Give the events as JSON lines, many of them at a time."""
    encoder = msgspec.json.Encoder()
    for begin in range(0, len(tape), _CHUNK):
        yield encoder.encode_lines(list(_lines(tape, slice(begin, begin + _CHUNK))))


def _order_id(number: int) -> str:
    return f"o{number}"


def _lines(tape: Tape, rows: slice) -> Iterator[_Line]:
    market = tape.market[rows]
    strings = tape.gives_strings[market]
    fill = tape.is_fill[rows]
    markets = market.tolist()
    orders = tape.order[rows].tolist()
    silent = ~(tape.gives_notional[market] & fill)
    return map(
        _Line,
        tape.event_ids(rows),
        tape.ts[rows].tolist(),
        [tape.venues[m] for m in markets],
        [tape.symbols[m] for m in markets],
        _named(tape.keys, tape.key[rows]),
        _named(tape.accounts, tape.account[rows]),
        [_SIDES[side] for side in tape.side[rows].tolist()],
        _named(tape.apps, tape.app[rows]),
        ["market" if is_market else "limit" for is_market in tape.is_market[rows].tolist()],
        [_STATUSES[Status(s)] for s in tape.status[rows].tolist()],
        [_order_id(order) if order >= 0 else None for order in orders],
        _numbers(tape.price[rows], strings),
        _numbers(tape.qty[rows], strings),
        _numbers(np.where(silent, np.nan, tape.notional[rows]), strings),
        [m if f else None for m, f in zip(tape.maker[rows].tolist(), fill.tolist(), strict=True)],
        _numbers(tape.arrival[rows], strings),
        _named(tape.accounts, tape.counterparty[rows]),
        _named(tape.networks, tape.network[rows]),
    )


def _named(names: list[str], codes: Int32s) -> list[str | None]:
    table: list[str | None] = [*names, None]
    return [table[code] for code in codes.tolist()]


def _numbers(values: Float64s, strings: Bools) -> list[float | str | None]:
    """Numbers as they are written: left out where NaN, as strings where the venue does so."""
    numbers: list[float | str | None] = values.tolist()
    for row in np.flatnonzero(np.isnan(values)).tolist():
        numbers[row] = None
    for row in np.flatnonzero(strings & ~np.isnan(values)).tolist():
        numbers[row] = np.format_float_positional(values[row], trim="-")
    return numbers
