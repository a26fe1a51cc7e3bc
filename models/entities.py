"""Dense rows for hashed entities: one structured NumPy row per market, key or pair.

A row is one record, not one cell in each of forty arrays: an event touches a single entity, and a
record is a handful of cache lines where columns would be forty. The index is open addressing with
linear probing over 64-bit hashes. Rows number at most `max_rows`; when they are all taken, a new
entity takes the row of the longest idle of the next `SWEEP` rows (a clock hand), so memory is
bounded and what is evicted depends on the events alone, not on how they were cut into batches.
Each row that is entered is marked as changed, for the next checkpoint.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.orders.batch import Int32s, Int64s, UInt64s
from models.snapshot import Records, Saved, UInt8s

# One record of a structured array, its fields as attributes, which the type system cannot see.
Record: TypeAlias = Any

SWEEP: Final = 16
FREE: Final = -1
COUNT: Final = 0  # places in `meta`
HAND: Final = 1
EVICTED: Final = 2
LIMIT: Final = 3


class Table(NamedTuple):
    """The arrays of one table, as a kernel takes them."""

    rows: NDArray[np.void]  # records with at least `hash` (u8) and `time` (i8, ms of last use)
    slot_hash: UInt64s  # shape (2^k,)
    slot_row: Int32s  # shape (2^k,), FREE where empty
    meta: Int64s  # COUNT, HAND, EVICTED, and LIMIT: the rows that it may ever have, 0: not said yet
    changed: UInt8s  # 1 for each row that was entered since it was last saved


def new_table(dtype: np.dtype[Any], rows: int) -> Table:
    """Make an empty table with room for `rows` entities."""
    slots = 1 << max(4, (2 * rows - 1).bit_length())
    return Table(
        np.zeros(rows, dtype),
        np.zeros(slots, np.uint64),
        np.full(slots, FREE, np.int32),
        np.zeros(4, np.int64),
        np.zeros(rows, np.uint8),
    )


def with_room(table: Table, extra: int, max_rows: int) -> Table:
    """Give a table in which `extra` more entities fit, as far as `max_rows` allows."""
    count, size = int(table.meta[COUNT]), len(table.rows)
    table.meta[LIMIT] = max_rows
    wanted = min(max_rows, count + extra)
    if wanted <= size:
        return table
    grown = new_table(table.rows.dtype, min(max_rows, max(2 * size, wanted)))
    grown.rows[:count] = table.rows[:count]
    grown.meta[:] = table.meta
    grown.changed[:count] = table.changed[:count]
    _index(grown)
    return grown


def saved(table: Table) -> Records:
    """Give the records of a table, to be saved."""
    count = int(table.meta[COUNT])
    return Records(table.rows[:count], table.changed[:count])


def tables_of(owner: object) -> dict[str, Table]:
    """Tables among the attributes of an object, by name: whatever it has is saved."""
    return {name: value for name, value in vars(owner).items() if isinstance(value, Table)}


def saved_tables(owner: object) -> tuple[dict[str, Records], dict[str, list[int]]]:
    """Give the records of an object's tables, and what `put_back` needs besides them."""
    tables = tables_of(owner)
    return (
        {name: saved(table) for name, table in tables.items()},
        {name: table.meta.tolist() for name, table in tables.items()},
    )


def put_back(owner: object, records: Saved, metas: Mapping[str, list[int]]) -> None:
    """Give an object its tables again."""
    for name, table in tables_of(owner).items():
        meta = np.array(metas[name], np.int64)
        most = int(meta[LIMIT]) or max(len(table.rows), len(records[name]))
        setattr(owner, name, restored(records[name], meta, most))


def restored(rows: NDArray[np.void], meta: Int64s, max_rows: int) -> Table:
    """Rebuild a table, index and all, from the records that were saved.

    Raises ValueError if they are more than `max_rows`.
    """
    if len(rows) > max_rows:
        raise ValueError(f"{len(rows)} records do not fit into a table of at most {max_rows} rows")
    table = new_table(rows.dtype, min(max_rows, max(1024, 2 * len(rows))))
    table.rows[: len(rows)] = rows
    table.meta[:] = meta
    _index(table)
    return table


@njit(cache=True)
def _index(table: Table) -> None:
    for row in range(table.meta[COUNT]):
        slot = _slot_of(table, table.rows[row].hash)
        table.slot_hash[slot] = table.rows[row].hash
        table.slot_row[slot] = row


@njit(cache=True)
def _slot_of(table: Table, name: np.uint64) -> np.int64:
    """Slot that holds the hash, or the free one where it would go."""
    mask = np.uint64(len(table.slot_row) - 1)
    slot = name & mask
    while table.slot_row[slot] != FREE and table.slot_hash[slot] != name:
        slot = (slot + np.uint64(1)) & mask
    return np.int64(slot)


@njit(cache=True)
def find(table: Table, name: np.uint64) -> int:
    """Row of the entity, or FREE."""
    return int(table.slot_row[_slot_of(table, name)])


@njit(cache=True)
def find_or_add(table: Table, name: np.uint64) -> int:
    """Row of the entity, to be changed; a new one starts as zeros with its hash set."""
    slot = _slot_of(table, name)
    row = int(table.slot_row[slot])
    if row != FREE:
        table.changed[row] = 1
        return row
    meta = table.meta
    if meta[COUNT] < len(table.rows):
        row = int(meta[COUNT])
        meta[COUNT] += 1
    else:
        row = _evict(table)
        slot = _slot_of(table, name)
    table.slot_hash[slot] = name
    table.slot_row[slot] = row
    table.rows[row].hash = name
    table.changed[row] = 1
    return row


@njit(cache=True)
def _evict(table: Table) -> int:
    """Free the row of the longest idle of the next SWEEP rows; returns it, zeroed."""
    size = len(table.rows)
    hand = int(table.meta[HAND])
    victim = hand % size
    for step in range(1, min(SWEEP, size)):
        row = (hand + step) % size
        if table.rows[row].time < table.rows[victim].time:
            victim = row
    table.meta[HAND] = (hand + SWEEP) % size
    table.meta[EVICTED] += 1
    _unindex(table, table.rows[victim].hash)
    table.rows[victim : victim + 1] = np.zeros(1, table.rows.dtype)
    return victim


@njit(cache=True)
def _unindex(table: Table, name: np.uint64) -> None:
    """Remove a hash and close the gap that it leaves in its probe sequence (Knuth 6.4, alg. R)."""
    mask = len(table.slot_row) - 1
    gap = int(_slot_of(table, name))
    slot = gap
    while True:
        slot = (slot + 1) & mask
        if table.slot_row[slot] == FREE:
            break
        home = int(table.slot_hash[slot] & np.uint64(mask))
        if ((slot - home) & mask) >= ((slot - gap) & mask):
            table.slot_hash[gap] = table.slot_hash[slot]
            table.slot_row[gap] = table.slot_row[slot]
            gap = slot
    table.slot_row[gap] = FREE


@njit(cache=True)
def joint_hash(left: np.uint64, right: np.uint64) -> np.uint64:
    """Hash of an ordered pair of hashes (the finaliser of splitmix64, Steele et al. 2014)."""
    mixed = left ^ (right * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x7F4A7C159E3779B9))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
