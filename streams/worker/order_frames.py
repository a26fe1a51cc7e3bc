"""Order batches as frames, with whatever columns a stage adds to them.

Columns of one type travel as the rows of one array, which is named by them: an array costs the same
however little it holds, and small frames are the most frequent.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Final, get_args, get_type_hints

import numpy as np

from models.orders.batch import NONE, TABLE_OF, TABLES, Int32s, Names, OrderBatch
from streams.worker.frames import Array, Frame, FrameError, Meta, pack

_HINTS: Final = get_type_hints(OrderBatch)
_DTYPES: Final = {  # of the array columns, as their annotations state them
    field.name: np.dtype(get_args(get_args(_HINTS[field.name])[1])[0])
    for field in fields(OrderBatch)
    if field.name != "event_id" and field.name not in TABLES
}
_NEVER_NONE: Final = ("market", "account")
_LOWEST: Final = np.array([0 if column in _NEVER_NONE else NONE for column in TABLE_OF])
_HASHES: Final = "hashes"  # of the names in all tables, one after the other
_UINT64: Final = np.dtype(np.uint64)
_SEVERAL: Final = "columns\n"
_EXTRA: Final = "extra "


@dataclass(frozen=True, slots=True)
class OrderFrame:
    """Orders, and the columns that travelled beside them, one row each."""

    batch: OrderBatch
    extra: dict[str, Array]


def pack_orders(
    batch: OrderBatch,
    extra: Mapping[str, Array] | None = None,
    meta: Meta | None = None,
    word: bytes = b"",
) -> bytes:
    """Write orders, and columns of n rows beside them, as a frame."""
    columns: dict[str, Array] = {name: getattr(batch, name) for name in _DTYPES}
    columns |= {_EXTRA + name: column for name, column in (extra or {}).items()}
    tables = {"event_id": batch.event_id}
    hashes = []
    for name in TABLES:
        table: Names = getattr(batch, name)
        tables[name] = table.strings
        hashes.append(table.hashes)
        _require_rows(name, table.hashes, len(table))
    for name, column in columns.items():
        _require_rows(name, column, len(batch), _DTYPES.get(name))
    return pack({_HASHES: np.concatenate(hashes), **_gathered(columns)}, tables, meta or {}, word)


def orders_of(frame: Frame) -> OrderFrame:
    """Give the orders that a frame holds; a `FrameError` where it has none or they do not fit."""
    tables = frame.tables
    n = len(tables.get("event_id", ()))
    columns = _divided(frame.columns, n)
    if not (_DTYPES.keys() <= columns.keys() and tables.keys() >= {"event_id", *TABLES}):
        missing = {"event_id", *TABLES, *_DTYPES} - tables.keys() - columns.keys()
        raise FrameError(f"the frame holds no orders: {', '.join(sorted(missing))} is missing")
    hashes = columns.pop(_HASHES, np.empty(0))
    _require_rows(_HASHES, hashes, sum(len(tables[name]) for name in TABLES), _UINT64)
    parts: dict[str, Any] = {"event_id": tables["event_id"]}
    start = 0
    for name in TABLES:
        end = start + len(tables[name])
        parts[name] = Names(tables[name], hashes[start:end])
        start = end
    for name in _DTYPES:
        parts[name] = columns.pop(name)
    _require_codes([parts[c] for c in TABLE_OF], [len(parts[t]) for t in TABLE_OF.values()])
    extra = {name.removeprefix(_EXTRA): column for name, column in columns.items()}
    return OrderFrame(OrderBatch(**parts), extra)


def _gathered(columns: Mapping[str, Array]) -> dict[str, Array]:
    """Put the columns of each type into one array."""
    kinds: defaultdict[np.dtype[Any], list[str]] = defaultdict(list)
    gathered = {}
    for name, column in columns.items():
        if column.ndim == 1:
            kinds[column.dtype].append(name)
        else:
            gathered[name] = column
    for names in kinds.values():
        joined = np.concatenate([columns[name] for name in names])
        gathered[_SEVERAL + "\n".join(names)] = joined.reshape(len(names), -1)
    return gathered


def _divided(arrays: Mapping[str, Array], n: int) -> dict[str, Array]:
    """Take such arrays apart, into columns of n rows that are of the right types."""
    divided = {}
    for name, array in arrays.items():
        if name == _HASHES:
            divided[name] = array
        elif name.startswith(_SEVERAL):
            names = _names_in(name, array.dtype)
            if array.shape != (len(names), n):
                raise FrameError(
                    f"columns {', '.join(names)} are {array.shape}; must have {n} rows each"
                )
            divided.update(zip(names, array, strict=True))
        else:
            _require_rows(name, array, n, _DTYPES.get(name))
            divided[name] = array
    return divided


@lru_cache(64)
def _names_in(name: str, dtype: np.dtype[Any]) -> list[str]:
    """Give the columns of an array; a `FrameError` where one of them has another type."""
    names = name.removeprefix(_SEVERAL).split("\n")
    for column in names:
        if _DTYPES.get(column, dtype) != dtype:
            raise FrameError(f"column {column} is {dtype}; must be {_DTYPES[column]}")
    return names


def _require_rows(name: str, column: Array, n: int, dtype: np.dtype[Any] | None = None) -> None:
    if column.ndim == 0 or len(column) != n or (dtype is not None and column.dtype != dtype):
        raise FrameError(
            f"column {name} is {column.dtype} {column.shape}; must be {dtype or 'anything'} "
            f"with {n} rows"
        )


def _require_codes(columns: list[Int32s], counts: list[int]) -> None:
    """Keep a broken frame from reaching the kernels, which index without looking."""
    codes = np.concatenate(columns).reshape(len(columns), -1)
    if not codes.size:
        return
    lowest, highest = codes.min(axis=1), codes.max(axis=1)
    wrong = (lowest < _LOWEST) | (highest >= counts)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise FrameError(
            f"column {[*TABLE_OF][at]} holds codes {lowest[at]} to {highest[at]}; must be from "
            f"{_LOWEST[at]} to {counts[at] - 1}"
        )
