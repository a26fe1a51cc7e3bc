import json
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.orders.batch import OrderBatch
from models.orders.decode import Decoded, _decode_with_care, decode
from models.orders.limits import MAX_AHEAD_MS
from models.orders.plain import read_plain
from models.orders.texts import Texts
from tests.factories import NOW_MS, TS, Event, bare_order, encode, order, tapes

GOOD: Final = encode(order())
MANY: Final = [encode(order(event_id=f"e-{n}", account=f"a-{n % 5}")) for n in range(128)]

NUMBERS: Final = [
    "8.25", "40", "0", "-0", "-1", "0.0", "1e5", "1E+2", "5e-3", "00.5", "01", "1.", ".5", "+1",
    "1e", "1e+", "1.e2", "0e0", "1e-12", "9.999999999999999e-13", "1e12", "1000000000000.0001",
    "1e15", "1.0000000000000002e15", "215.89760940000002", "0.1234567890123456789", "1e400",
    "1e-400", "9007199254740993", "9999999999999999999", "10000000000000000000", "1" * 400,
    "18446744073709551616", "0.000000000000000000000000123e20", "1e0005", "1e005", "NaN", "nul",
    "Infinity", "1_0", "0x1", "1,5", " 5", "5 ", "5x",
]  # fmt: skip
NAMES: Final = [
    "a", "", "x" * 255, "x" * 256, "x" * 257, "null", "NULL", "a b", "~!", "{", "}", ",", ":", "é",
    "é" * 256, "\x7f", "\u2028", "😀",
]  # fmt: skip
RAW_NAMES: Final = [
    *("null", "5", "true", "[]", "{}", '"a\\/b"', '"\\u0041"', '"a\nb"', '"\x00"', '"a', "a"),
    *(json.dumps(name) for name in NAMES),
    *(json.dumps(name, ensure_ascii=False) for name in NAMES),
]
TIMES: Final = [
    *(str(TS), f'"{TS}"', f"0{TS}", f"-{TS}", f"{TS}.0", f"{TS}e0", "null", "true", "0", "1e12"),
    *(str(NOW_MS + MAX_AHEAD_MS), str(NOW_MS + MAX_AHEAD_MS + 1), "1230940799999", "1230940800000"),
    *(str(2**63 - 1), str(2**63), str(2**64), str(2**64 + TS), "9" * 30),
]
WORDS: Final = [
    *("buy", "sell", "market", "limit", "new", "partially_filled", "filled", "canceled", "null"),
    *("rejected", "expired", "Buy", "buy ", "", "partially_fillee", "partially_filled_", "true"),
]
LITERALS: Final = ["null", "true", "false", "tru", "truex", "0", "1", "2", "None"]

