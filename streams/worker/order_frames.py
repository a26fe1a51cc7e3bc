"""Order batches as frames, with whatever columns a stage adds to them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, get_args, get_type_hints

import numpy as np

from models.orders.batch import NONE, Names, OrderBatch
from streams.worker.frames import Array, Frame, FrameError, Meta, pack, unpack

_HINTS: Final = get_type_hints(OrderBatch)
_TABLES: Final = [field.name for field in fields(OrderBatch) if _HINTS[field.name] is Names]
_DTYPES: Final = {  # of the array columns, as their annotations state them
    field.name: np.dtype(get_args(get_args(_HINTS[field.name])[1])[0])
    for field in fields(OrderBatch)
    if field.name != "event_id" and field.name not in _TABLES
}
_CODES: Final = {  # column: its table, and the lowest code that it may hold
    "market": ("markets", 0),
    "key": ("keys", NONE),
    "account": ("accounts", 0),
    "app": ("apps", NONE),
    "counterparty": ("accounts", NONE),
    "network": ("networks", NONE),
}
_HASHES: Final = "hashes of "
_EXTRA: Final = "extra "


@dataclass(frozen=True, slots=True)
class OrderFrame:
    """Orders, the columns that travelled beside them (one row each), and small facts."""

    batch: OrderBatch
    extra: dict[str, Array]
    meta: dict[str, int | str]


def pack_orders(
    batch: OrderBatch,
    extra: Mapping[str, Array] | None = None,
    meta: Meta | None = None,
    word: bytes = b"",
) -> bytes:
    """Write orders, and columns of n rows beside them, as a frame."""
    columns: dict[str, Array] = {name: getattr(batch, name) for name in _DTYPES}
    tables = {"event_id": batch.event_id}
    for name in _TABLES:
        table: Names = getattr(batch, name)
        tables[name] = table.strings
        columns[_HASHES + name] = table.hashes
    columns |= {_EXTRA + name: column for name, column in (extra or {}).items()}
    for name, column in columns.items():
        _require_rows(name, column, len(tables.get(name.removeprefix(_HASHES), batch)))
    return pack(columns, tables, meta or {}, word)


def unpack_orders(data: bytes) -> OrderFrame:
    """Read orders from a frame; a `FrameError` where it holds none or its parts do not fit."""
    return orders_of(unpack(data))


def orders_of(frame: Frame) -> OrderFrame:
    """Give the orders that an unpacked frame holds, checked like those of `unpack_orders`."""
    missing = ({"event_id", *_TABLES} - frame.tables.keys()) | (
        {*_DTYPES, *(_HASHES + name for name in _TABLES)} - frame.columns.keys()
    )
    if missing:
        raise FrameError(f"the frame holds no orders: {', '.join(sorted(missing))} is missing")
    parts: dict[str, Any] = {"event_id": frame.tables["event_id"]}
    n = len(parts["event_id"])
    for name in _TABLES:
        strings, hashes = frame.tables[name], frame.columns[_HASHES + name]
        _require_rows(name, hashes, len(strings), np.dtype(np.uint64))
        parts[name] = Names(strings, hashes)
    for name, dtype in _DTYPES.items():
        parts[name] = frame.columns[name]
        _require_rows(name, parts[name], n, dtype)
    for name, (table, lowest) in _CODES.items():
        _require_codes(name, parts[name], lowest, len(parts[table]))
    extra = {
        name.removeprefix(_EXTRA): column
        for name, column in frame.columns.items()
        if name.startswith(_EXTRA)
    }
    for name, column in extra.items():
        _require_rows(name, column, n)
    return OrderFrame(OrderBatch(**parts), extra, frame.meta)


def _require_rows(name: str, column: Array, n: int, dtype: np.dtype[Any] | None = None) -> None:
    if column.ndim == 0 or len(column) != n or (dtype is not None and column.dtype != dtype):
        raise FrameError(
            f"column {name} is {column.dtype} {column.shape}; must be {dtype or 'anything'} "
            f"with {n} rows"
        )


def _require_codes(name: str, codes: Array, lowest: int, count: int) -> None:
    """Keep a broken frame from reaching the kernels, which index without looking."""
    if len(codes) and not lowest <= int(codes.min()) <= int(codes.max()) < count:
        raise FrameError(
            f"column {name} holds codes {codes.min()} to {codes.max()}; must be from {lowest} to "
            f"{count - 1}"
        )
