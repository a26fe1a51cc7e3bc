"""One plain event: a JSON object read into a row of numbers.

An event is plain when it is one object of printable ASCII without escapes, where each known field
comes at most once and has a value of the usual kind within its limits (a number may be quoted), and
each unknown field a value that is not nested.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numba import njit

from models.orders.batch import BUY, SELL, Float64s, Int64s, Status, UInt64s
from models.orders.codes import NO_NAME, span_of
from models.orders.floats import nearest_double
from models.orders.limits import (
    EARLIEST_MS,
    MAX_NAME,
    MAX_NOTIONAL,
    MAX_PRICE,
    MAX_QTY,
    MIN_AMOUNT,
)
from models.orders.tokens import (
    NOT_PLAIN,
    QUOTE,
    behind_number,
    behind_space,
    behind_string,
    digits,
    letter_at,
    number,
    word_at,
)

NAMES: Final = (
    *("event_id", "order_id", "venue", "symbol", "api_key"),
    *("account", "counterparty", "app", "network"),
)
CODES: Final = ("ts", "side", "type", "status", "maker")
AMOUNTS: Final = ("price", "qty", "notional", "arrival_price")
EVENT_ID, ORDER_ID, VENUE, SYMBOL, API_KEY, ACCOUNT, COUNTERPARTY, APP, NETWORK = range(9)
TS, SIDE, TYPE, STATUS, MAKER = range(9, 14)
PRICE, QTY, NOTIONAL, ARRIVAL, _UNKNOWN = range(14, 19)

_KEYS: Final = [f'"{name}"' for name in NAMES + CODES + AMOUNTS]
_STATUSES: Final = {f'"{status.name.lower()}"': status.value for status in Status}
_MEANINGS: Final[dict[int, dict[str, int]]] = {  # of what a field may say, the usual first
    SIDE: {'"buy"': BUY, '"sell"': SELL},
    TYPE: {'"limit"': False, '"market"': True, "null": False},
    STATUS: {'"filled"': Status.FILLED.value} | _STATUSES | {"null": Status.FILLED.value},
    MAKER: {"false": False, "true": True, "null": False},
}
_DEFAULTS: Final = np.array([NO_NAME] * len(NAMES) + [0, 0, False, Status.FILLED.value, False])

_WORDS: Final = [*_KEYS, *(word for meanings in _MEANINGS.values() for word in meanings)]
_NULL: Final = len(_WORDS) - 1
_CODE: Final = np.array(
    [0] * len(_KEYS) + [code for meanings in _MEANINGS.values() for code in meanings.values()]
)
_STARTS: Final = np.zeros(_UNKNOWN, np.int64)  # of the words of each field
_ENDS: Final = np.zeros(_UNKNOWN, np.int64)
_ENDS[SIDE:PRICE] = np.cumsum([len(meanings) for meanings in _MEANINGS.values()]) + len(_KEYS)
_STARTS[SIDE:PRICE] = [len(_KEYS), *_ENDS[SIDE:MAKER]]
_LONGEST: Final = 24


def _spelled(texts: Sequence[bytes]) -> UInt64s:
    """Texts of up to 24 bytes in three words of eight each, shape (n, 3)."""
    letters = b"".join(text.ljust(_LONGEST, b"\0") for text in texts)
    return np.frombuffer(letters, "<u8").reshape(len(texts), -1)


_SPELLING: Final = _spelled([word.encode() for word in _WORDS])
_MASK: Final = _spelled([b"\xff" * len(word) for word in _WORDS])
_LENGTH: Final = np.array([len(word) for word in _WORDS])


def _set_of(*fields: int) -> int:
    """Give a set of fields, a bit for each."""
    return sum(1 << field for field in fields)


_KNOWN: Final = (1 << _UNKNOWN) - 1
_REQUIRED: Final = _set_of(EVENT_ID, VENUE, SYMBOL, API_KEY, ACCOUNT, TS, SIDE)
_NEVER_NULL: Final = _set_of(EVENT_ID, VENUE, SYMBOL, ACCOUNT)
_NEVER_EMPTY: Final = _set_of(EVENT_ID, VENUE, SYMBOL, ACCOUNT, API_KEY)
_LEAST: Final = np.array([MIN_AMOUNT, MIN_AMOUNT, np.nextafter(0.0, 1.0), MIN_AMOUNT])
_MOST: Final = np.array([MAX_PRICE, MAX_QTY, MAX_NOTIONAL, MAX_PRICE])

_OPEN: Final = ord("{")
_CLOSE: Final = ord("}")
_COLON: Final = ord(":")
_COMMA: Final = ord(",")
_ZERO: Final = ord("0")


@njit(cache=True)
def no_followers() -> Int64s:
    """Say nothing yet of which field follows which."""
    return np.zeros(_UNKNOWN + 1, np.int64)


@njit(cache=True)
def read_event(
    text: int,
    start: int,
    end: int,
    latest_ms: int,
    followers: Int64s,
    fields: Int64s,
    amounts: Float64s,
    row: int,
) -> bool:
    """Read the event between two places into a row; tells whether it is plain.

    It is where its tokens, one behind the other, are all plain and the last ends where it ends.
    `fields`, shape (n, 14), gets the spans of the names, the time, and the codes of side, type,
    status and maker; `amounts`, shape (n, 4), NaN where one is not given. `followers` remembers
    which field came behind which, since that seldom changes.
    """
    for field in range(len(_DEFAULTS)):
        fields[row, field] = _DEFAULTS[field]
    amounts[row] = np.nan
    place = behind_space(text, start, end)
    field, seen, mark = _UNKNOWN, 0, letter_at(text, place)
    if mark != _OPEN:
        return False
    while mark != _CLOSE:
        before = field
        field, place = _key(text, behind_space(text, place + 1, end), end, followers[before])
        if not start < place < end or (seen >> field) & 1:
            return False
        followers[before] = field
        seen |= (1 << field) & _KNOWN
        if field < PRICE:
            fields[row, field], place = _field(text, place, end, field, latest_ms)
        elif field < _UNKNOWN:
            amounts[row, field - PRICE], place = _amount(text, place, field - PRICE)
        else:
            place = _behind_unknown(text, place, end)
        if place == NOT_PLAIN:
            return False
        place = behind_space(text, place, end)
        mark = letter_at(text, place)
        if mark not in (_COMMA, _CLOSE):
            return False
    place = behind_space(text, place + 1, end)
    if place != end or seen & _REQUIRED != _REQUIRED:
        return False
    price, qty, notional = amounts[row, 0], amounts[row, 1], amounts[row, 2]
    return _is_whole(int(fields[row, STATUS]), float(price), float(qty), float(notional))


@njit(cache=True)
def _is_whole(status: int, price: float, qty: float, notional: float) -> bool:
    """Whether an event, if it is a fill, has what it must, and no notional above the limit."""
    if status not in (Status.FILLED, Status.PARTIALLY_FILLED):
        return True
    return (
        price > 0
        and qty > 0
        and not (price * qty if np.isnan(notional) else notional) > MAX_NOTIONAL
    )


@njit(cache=True)
def _key(text: int, place: int, end: int, expected: int) -> tuple[int, int]:
    """Read a key and its colon: its field, and the place of the value."""
    field = expected if _reads(text, place, expected) else _which(text, place, 0, _UNKNOWN)
    behind = place + _LENGTH[field] if field < _UNKNOWN else behind_string(text, place, end)
    if behind == NOT_PLAIN:
        return field, NOT_PLAIN
    place = behind_space(text, behind, end)
    if letter_at(text, place) != _COLON:
        return field, NOT_PLAIN
    return field, behind_space(text, place + 1, end)


@njit(cache=True)
def _reads(text: int, place: int, word: int) -> bool:
    """Whether a known word stands at a place."""
    at = 0
    while at < _LENGTH[word]:
        part = at >> 3
        if (word_at(text, place + at) ^ _SPELLING[word, part]) & _MASK[word, part]:
            return False
        at += 8
    return True


@njit(cache=True)
def _which(text: int, place: int, first: int, end: int) -> int:
    """Find which of some known words stands at a place; their end, if none does."""
    for word in range(first, end):
        if _reads(text, place, word):
            return word
    return end


@njit(cache=True)
def _field(text: int, place: int, end: int, field: int, latest_ms: int) -> tuple[int, int]:
    """Read the value of a field that is no amount, and give the place behind it."""
    if field < TS:
        return _name(text, place, end, field)
    if field == TS:
        return _time(text, place, latest_ms)
    word = _which(text, place, _STARTS[field], _ENDS[field])
    if word == _ENDS[field]:
        return 0, NOT_PLAIN
    return _CODE[word], place + _LENGTH[word]


@njit(cache=True)
def _name(text: int, place: int, end: int, field: int) -> tuple[int, int]:
    """Read a name: its span."""
    if letter_at(text, place) != QUOTE:
        is_null = _reads(text, place, _NULL) and not (_NEVER_NULL >> field) & 1
        return NO_NAME, place + _LENGTH[_NULL] if is_null else NOT_PLAIN
    behind = behind_string(text, place, end)
    length = behind - place - 2  # less its quotes; below zero, where it is not plain
    if not (_NEVER_EMPTY >> field) & 1 <= length <= MAX_NAME:
        return NO_NAME, NOT_PLAIN
    return span_of(place + 1, length) if length > 0 else NO_NAME, behind


@njit(cache=True)
def _time(text: int, place: int, latest_ms: int) -> tuple[int, int]:
    """Read a time in whole milliseconds."""
    is_quoted = letter_at(text, place) == QUOTE
    first = place + is_quoted
    read, place = digits(text, first, np.uint64(0))
    ts = int(np.int64(read))
    if place == NOT_PLAIN or letter_at(text, first) == _ZERO or not EARLIEST_MS <= ts <= latest_ms:
        return 0, NOT_PLAIN
    return ts, _unquoted(text, place, is_quoted)


@njit(cache=True)
def _amount(text: int, place: int, kind: int) -> tuple[float, int]:
    """Read an amount within its limits."""
    is_quoted = letter_at(text, place) == QUOTE
    if not is_quoted and _reads(text, place, _NULL):
        return np.nan, place + _LENGTH[_NULL]
    read, power, place = number(text, place + is_quoted)
    amount = nearest_double(read, power)
    if place == NOT_PLAIN or not _LEAST[kind] <= amount <= _MOST[kind]:  # NaN is not
        return np.nan, NOT_PLAIN
    return amount, _unquoted(text, place, is_quoted)


@njit(cache=True)
def _unquoted(text: int, place: int, is_quoted: bool) -> int:
    """Pass over the quote behind a number that has one before it."""
    return NOT_PLAIN if is_quoted and letter_at(text, place) != QUOTE else place + is_quoted


@njit(cache=True)
def _behind_unknown(text: int, place: int, end: int) -> int:
    """Pass over the value of an unknown field."""
    if letter_at(text, place) == QUOTE:
        return behind_string(text, place, end)
    word = _which(text, place, _STARTS[MAKER], _ENDS[MAKER])
    return behind_number(text, place) if word == _ENDS[MAKER] else place + _LENGTH[word]
