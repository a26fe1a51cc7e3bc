import json

import pytest

from models.orders.limits import EARLIEST_MS
from streams.lifecycle.store import HOUR_MS
from streams.lifecycle.uses import Unreadable, Uses, decode_uses, hours_of
from tests.streams.lifecycle.worlds import START, order

BROKER_TIME = START + 77


def last_uses(*values: bytes | None, now: int = START * 2) -> dict[str, int]:
    uses = Uses()
    uses.add(decode_uses(values, [BROKER_TIME] * len(values)))
    return {key: ts for key, _, ts in uses.rows(now)}


def test_the_latest_event_of_each_key_counts_in_whatever_order_they_come() -> None:
    events = [order("k1", START + 5), order("k2", START), order("k1", START)]
    assert last_uses(*events) == {"k1": START + 5, "k2": START}


def test_an_order_by_web_or_mobile_is_the_use_of_no_key() -> None:
    assert last_uses(order(None, START), order("", START)) == {}


def test_what_the_detector_would_refuse_is_a_use_all_the_same() -> None:
    assert last_uses(order("k1", START, price=-1, status="rejected")) == {"k1": START}
    assert last_uses(order("k1", str(START))) == {"k1": START}


@pytest.mark.parametrize("ts", ["soon", None, -1, START // 1000, EARLIEST_MS - 1, 1e300])
def test_an_event_without_a_time_counts_when_the_broker_got_it(ts: object) -> None:
    assert last_uses(order("k0", START), order("k1", ts), order("k2", START)) == {
        "k0": START,
        "k1": BROKER_TIME,
        "k2": START,
    }


def test_a_time_ahead_of_now_counts_as_now() -> None:
    assert last_uses(order("k1", START + 10**9), now=START) == {"k1": START}


@pytest.mark.parametrize(
    "value", [None, b"", b"[]", b"not JSON", b'{"apiKey":"k3"}', b"\xff", b"[" * 9999]
)
def test_what_cannot_be_read_stops_nothing_and_is_no_sign_of_orders(value: bytes | None) -> None:
    values = [order("k1", START), value, order("k2", START)]
    found = decode_uses(values, [BROKER_TIME + HOUR_MS] * 3)
    assert [use.api_key for use in found] == ["k1", None, "k2"]
    assert [isinstance(use, Unreadable) for use in found] == [False, True, False]
    assert hours_of(found, START * 2) == {START // HOUR_MS}


@pytest.mark.parametrize(
    ("api_key", "text"),
    [(4711, "4711"), (0, "0"), (2**64, str(2**64)), (-1, "-1"), (4711.0, "4711"), (0.5, "0.5")],
)
def test_a_key_that_is_a_number_is_used_as_its_text(api_key: float, text: str) -> None:
    event = {"api_key": api_key, "ts": START, "account": 17}
    uses = Uses()
    uses.add(decode_uses([json.dumps(event).encode()], [BROKER_TIME]))
    assert uses.rows(START * 2) == [(text, "17", START)]
    assert last_uses(json.dumps(event | {"ts": "soon"}).encode()) == {text: BROKER_TIME}


def test_the_account_is_that_of_the_latest_use() -> None:
    events = [order("k1", START + 1, account="new"), order("k1", START, account="old")]
    uses = Uses()
    uses.add(decode_uses(events, [0, 0]))
    assert uses.rows(START * 2) == [("k1", "new", START + 1)]


def test_hours_with_orders_are_told_and_none_of_the_future() -> None:
    events = [
        json.dumps({"ts": START + n * 3_600_000, "api_key": None}).encode() for n in (0, 1, 9)
    ]
    found = decode_uses(events, [0] * 3)
    hour = START // 3_600_000
    assert hours_of(found, START + 2 * 3_600_000) == {hour, hour + 1, hour + 2}