amounts = (
    st.sampled_from(NUMBERS)
    | st.floats(1e-9, 1e13).map(repr)
    | st.integers(0, 10**20).map(str)
    | st.from_regex(r"-?[0-9]{1,21}(\.[0-9]{1,21})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
)
raw_amounts = amounts | amounts.map('"{}"'.format) | st.sampled_from(["null", '"null"', "true"])
raw_words = st.sampled_from([*map(json.dumps, WORDS), *LITERALS])
raw_names = st.sampled_from(RAW_NAMES)
FIELDS: Final = {
    **dict.fromkeys(("price", "qty", "notional", "arrival_price"), raw_amounts),
    **dict.fromkeys(("side", "type", "status", "maker"), raw_words),
    "ts": st.sampled_from(TIMES),
}
anything = (
    raw_names | raw_amounts | raw_words | st.sampled_from(["[1]", '{"a":[]}', "-1.5e-7", "-"])
)
spaces = st.sampled_from(["", "", "", " ", "\n", "\r\n\t ", "\v", "\x00", "\xa0"])


@st.composite
def members(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Keys and values, as text, of an event that may be odd in some of them."""
    event: Event = draw(st.sampled_from([order(), bare_order(), order(status="new")]))
    found = {name: json.dumps(value) for name, value in event.items()}
    for name in draw(st.lists(st.sampled_from(sorted(order())), max_size=3)):
        found[name] = draw(FIELDS.get(name, raw_names))
    for name in draw(st.lists(st.sampled_from(sorted(order())), max_size=1)):
        found.pop(name, None)
    pairs = [(json.dumps(name), value) for name, value in found.items()]
    more = st.sampled_from(["price", "event_id", "x", "", "pric", "EVENT_ID", "tss", "é", "buy"])
    added = st.tuples(more.map(json.dumps) | more.map('"{}"'.format), anything)
    pairs += draw(st.lists(added, max_size=2))
    return draw(st.permutations(pairs)) if draw(st.booleans()) else pairs


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """An event as a text, perhaps spread by white space, cut, or with other bytes in it."""
    pairs = draw(members())
    between = [draw(spaces) for _ in range(4)]
    before, behind, around, after = between if draw(st.booleans()) else [""] * 4
    inside = ",".join(f"{before}{name}{behind}:{around}{value}" for name, value in pairs)
    text = bytearray(f"{after}{{{inside}{behind}}}{after}".encode())
    for _ in range(draw(st.integers(0, 2)) if draw(st.booleans()) else 0):
        place = draw(st.integers(0, len(text)))
        kept = draw(st.integers(0, 2))
        text[place : place + kept] = draw(
            st.binary(max_size=2) | st.sampled_from([b'"', b"\\", b"}"])
        )
    return bytes(text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 9)) == 0 else text)


def with_care(values: list[bytes]) -> Decoded:
    return _decode_with_care(values, 3, np.arange(len(values)) + 100, NOW_MS)


def decoded(values: list[bytes]) -> Decoded:
    return decode(values, partition=3, offsets=np.arange(len(values)) + 100, now_ms=NOW_MS)


def bits_of(batch: OrderBatch) -> list[Any]:
    names = [(table.strings, table.hashes.tobytes()) for table in batch.tables]
    return [batch.events.tobytes(), batch.event_id, names]


def assert_decoded_alike(values: list[bytes]) -> None:
    ours, reference = decoded(values), with_care(values)
    assert ours.refusals == reference.refusals
    assert bits_of(ours.batch) == bits_of(reference.batch)


def are_plain(*values: bytes) -> list[bool]:
    rows = read_plain(Texts.of(values), NOW_MS + MAX_AHEAD_MS).rows.tolist()
    return [row in rows for row in range(len(values))]


@given(st.lists(texts(), min_size=1, max_size=4))
def test_any_text_is_decoded_as_it_is_with_care(values: list[bytes]) -> None:
    assert_decoded_alike(values)


@given(st.lists(st.tuples(texts(), st.integers(0, len(MANY))), max_size=4))
def test_odd_events_among_many_plain_ones_change_nothing(odd: list[tuple[bytes, int]]) -> None:
    values = list(MANY)
    for value, place in odd:
        values.insert(place, value)
    assert_decoded_alike(values)


@given(tapes(max_size=12))
def test_a_tape_is_decoded_as_it_is_with_care(tape: list[Event]) -> None:
    values = [json.dumps(event, ensure_ascii=False).encode() for event in tape]
    assert_decoded_alike(values)
    assert_decoded_alike([*MANY, *values, *MANY])


@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20)))
def test_names_have_codes_in_order_of_appearance(names: list[str]) -> None:
    values = [
        encode(order(account=name or "x", counterparty=other, app=other, symbol=name or "x"))
        for name, other in zip(names, names[::-1], strict=True)
    ]
    assert_decoded_alike(values)


ODD: Final = [
    GOOD.replace(b"a-1", "é".encode()),
    GOOD.replace(b"a-1", b"a\\/1"),
    GOOD[:-1] + b',"note":"\x7f"}',
    GOOD.replace(b'"app"', b'"\\u0061pp"'),
    GOOD.replace(b"false", b'"false"'),
    GOOD.replace(b"false", b"0"),
    GOOD.replace(b"40.0", b"40.0000000000000000000"),
    GOOD.replace(b"40.0", b"4e0001"),
    GOOD[:-1] + b',"app":"signalbot"}',
    GOOD[:-1] + b',"fee":{"paid":1}}',
    GOOD[:-1] + b',"fee":[]}',
]


@pytest.mark.parametrize("value", ODD)
def test_what_is_not_plain_is_declined_and_let_in_all_the_same(value: bytes) -> None:
    assert are_plain(value, GOOD) == [False, True]
    assert_decoded_alike([value])
    assert len(decoded([value]).batch) == 1


PLAIN: Final = [
    GOOD,
    encode(bare_order()),
    encode(order(api_key=None, app=None, order_id=None, counterparty=None, network=None)),
    encode(order(app="", order_id="", counterparty="", network="")),
    encode(order(type=None, status=None, maker=None, notional=None, arrival_price=None)),
    encode(order(status="partially_filled", type="limit", maker=True, side="sell")),
    encode(order(status="canceled", price=None, qty=None)),
    encode(order(price="8.25", qty="4e1", notional="0.1", arrival_price="8", ts=str(TS))),
    encode(order(price=215.89760940000002, qty=0.1 + 0.2, notional=1e-7 / 3)),
    encode(order(fee=-1.5e-7, asset="BNB", taker=True, maker_id=None, paid=False, empty="")),
    encode(order(event_id="x" * 256)),
    json.dumps(order(), indent=2).encode() + b"\r\n",
    json.dumps(dict(reversed(order().items()))).encode(),
]


@pytest.mark.parametrize("value", PLAIN)
def test_what_venues_send_is_plain(value: bytes) -> None:
    assert are_plain(GOOD, value, GOOD) == [True, True, True]
    assert_decoded_alike([GOOD, value, GOOD])


@pytest.mark.parametrize("cut", range(1, len(GOOD), 3))
def test_what_is_cut_is_never_completed_by_its_neighbour(cut: int) -> None:
    assert are_plain(GOOD[:cut], GOOD[cut:], b"", GOOD) == [False, False, False, True]


def test_no_event_ends_behind_its_end() -> None:
    for end in (b"", b"}", b" ", b'"', b',"x":1}', b"\n"):
        assert are_plain(GOOD[:-1], end + GOOD)[0] is False


def test_nothing_is_plain_where_there_is_nothing() -> None:
    assert are_plain() == []
    assert are_plain(b"", b" ", b"{", b"{}") == [False] * 4
    assert_decoded_alike([])
