import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.orders.batch import (
    BUY,
    NONE,
    SELL,
    OrderBatch,
    Status,
    venue_and_symbol,
)
from models.orders.decode import Decoded, decode
from models.orders.hashing import stable_hashes
from models.orders.limits import EARLIEST_MS, MAX_AHEAD_MS
from tests.factories import NOW_MS, TS, Event, bare_order, batch_of, encode, order, tapes


def decoded(*events: Event) -> Decoded:
    values = [encode(event) for event in events]
    return decode(values, partition=3, offsets=np.arange(len(values)) + 100, now_ms=NOW_MS)


def reason(event: Event) -> str:
    (refusal,) = decoded(event).refusals
    assert refusal.row == 0
    assert refusal.reason.startswith(refusal.field)
    return refusal.reason


def only(event: Event) -> OrderBatch:
    result = decoded(event)
    assert not result.refusals
    assert len(result.batch) == 1
    return result.batch


def without(field: str) -> Event:
    return {name: value for name, value in order().items() if name != field}


def test_every_field_of_a_fill_arrives_in_its_column() -> None:
    batch = only(order(side="sell", maker=True))
    assert batch.event_id == ["e-1"]
    assert batch.event_hash.tolist() == stable_hashes(["e-1"]).tolist()
    assert batch.order_hash.tolist() == stable_hashes(["o-1"]).tolist()
    assert batch.ts.tolist() == [TS]
    assert venue_and_symbol(batch.markets.strings[batch.market[0]]) == ("binance", "AXSUSDT")
    assert batch.keys.strings[batch.key[0]] == "k43545"
    assert batch.accounts.strings[batch.account[0]] == "a-1"
    assert batch.accounts.strings[batch.counterparty[0]] == "a-2"
    assert batch.apps.strings[batch.app[0]] == "signalbot"
    assert batch.networks.strings[batch.network[0]] == "AS13335"
    assert (batch.side[0], batch.status[0]) == (SELL, Status.FILLED)
    assert batch.is_market[0]
    assert batch.maker[0]
    assert (batch.price[0], batch.qty[0], batch.notional[0]) == (8.25, 40.0, 330.0)
    assert batch.arrival[0] == 8.2
    assert (batch.partition[0], batch.offset[0]) == (3, 100)


def test_what_a_bare_fill_leaves_out_gets_the_defaults_of_the_contract() -> None:
    batch = only(bare_order(price=2.0, qty=3.0))
    assert batch.notional[0] == 6.0
    assert batch.status[0] == Status.FILLED
    assert batch.side[0] == BUY
    assert not batch.is_market[0]
    assert not batch.maker[0]
    assert math.isnan(batch.arrival[0])
    assert (batch.app[0], batch.counterparty[0], batch.network[0]) == (NONE, NONE, NONE)
    assert batch.order_hash[0] == 0


def test_columns_have_the_types_that_the_batch_states() -> None:
    for events in ([], [bare_order()]):
        batch = batch_of(events)
        assert batch.ts.dtype == batch.offset.dtype == np.int64
        assert batch.event_hash.dtype == batch.order_hash.dtype == np.uint64
        assert batch.market.dtype == batch.key.dtype == batch.account.dtype == np.int32
        assert batch.app.dtype == batch.counterparty.dtype == batch.network.dtype == np.int32
        assert batch.side.dtype == batch.status.dtype == np.int8
        assert batch.maker.dtype == batch.is_market.dtype == np.bool_
        assert batch.price.dtype == batch.notional.dtype == batch.arrival.dtype == np.float64


@pytest.mark.parametrize("field", ["app", "order_id", "counterparty", "network"])
@pytest.mark.parametrize("nothing", ["", None])
def test_an_optional_name_may_be_empty_or_null(field: str, nothing: str | None) -> None:
    given, left_out = only(order(**{field: nothing})), only(without(field))
    column = {"order_id": "order_hash"}.get(field, field)
    assert getattr(given, column).tolist() == getattr(left_out, column).tolist()
    assert "" not in given.apps.strings + given.accounts.strings + given.networks.strings


@pytest.mark.parametrize("field", ["type", "status", "maker", "notional", "arrival_price"])
def test_an_optional_value_may_be_null(field: str) -> None:
    null, left_out = only(order(**{field: None})), only(without(field))
    for column in ("is_market", "status", "maker", "notional", "arrival"):
        np.testing.assert_array_equal(getattr(null, column), getattr(left_out, column))


