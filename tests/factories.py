"""Order events for tests: one with sane defaults, and Hypothesis strategies for any number."""

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from models.market.state import TOLD
from models.orders.batch import Int64s, Names, OrderBatch
from models.orders.decode import decode
from models.rows import Rows

TS: Final = 1_670_562_611_123  # 2022-12-09, the day of the 3Commas leak
NOW_MS: Final = TS + 86_400_000

Event = dict[str, Any]


# JSON too deep for any decoder here, in a field that nobody knows.
NESTED: Final = b'{"nested":' + b"[" * 2000 + b"]" * 2000 + b"}"


def order(**changes: Any) -> Event:
    """Give a fill as the contract has it, with every field, changed by `changes`."""
    return {
        "event_id": "e-1",
        "ts": TS,
        "venue": "binance",
        "symbol": "AXSUSDT",
        "api_key": "k43545",
        "account": "a-1",
        "app": "signalbot",
        "order_id": "o-1",
        "side": "buy",
        "type": "market",
        "status": "filled",
        "price": 8.25,
        "qty": 40.0,
        "notional": 330.0,
        "maker": False,
        "arrival_price": 8.2,
        "counterparty": "a-2",
        "network": "AS13335",
    } | changes


def bare_order(**changes: Any) -> Event:
    """Give a fill with no more than the contract requires, changed by `changes`."""
    required = "event_id", "ts", "venue", "symbol", "api_key", "account", "side", "price", "qty"
    return {field: value for field, value in order().items() if field in required} | changes


def encode(event: Event) -> bytes:
    """Write an event as it travels."""
    return json.dumps(event, separators=(",", ":")).encode()


def batch_of(events: Sequence[Event], now_ms: int = NOW_MS) -> OrderBatch:
    """Decode events that must all be accepted."""
    values = [encode(event) for event in events]
    decoded = decode(values, partition=0, offsets=np.arange(len(values)), now_ms=now_ms)
    assert not decoded.refusals, decoded.refusals
    return decoded.batch


_letters = st.characters(exclude_categories=["Cc", "Cs"])
names = st.text(_letters, min_size=1, max_size=8)
few_names = st.sampled_from(["a", "b", "c", "é", "北"])
prices = st.floats(1e-6, 1e5)
quantities = st.floats(1e-6, 1e5)


@st.composite
def orders(draw: st.DrawFn, event_id: str | None = None, ts: int | None = None) -> Event:
    """Any event that the contract accepts; names come from a few, so that they repeat."""
    event = bare_order(
        event_id=draw(names) if event_id is None else event_id,
        ts=draw(st.integers(TS, NOW_MS)) if ts is None else ts,
        venue=draw(st.sampled_from(["binance", "kucoin"])),
        symbol=draw(few_names),
        api_key=draw(st.none() | few_names),
        account=draw(few_names),
        side=draw(st.sampled_from(["buy", "sell"])),
        price=draw(prices),
        qty=draw(quantities),
    )
    optional = st.fixed_dictionaries(
        {},
        optional={
            "app": st.none() | few_names,
            "order_id": names,
            "type": st.sampled_from(["market", "limit"]),
            "status": st.sampled_from(["new", "partially_filled", "filled", "canceled"]),
            "notional": st.floats(1e-3, 1e6),
            "maker": st.booleans(),
            "arrival_price": prices,
            "counterparty": few_names,
            "network": few_names,
        },
    )
    return event | draw(optional)


@st.composite
def tapes(draw: st.DrawFn, min_size: int = 0, max_size: int = 30) -> list[Event]:
    """Accepted events with distinct ids, in the order of their times."""
    times = sorted(draw(st.lists(st.integers(TS, NOW_MS), min_size=min_size, max_size=max_size)))
    return [draw(orders(event_id=f"e-{n}", ts=ts)) for n, ts in enumerate(times)]


APPS: Final = {"a": "x", "b": "x", "c": "y", "é": "y"}  # of each key; the others use none


@st.composite
def market_tapes(draw: st.DrawFn, max_size: int = 40) -> list[Event]:
    """Fills and other events of few markets, in bursts and after gaps, some of them late."""
    steps = st.sampled_from([0, 1, 700, 30_000, 300_000, 3_000_000, 20_000_000])
    delays = st.sampled_from([0, 0, 0, 0, 5_000, 59_999, 60_000, 60_001, 600_000])
    ts, tape = TS, []
    for n in range(draw(st.integers(1, max_size))):
        ts += draw(steps)
        event = draw(orders(event_id=f"e-{n}", ts=ts - draw(delays)))
        event["symbol"] = draw(st.sampled_from(["thin", "deep"]))
        event["venue"] = "binance"
        event["app"] = APPS.get(event["api_key"])
        event["price"] = 8.0 * 1.01 ** draw(st.integers(-20, 20))
        if "order_id" in event:
            event["order_id"] = draw(st.sampled_from(["o-1", "o-2"]))
        if "arrival_price" in event:
            event["arrival_price"] = event["price"] * draw(st.sampled_from([0.9, 1.0, 1.02]))
        tape.append(event)
    return tape


def rows_of(events: list[Event]) -> Rows:
    """Give events as rows in order of time, each with its number as its company and context."""
    batch = batch_of(events)
    rows = rows_at(batch, batch.ts, TOLD)
    rows.told["company"] = [int(event["event_id"][2:]) for event in events]
    rows.told["context"][:, :2] = rows.told["company"][:, np.newaxis]
    return rows


def rows_at(batch: OrderBatch, times: Int64s, kind: "np.dtype[Any]", **told: Any) -> Rows:
    """Give a batch as rows of those times; whatever is not told of them is zero."""
    records = np.zeros(len(batch), kind)
    for name, column in ({"time": times, "merge_time": times} | told).items():
        records[name] = column
    return Rows(batch, records)


def at_home(batch: OrderBatch, homes: Sequence[str | None]) -> OrderBatch:
    """Say of each event which app its key usually uses."""
    named = [row for row, home in enumerate(homes) if home]
    names = Names.of([home for home in homes if home])
    return batch.with_homes(np.array(named, np.int64), names, np.arange(len(named), dtype=np.int32))


def numbered(number: int, ts: int, symbol: str = "S0") -> Event:
    """Give an event with a number, some ms after TS."""
    return bare_order(event_id=f"e-{number}", ts=TS + ts, symbol=symbol)
