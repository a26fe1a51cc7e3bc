"""The flow: what everybody means to do, collected before anything has a price.

One row is one taker order: who takes, how much in USD, and optionally against whom. A resting order
that is filled is the same row seen from the maker's side, with `owner` saying whose idea it was.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

ANYBODY: Final = -1  # the book decides who makes the price
USUAL: Final = -2  # the actor's own app, or own network
TAKER: Final = 0
MAKER: Final = 1
NOT_ROGUE: Final = -1

_COLUMNS: Final[dict[str, tuple[DTypeLike, float]]] = {
    "ts": (np.int64, 0),
    "market": (np.int32, 0),
    "taker": (np.int32, 0),
    "side": (np.int8, 1),  # the taker's
    "usd": (np.float64, 0),
    "maker": (np.int32, ANYBODY),
    "owner": (np.int8, TAKER),
    "offset": (np.float64, np.nan),  # log distance of the fill from the mid
    "weight": (np.float64, 1.0),  # share of the order that moves the price
    "is_market": (np.bool_, False),
    "app": (np.int32, USUAL),  # of the owner
    "network": (np.int32, USUAL),  # of the owner
    "incident": (np.int32, NOT_ROGUE),  # the owner's fills are this incident's rogue fills
    "forced": (np.bool_, False),  # part of an attack: survives whatever stops the actor's own trade
}


@dataclass(slots=True)
class Flow:
    """Order intentions in chunks of columns."""

    chunks: list[dict[str, np.ndarray]] = field(default_factory=list)

    def add(self, **columns: ArrayLike) -> None:
        """Add rows; scalars are broadcast, columns left out take their defaults."""
        arrays = np.broadcast_arrays(*[np.atleast_1d(column) for column in columns.values()])
        if not len(arrays[0]):
            return
        given = dict(zip(columns, arrays, strict=True))
        chunk = {}
        for name, (dtype, default) in _COLUMNS.items():
            if name in given:
                chunk[name] = np.ascontiguousarray(given.pop(name), dtype)
            else:
                chunk[name] = np.full(len(arrays[0]), default, dtype)
        if given:
            raise TypeError(f"flow has no column {', '.join(given)}")
        self.chunks.append(chunk)

    def __len__(self) -> int:
        return sum(len(chunk["ts"]) for chunk in self.chunks)

    def collect(self, start: int, end: int) -> dict[str, np.ndarray]:
        """Join the rows that lie in [start, end), sorted by time."""
        if not self.chunks:
            return {name: np.empty(0, dtype) for name, (dtype, _) in _COLUMNS.items()}
        joined = {name: np.concatenate([c[name] for c in self.chunks]) for name in _COLUMNS}
        rows = np.flatnonzero((joined["ts"] >= start) & (joined["ts"] < end))
        rows = rows[np.argsort(joined["ts"][rows], kind="stable")]
        return {name: column[rows] for name, column in joined.items()}