@pytest.mark.parametrize(
    "field", ["event_id", "ts", "venue", "symbol", "api_key", "account", "side"]
)
def test_a_required_field_may_not_be_missing(field: str) -> None:
    assert reason(without(field)).startswith(f"{field} is missing; must be ")


@pytest.mark.parametrize("field", ["event_id", "ts", "venue", "symbol", "account", "side"])
def test_a_required_field_may_not_be_null(field: str) -> None:
    assert reason(order(**{field: None})).startswith(f"{field} is null; must be ")


def test_an_order_by_web_has_no_key() -> None:
    assert only(order(api_key=None)).key[0] == NONE


@pytest.mark.parametrize("field", ["event_id", "venue", "symbol", "api_key", "account"])
def test_a_required_name_may_not_be_empty(field: str) -> None:
    assert "1 to 256 characters" in reason(order(**{field: ""}))


NAMES = [
    "event_id", "venue", "symbol", "api_key", "account", "app", "order_id", "counterparty",
    "network",
]  # fmt: skip


@pytest.mark.parametrize("field", NAMES)
def test_a_name_has_at_most_256_characters(field: str) -> None:
    assert only(order(**{field: "é" * 256}))
    assert "256 characters" in reason(order(**{field: "é" * 257}))


@pytest.mark.parametrize("field", NAMES)
@pytest.mark.parametrize("character", ["\x00", "\n", "\x1f", "\x7f"])
def test_a_name_holds_no_control_character(field: str, character: str) -> None:
    assert "control character" in reason(order(**{field: f"a{character}b"}))


@pytest.mark.parametrize("character", [" ", "\x80", "\u2028", "\ufeff", "😀"])
def test_other_characters_are_let_in(character: str) -> None:
    assert only(order(symbol=character)).markets.strings == [f"binance\x1f{character}"]


@pytest.mark.parametrize("status", list(Status))
def test_each_status_has_its_number(status: Status) -> None:
    assert only(order(status=status.name.lower())).status[0] == status


@pytest.mark.parametrize(
    ("field", "value"),
    [("side", "BUY"), ("side", ""), ("type", "stop"), ("status", "done"), ("status", "")],
)
def test_an_unknown_word_is_refused(field: str, value: str) -> None:
    assert reason(order(**{field: value})).startswith(f'{field} is "{value}"; must be ')


@pytest.mark.parametrize("field", ["price", "qty"])
@pytest.mark.parametrize("status", ["filled", "partially_filled"])
def test_a_fill_has_a_price_and_a_quantity(field: str, status: str) -> None:
    event = without(field) | {"status": status}
    assert reason(event) == f"{field} is missing; must be given on a fill"
    assert reason(event | {field: None}) == f"{field} is null; must be given on a fill"


@pytest.mark.parametrize("status", ["new", "canceled", "rejected", "expired"])
def test_what_is_no_fill_carries_no_price_quantity_or_notional(status: str) -> None:
    for event in (order(status=status), bare_order(status=status)):
        batch = only(event)
        assert np.isnan([batch.price[0], batch.qty[0], batch.notional[0]]).all()
    event = {name: value for name, value in bare_order().items() if name not in ("price", "qty")}
    assert only(event | {"status": status})


LIMITS = [("price", 1e-12, 1e12), ("arrival_price", 1e-12, 1e12), ("qty", 1e-12, 1e15)]


@pytest.mark.parametrize("status", ["filled", "new"])
@pytest.mark.parametrize(("field", "low", "high"), LIMITS)
def test_amounts_have_limits(field: str, low: float, high: float, status: str) -> None:
    for inside in (low, high):
        assert only(order(status=status, **{field: inside}))
    for outside in (low / 2, high * 2, 0, -1, -0.0):
        text = reason(order(status=status, **{field: outside}))
        assert text == f"{field} is {json.dumps(outside)}; must be between {low:g} and {high:g}"


def test_notional_is_above_nothing_and_has_an_upper_limit() -> None:
    assert only(order(notional=1e12))
    assert only(order(notional=5e-324))
    for outside in (0, -1, 1.1e12):
        assert "must be above 0 and at most 1e+12" in reason(order(notional=outside))


def test_a_notional_that_is_left_out_has_the_same_limit() -> None:
    assert only(bare_order(price=1e6, qty=1e6)).notional[0] == 1e12
    assert "price * qty is above 1e+12" in reason(bare_order(price=1e6, qty=2e6))
    assert only(bare_order(price=1e6, qty=2e6, notional=5))
    assert only(bare_order(price=1e6, qty=2e6, status="new"))


