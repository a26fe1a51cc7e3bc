"""What an attacker or a broken producer may send: each is refused alone, or read for what it is."""

import json

import numpy as np
import pytest

from models.orders.decode import Decoded, decode
from tests.factories import NOW_MS, bare_order, encode, order

GOOD = encode(order())
OPEN = encode(bare_order())[:-1]  # an event that lacks its closing brace


def decoded(*values: bytes | None) -> Decoded:
    return decode(values, partition=0, offsets=np.arange(len(values)), now_ms=NOW_MS)


def with_raw(field: str, raw: str) -> bytes:
    """An event whose `field` is the JSON text `raw`."""
    event = order()
    event.pop(field)
    return encode(event)[:-1] + f',"{field}":{raw}}}'.encode()


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b" \n",
        b"{}",
        b"null",
        b"[]",
        b"[" + GOOD + b"]",
        b'"' + GOOD.replace(b'"', b'\\"') + b'"',
        b"\xef\xbb\xbf" + GOOD,
        b"\x00",
        GOOD + b"\x00",
        GOOD[:-1] + b"\x00}",
        GOOD + b"x",
        GOOD + b"}",
        GOOD + GOOD,
        GOOD + b"\n" + GOOD,
        GOOD + b"," + GOOD,
        GOOD[:-1],
        GOOD[1:],
        GOOD[:-1] + b",}",
        GOOD.replace(b'"', b"'"),
        GOOD.decode().encode("utf-16"),
        GOOD.replace(b"a-1", b"\xff\xfe"),
        GOOD.replace(b"a-1", b"\xed\xa0\x80"),
        GOOD.replace(b"a-1", b"\xc0\x80"),
        GOOD.replace(b"a-1", b"\\ud800"),
        GOOD.replace(b"a-1", b"\\udc00x"),
        GOOD.replace(b"a-1", b"a\nb"),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"x":' * 100_000,
        OPEN + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        OPEN + b',"x":' + b'{"x":' * 100_000 + b"1" + b"}" * 100_001,
        OPEN + b',"x":NaN}',
        b"\x80\x04\x95",
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_event_costs_nobody_else(value: bytes | None) -> None:
    result = decoded(GOOD, value, GOOD)
    assert [refusal.row for refusal in result.refusals] == [1]
    assert len(result.batch) == 2
    (refusal,) = result.refusals
    assert refusal.reason.isprintable()
    assert len(refusal.reason) < 300


@pytest.mark.parametrize("cut", range(1, len(GOOD), 7))
def test_two_halves_of_an_event_never_make_one(cut: int) -> None:
    assert len(decoded(GOOD[:cut], GOOD[cut:]).refusals) == 2


def test_fragments_that_would_only_parse_when_joined_are_refused() -> None:
    for seam in (b"", b"\n", b",", b",\n"):
        first, second = OPEN + b',"x":[{}' + seam, b"{}" + seam + b"]}"
        assert len(decoded(first, second).refusals) == 2
    assert len(decoded(b"", GOOD + b"\n" + GOOD).refusals) == 2


@pytest.mark.parametrize(
    "value",
    [
        json.dumps(order(), indent=2).encode(),
        b" \t\r\n" + GOOD + b"\r\n \t",
        GOOD.replace(b",", b"\n,\n"),
        GOOD.replace(b"a-1", b"\\ud83d\\ude00"),
        GOOD.replace(b'"event_id"', b'"\\u0065vent_id"'),
    ],
)
def test_the_same_event_in_other_clothes_is_let_in(value: bytes) -> None:
    result = decoded(value)
    assert not result.refusals
    assert result.batch.event_id == ["e-1"]


def test_a_field_that_comes_twice_counts_as_it_came_last() -> None:
    result = decoded(GOOD[:-1] + b',"event_id":"last"}')
    assert result.batch.event_id == ["last"]
    (refusal,) = decoded(OPEN + b',"side":"up"}').refusals
    assert refusal.reason == 'side is "up"; must be buy or sell'


