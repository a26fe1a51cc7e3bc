"""Plain order events become records in a kernel, free of the GIL and several times cheaper.

Nearly all events are plain (`models.orders.events` says what is). The others, and so whatever
breaks a rule, are left to the decoder of `models.orders.decode`, which alone says what is refused
and why. What is let in here it would let in, too, with the same values bit by bit: the kernel reads
only what JSON and the rules allow beyond doubt, rounds numbers to the nearest double, and codes
names in the same order.
"""

from itertools import accumulate, pairwise
from typing import Final, NamedTuple

import numpy as np
from numba import njit

from models.orders.batch import (
    NONE,
    ORDER,
    Events,
    Float64s,
    Int32s,
    Int64s,
    Names,
    OrderBatch,
    UInt8s,
    UInt64s,
    is_fill,
)
from models.orders.codes import (
    FREE,
    NAME_END,
    code_names,
    free_slots,
    hash_names,
    size_of,
    write_names,
)
from models.orders.events import (
    ACCOUNT,
    AMOUNTS,
    API_KEY,
    APP,
    ARRIVAL,
    CODES,
    COUNTERPARTY,
    EVENT_ID,
    MAKER,
    NAMES,
    NETWORK,
    ORDER_ID,
    PRICE,
    SIDE,
    STATUS,
    SYMBOL,
    TS,
    TYPE,
    VENUE,
    no_followers,
    read_event,
)
from models.orders.texts import Texts
from models.orders.tokens import PADDING

_PLACES: Final = (  # of each coded column: its first part, its last, its table
    (VENUE, SYMBOL, 0),
    (API_KEY, API_KEY, 1),
    (ACCOUNT, ACCOUNT, 2),
    (COUNTERPARTY, COUNTERPARTY, 2),
    (APP, APP, 3),
    (NETWORK, NETWORK, 4),
)
_PARTS: Final = (2, 1, 1, 1, 1)  # of the names of each table


class Plain(NamedTuple):
    """The m plain ones of some events, as they were read."""

    letters: UInt8s  # the text in which the events lie
    rows: Int64s  # which events these are, shape (m,)
    fields: Int64s  # shape (m, 14)
    amounts: Float64s  # shape (m, 4)


def read_plain(events: Texts, latest_ms: int) -> Plain:
    """Read those events that are plain, and not later than `latest_ms`."""
    letters, places = events.padded()
    return Plain(letters, *_read(letters, places, latest_ms))


def orders_of(plain: Plain, partition: int, offsets: Int64s) -> OrderBatch:
    """Turn plain events into records; `offsets` are theirs, shape (m,)."""
    events = np.zeros(len(plain.fields), ORDER)
    text, hashes, counts = _fill(plain, partition, offsets, events)
    ids, *tables = _tables(text, hashes, counts)
    return OrderBatch(events, ids.strings, *tables)


def _tables(text: UInt8s, hashes: UInt64s, counts: Int64s) -> list[Names]:
    """Divide names into tables of so many each."""
    strings = text.tobytes().decode("ascii").split(NAME_END)
    ends = accumulate(counts.tolist(), initial=0)
    return [Names(strings[start:end], hashes[start:end]) for start, end in pairwise(ends)]


@njit(cache=True, nogil=True)
def _read(letters: UInt8s, places: Int64s, latest_ms: int) -> tuple[Int64s, Int64s, Float64s]:
    """Read the plain events: their rows, shape (n,), and what `read_event` says of each."""
    count = len(places)
    rows = np.empty(count, np.int64)
    fields = np.empty((count, len(NAMES) + len(CODES)), np.int64)
    amounts = np.empty((count, len(AMOUNTS)))
    followers = no_followers()
    text = int(letters.ctypes.data)
    n = 0
    for row in range(count):
        start, end = int(places[row, 0]), int(places[row, 1])
        if read_event(text, start, end, latest_ms, followers, fields, amounts, n):
            rows[n] = row
            n += 1
    _complete(fields[:n], amounts[:n])
    return rows[:n], fields[:n], amounts[:n]


@njit(cache=True)
def _complete(fields: Int64s, amounts: Float64s) -> None:
    """Give each fill its notional, and leave the others no amount that only a fill has."""
    price, qty, notional = 0, 1, 2
    for row in range(len(fields)):
        if not is_fill(fields[row, STATUS]):
            amounts[row, : ARRIVAL - PRICE] = np.nan
        elif np.isnan(amounts[row, notional]):
            amounts[row, notional] = amounts[row, price] * amounts[row, qty]


@njit(cache=True, nogil=True)
def _fill(
    plain: Plain, partition: int, offsets: Int64s, events: Events
) -> tuple[UInt8s, UInt64s, Int64s]:
    """Write the events.

    Their names come as one text, with hashes: the event ids, then each table, and how many there
    are of each.
    """
    fields, amounts = plain.fields, plain.amounts
    text = int(plain.letters.ctypes.data)
    codes, written, hashes, counts = _coded(text, fields)
    order_hash = hash_names(text, fields[:, ORDER_ID])
    for i in range(len(fields)):
        event = events[i]
        event.event_hash = hashes[i]
        event.order_hash = order_hash[i]
        event.ts = fields[i, TS]
        event.price = amounts[i, 0]
        event.qty = amounts[i, 1]
        event.notional = amounts[i, 2]
        event.arrival = amounts[i, ARRIVAL - PRICE]
        event.offset = offsets[i]
        event.partition = partition
        event.market = codes[0, i]
        event.key = codes[1, i]
        event.account = codes[2, i]
        event.counterparty = codes[3, i]
        event.app = codes[4, i]
        event.network = codes[5, i]
        event.home = NONE
        event.side = fields[i, SIDE]
        event.status = fields[i, STATUS]
        event.is_market = fields[i, TYPE] != 0
        event.maker = fields[i, MAKER] != 0
    return written, hashes, counts


@njit(cache=True)
def _coded(text: int, fields: Int64s) -> tuple[Int32s, UInt8s, UInt64s, Int64s]:
    """Turn spans into codes, shape (6, n), and give the names as `_fill` does."""
    n = len(fields)
    codes = np.empty((len(_PLACES), n), np.int32)
    found = np.empty((len(_PARTS), 2 * n, 2), np.int64)
    counts = np.zeros(1 + len(_PARTS), np.int64)
    slots = free_slots(2 * n)
    for column, (first, last, table) in enumerate(_PLACES):
        names, distinct = fields[:, first : last + 1], found[table, :, : _PARTS[table]]
        count = int(counts[1 + table])
        if count == 0:
            slots[:] = FREE
        counts[1 + table] = code_names(text, names, slots, distinct, count, codes[column])
    counts[0] = n
    ids = fields[:, EVENT_ID : EVENT_ID + 1]
    size = size_of(ids)
    for table in range(len(_PARTS)):
        size += size_of(found[table, : counts[1 + table], : _PARTS[table]])
    written = np.empty(size + PADDING, np.uint8)
    hashes = np.empty(counts.sum(), np.uint64)
    place, done = write_names(text, ids, written, 0, hashes), n
    for table in range(len(_PARTS)):
        names = found[table, : counts[1 + table], : _PARTS[table]]
        place = write_names(text, names, written, place, hashes[done:])
        done += len(names)
    return codes, written[:size], hashes, counts
