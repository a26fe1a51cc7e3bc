"""What is let in: raw order events become records, or are refused with a reason.

Plain events, which nearly all are, a kernel reads (`models.orders.plain`). The others, bad ones
among them, are decoded with care: each on its own, so that there is no seam at which two broken
values could make a whole one, and no bad value spoils its neighbours.

A number may also come as a numeric string, as exchanges send it. The decoder that allows this also
reads "true", "false", 1 and 0 as booleans, and the string "null" as null, where those may stand.
An optional field that is null, or an optional name that is empty, counts as not given.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from operator import itemgetter
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

import msgspec
import numpy as np
from msgspec import Meta

from models.orders.batch import (
    BUY,
    MARKET_SEPARATOR,
    NONE,
    SELL,
    Bools,
    Int32s,
    Int64s,
    Names,
    OrderBatch,
    Status,
)
from models.orders.hashing import stable_hashes
from models.orders.limits import (
    EARLIEST_MS,
    MAX_AHEAD_MS,
    MAX_NAME,
    MAX_NOTIONAL,
    MAX_PRICE,
    MAX_QTY,
    MIN_AMOUNT,
)
from models.orders.plain import orders_of, read_plain
from models.orders.refusals import RULES, Refusal, broken_rule, unreadable
from models.orders.texts import Texts
from models.unreadable import UNREADABLE

_WORTH_JOINING: Final = 128  # plain events; fewer are sooner decoded a second time, with the others
_LARGEST_INT64: Final = 2**63 - 1
_NAN: Final = float("nan")
_SIDES: Final = {"buy": BUY, "sell": SELL}
_STATUSES: Final = {status.name.lower(): status.value for status in Status} | {None: Status.FILLED}

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
OptionalName: TypeAlias = Annotated[str, Meta(max_length=MAX_NAME)] | None
Milliseconds: TypeAlias = Annotated[int, Meta(ge=EARLIEST_MS, le=_LARGEST_INT64)]
Price: TypeAlias = Annotated[float, Meta(ge=MIN_AMOUNT, le=MAX_PRICE)] | None
Quantity: TypeAlias = Annotated[float, Meta(ge=MIN_AMOUNT, le=MAX_QTY)] | None
Notional: TypeAlias = Annotated[float, Meta(gt=0, le=MAX_NOTIONAL)] | None


class _Order(msgspec.Struct, gc=False):
    """One event, as far as it can be judged without its neighbours and the clock."""

    event_id: Name
    ts: Milliseconds
    venue: Name
    symbol: Name
    api_key: Name | None
    account: Name
    side: Literal["buy", "sell"]
    app: OptionalName = None
    order_id: OptionalName = None
    type: Literal["market", "limit"] | None = "limit"
    status: (
        Literal["new", "partially_filled", "filled", "canceled", "rejected", "expired"] | None
    ) = "filled"
    price: Price = _NAN
    qty: Quantity = _NAN
    notional: Notional = _NAN
    maker: bool | None = False
    arrival_price: Price = _NAN
    counterparty: OptionalName = None
    network: OptionalName = None


T = TypeVar("T")

_decode_one: Final = msgspec.json.Decoder(_Order, strict=False).decode

_NAMES: Final = (
    "event_id",
    "venue",
    "symbol",
    "api_key",
    "account",
    "app",
    "order_id",
    "counterparty",
    "network",
)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Decoded:
    """The accepted events of a batch in their order, and one refusal for each of the others."""

    batch: OrderBatch
    refusals: list[Refusal]  # rows rise


def decode(
    values: Sequence[bytes | None], *, partition: int, offsets: Int64s, now_ms: int
) -> Decoded:
    """Decode order events; a bad one is refused alone and never touches the others.

    `values` are JSON objects in UTF-8 (None, a Kafka tombstone, is refused); `offsets` says where
    each came from, shape (n,); `now_ms` is the clock that tells which events are from the future.
    Refusals name rows of `values`.
    """
    events = values if isinstance(values, Texts) else Texts.of([value or b"" for value in values])
    plain = read_plain(events, now_ms + MAX_AHEAD_MS)
    rows = plain.rows
    if len(rows) == len(events):
        return Decoded(orders_of(plain, partition, offsets), [])
    if len(rows) < _WORTH_JOINING:
        return _decode_with_care(list(events), partition, offsets, now_ms)
    others = np.delete(np.arange(len(events)), rows)
    odd = [events[row] for row in others.tolist()]
    rest = _decode_with_care(odd, partition, offsets[others], now_ms)
    return _joined(orders_of(plain, partition, offsets[rows]), rows, rest, others)


def _joined(plain: OrderBatch, rows: Int64s, rest: Decoded, others: Int64s) -> Decoded:
    """Put what was decoded at `rows` and at `others` into the order of its rows."""
    refused = [refusal.row for refusal in rest.refusals]
    refusals = [
        replace(refusal, row=row)
        for refusal, row in zip(rest.refusals, others[refused].tolist(), strict=True)
    ]
    order = np.argsort(np.concatenate([rows, np.delete(others, refused)]))
    return Decoded(OrderBatch.concat([plain, rest.batch]).take(order).named_once(), refusals)


def _decode_with_care(events: list[bytes], partition: int, offsets: Int64s, now_ms: int) -> Decoded:
    """Decode events of any form, and find the reason for each refusal."""
    orders, refusals = _parse(events)
    rows = np.delete(np.arange(len(events)), [refusal.row for refusal in refusals])
    batch, unchecked = _columns(orders, partition, offsets[rows])
    faults = _faults(batch, now_ms)
    if not _is_clean(unchecked):
        faults += _control_characters(orders)
    at_fault = np.zeros(len(orders), np.bool_)
    for field, rule, mask in faults:
        for place in np.flatnonzero(mask & ~at_fault).tolist():
            row = int(rows[place])
            refusals.append(broken_rule(row, events[row], field, rule))
        at_fault |= mask
    if at_fault.any():
        batch = batch.take(np.flatnonzero(~at_fault))
        refusals.sort(key=lambda refusal: refusal.row)
    return Decoded(batch, refusals)


def _parse(events: list[bytes]) -> tuple[list[_Order], list[Refusal]]:
    """Decode each event, and go on behind each that fails."""
    orders: list[_Order] = []
    refusals: list[Refusal] = []
    decoded = map(_decode_one, events)
    while True:
        try:
            orders.extend(decoded)  # keeps what came before an error
        except UNREADABLE as error:
            row = len(orders) + len(refusals)
            refusals.append(unreadable(row, events[row], error))
        else:
            return orders, refusals


def _columns(
    orders: list[_Order], partition: int, offsets: Int64s
) -> tuple[OrderBatch, list[list[str]]]:
    """Turn orders into a batch; give it with the strings that are still to be checked."""
    n = len(orders)
    event_id = [order.event_id for order in orders]
    order_id = [order.order_id or "" for order in orders]
    order_hash = np.zeros(n, np.uint64)
    if any(order_id):
        order_hash = stable_hashes(order_id)
        order_hash[np.array(order_id, object) == ""] = 0
    market, pairs = _coded([(order.venue, order.symbol) for order in orders])
    markets = [venue + MARKET_SEPARATOR + symbol for venue, symbol in pairs]
    key, keys = _coded([order.api_key for order in orders])
    both, accounts = _coded(
        [*(order.account for order in orders), *(order.counterparty for order in orders)]
    )
    app, apps = _coded([order.app for order in orders])
    network, networks = _coded([order.network for order in orders])
    status = np.array([_STATUSES[order.status] for order in orders], np.int8)
    is_fill = (status == Status.FILLED) | (status == Status.PARTIALLY_FILLED)
    price, qty, notional, arrival = (
        np.array(column, np.float64)  # None, a null in the event, becomes NaN
        for column in (
            [order.price for order in orders],
            [order.qty for order in orders],
            [order.notional for order in orders],
            [order.arrival_price for order in orders],
        )
    )
    events, *tables = Names.of_each(event_id, markets, keys, accounts, apps, networks)
    batch = OrderBatch.of(
        event_id,
        tables,
        event_hash=events.hashes,
        ts=np.array([order.ts for order in orders], np.int64),
        market=market,
        key=key,
        account=both[:n],
        app=app,
        counterparty=both[n:],
        network=network,
        order_hash=order_hash,
        side=np.array([_SIDES[order.side] for order in orders], np.int8),
        status=status,
        is_market=np.array([order.type == "market" for order in orders], np.bool_),
        maker=np.array([order.maker for order in orders], np.bool_),
        price=np.where(is_fill, price, np.nan),
        qty=np.where(is_fill, qty, np.nan),
        notional=np.where(is_fill, np.where(np.isnan(notional), price * qty, notional), np.nan),
        arrival=arrival,
        partition=np.full(n, partition, np.int32),
        offset=offsets,
    )
    named = [part for pair in pairs for part in pair]
    return batch, [event_id, order_id, named, keys, accounts, apps, networks]


def _coded(names: Sequence[T | None]) -> tuple[Int32s, list[T]]:
    """Give the code of each name (NONE: None or empty), and the names in order of appearance."""
    none: dict[Any, int] = {None: NONE, "": NONE}
    numbers = defaultdict(count().__next__, none)
    codes = itemgetter(None, None, *names)(numbers)[2:]  # for one item alone it gives no tuple
    return np.array(codes, np.int32), list(numbers)[len(none) :]


def _faults(batch: OrderBatch, now_ms: int) -> list[tuple[str, str, Bools]]:
    """Find what breaks a rule that spans fields or needs the clock: field, rule and mask (n,)."""
    is_fill = batch.is_fill
    return [
        ("ts", f"at most 5 minutes ahead of now, {now_ms}", batch.ts > now_ms + MAX_AHEAD_MS),
        ("price", "given on a fill", is_fill & np.isnan(batch.price)),
        ("qty", "given on a fill", is_fill & np.isnan(batch.qty)),
        ("notional", "given where price * qty is above 1e+12", batch.notional > MAX_NOTIONAL),
    ]


def _is_clean(columns: list[list[str]]) -> bool:
    """Whether no string holds a control character."""
    letters = np.frombuffer("".join(map("".join, columns)).encode(), np.uint8)
    return not ((letters < 0x20) | (letters == 0x7F)).any()


def _control_characters(orders: list[_Order]) -> list[tuple[str, str, Bools]]:
    """Find the names that hold a control character: field, rule and mask (n,)."""
    faults = []
    for field in _NAMES:
        names = [getattr(order, field) or "" for order in orders]
        if not _is_clean([names]):
            mask = np.array([bool(_CONTROL.search(name)) for name in names])
            faults.append((field, RULES[field], mask))
    return faults