def test_an_event_of_a_mebibyte_is_read_like_any_other() -> None:
    result = decoded(GOOD, OPEN + b',"note":"' + b"x" * 2**20 + b'"}', GOOD)
    assert not result.refusals
    (refusal,) = decoded(OPEN + b',"app":"' + b"x" * 2**20 + b'"}').refusals
    assert refusal.field == "app"
    assert len(refusal.reason) < 200


NO_AMOUNTS = [
    "NaN", "Infinity", "-Infinity", '"NaN"', '"nan"', '"-nan"', '"inf"', '"Infinity"', '"-inf"',
    "1e400", '"1e400"', "-1e400", "1" * 400, "1" * 100_000, f'"{"1" * 100_000}"', "true", "false",
    '"true"', '""', '" 1"', '"1 "', '"1,5"', '"1_000"', '"0x10"', '"١"', '"one"', "[1]", "[]",
    '{"value":1}', "01", "+1", ".5", "1.", "1e", "--1", "-1", "0", "0.0", "-0.0", "1e-400",
]  # fmt: skip


@pytest.mark.parametrize("raw", NO_AMOUNTS, ids=lambda raw: raw[:20])
@pytest.mark.parametrize("field", ["price", "qty", "notional", "arrival_price"])
def test_what_is_no_amount_is_refused(field: str, raw: str) -> None:
    (refusal,) = decoded(with_raw(field, raw)).refusals
    assert refusal.field in (field, "")
    assert refusal.reason.isprintable()
    assert len(refusal.reason) < 200


NO_TIMES = [
    "null", "true", '""', '"now"', "1670562611123.5", '"1670562611123.5"', "-1670562611123",
    "1670562611", "1670562611123000", "1670562611123000000", "9" * 20, "9" * 400, "1e400", "[]",
    '"2022-12-09T05:10:11Z"', "9223372036854775807", "9223372036854775808",
    "18446744073709551616", '" 1670562611123"',
]  # fmt: skip


@pytest.mark.parametrize("raw", NO_TIMES, ids=lambda raw: raw[:20])
def test_what_is_no_time_in_milliseconds_is_refused(raw: str) -> None:
    (refusal,) = decoded(with_raw("ts", raw)).refusals
    assert refusal.field == "ts"


@pytest.mark.parametrize("raw", ["5", "true", "[]", "{}", '["a"]', "1e400", "NaN"])
@pytest.mark.parametrize(
    "field", ["event_id", "venue", "symbol", "api_key", "account", "app", "order_id", "network"]
)
def test_what_is_no_string_is_no_name(field: str, raw: str) -> None:
    assert len(decoded(with_raw(field, raw)).refusals) == 1


@pytest.mark.parametrize("raw", ["2", '"yes"', "[]", '""', "-1", "0.5"])
def test_what_is_no_boolean_is_refused(raw: str) -> None:
    (refusal,) = decoded(with_raw("maker", raw)).refusals
    assert refusal.reason == f"maker is {raw}; must be true or false"


@pytest.mark.parametrize(
    "word",
    [
        "Object missing required field `x`",
        "x - at `$.price`",
        "x` - at `$.nothing`",
        "\n - at `$.price`",
        "$.price",
        "%s {} {0} \x1b[31m",
    ],
)
def test_a_value_cannot_forge_the_reason(word: str) -> None:
    (refusal,) = decoded(encode(order(side=word))).refusals
    assert refusal.field == "side"
    assert refusal.reason.isprintable()


def test_a_whole_batch_of_bad_events_is_refused_one_by_one() -> None:
    result = decoded(*[b"{"] * 4096)
    assert len(result.batch) == 0
    assert [refusal.row for refusal in result.refusals] == list(range(4096))


def test_an_empty_batch_is_a_batch() -> None:
    result = decoded()
    assert len(result.batch) == 0
    assert not result.refusals