def test_an_event_is_not_older_than_bitcoin() -> None:
    assert only(order(ts=EARLIEST_MS))
    assert "2009-01-03" in reason(order(ts=EARLIEST_MS - 1))
    assert "2009-01-03" in reason(order(ts=TS // 1000))


def test_an_event_is_not_from_the_future() -> None:
    assert only(order(ts=NOW_MS + MAX_AHEAD_MS))
    text = reason(order(ts=NOW_MS + MAX_AHEAD_MS + 1))
    assert "at most 5 minutes ahead" in text
    assert "at most 5 minutes ahead" in reason(order(ts=2**63 - 1))


@pytest.mark.parametrize("number", ["0.0125", "1e-2", "5"])
def test_a_number_may_come_as_a_string(number: str) -> None:
    event = order(price=number, qty=number, notional=number, arrival_price=number, ts=str(TS))
    batch = only(event)
    assert batch.ts[0] == TS
    for column in (batch.price, batch.qty, batch.notional, batch.arrival):
        assert column[0] == float(number)


def test_unknown_fields_are_ignored() -> None:
    assert only(order(fee={"asset": "BNB", "paid": [1, 2]}, x=None)).event_id == ["e-1"]


def test_a_value_in_a_reason_is_cut() -> None:
    text = reason(order(side="x" * 100_000))
    assert text == 'side is "' + "x" * 59 + "…; must be buy or sell"


def test_a_reason_never_shows_what_may_be_a_secret() -> None:
    assert "hunter2" not in reason(order(api_key="hunter2" * 100))


def test_one_refusal_names_the_first_field_at_fault() -> None:
    result = decoded(order(ts=2**62, symbol="\x00"))
    assert [refusal.field for refusal in result.refusals] == ["ts"]


@given(tapes(max_size=12), st.data())
def test_bad_events_are_refused_alone(tape: list[Event], data: st.DataObject) -> None:
    bad: list[Any] = [b"{", b"", b"[]", encode(order(price=0)), encode(order(ts=2**62))]
    bad += [encode(order(venue="\n")), b'"', b"}", b"{}", b"\xff", None]
    mixed: list[tuple[bytes | None, bool]] = [(encode(event), True) for event in tape]
    for value in data.draw(st.lists(st.sampled_from(bad), max_size=5)):
        mixed.insert(data.draw(st.integers(0, len(mixed))), (value, False))
    values = [value for value, _ in mixed]
    result = decode(values, partition=0, offsets=np.arange(len(values)), now_ms=NOW_MS)
    expected = [row for row, (_, good) in enumerate(mixed) if not good]
    assert [refusal.row for refusal in result.refusals] == expected
    assert result.batch.event_id == [event["event_id"] for event in tape]
    assert result.batch.offset.tolist() == [row for row, (_, good) in enumerate(mixed) if good]
    alone = batch_of(tape)
    np.testing.assert_array_equal(result.batch.price, alone.price)
    for column, table in (("market", "markets"), ("key", "keys"), ("counterparty", "accounts")):
        np.testing.assert_array_equal(getattr(result.batch, column), getattr(alone, column))
        assert getattr(result.batch, table).strings == getattr(alone, table).strings


@given(tapes(min_size=1))
def test_each_event_means_in_a_batch_what_it_means_alone(tape: list[Event]) -> None:
    together = batch_of(tape)
    for row, event in enumerate(tape):
        mine = together.take(np.array([row]))
        alone = batch_of([event])
        assert mine.markets.strings == alone.markets.strings
        assert mine.accounts.strings[mine.account[0]] == event["account"]
        assert (mine.key[0] == NONE) == (event["api_key"] is None)
        for column in ("event_hash", "order_hash", "side", "status", "price", "notional"):
            np.testing.assert_array_equal(getattr(mine, column), getattr(alone, column))


@given(tapes())
def test_the_tables_hold_each_name_once_and_none_that_is_not_used(tape: list[Event]) -> None:
    batch = batch_of(tape)
    assert sorted(batch.markets.strings) == sorted(
        {f"{event['venue']}\x1f{event['symbol']}" for event in tape}
    )
    assert sorted(batch.keys.strings) == sorted({e["api_key"] for e in tape} - {None})
    both = {e["account"] for e in tape} | {e.get("counterparty") for e in tape}
    assert sorted(batch.accounts.strings) == sorted(name for name in both if name is not None)
