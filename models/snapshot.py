"""What a stage gives to be saved, and gets back: large arrays record by record, the rest at once.

A checkpoint writes the records that changed since the last one and all of the values. Whoever has
state of its own that later results depend on gives all of it here; a stage that was restored goes
on as if nothing had happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

UInt8s: TypeAlias = NDArray[np.uint8]
Saved: TypeAlias = Mapping[str, NDArray[Any]]  # records as they were saved, by name


class Records(NamedTuple):
    """An array that is saved record by record, by reference: it goes on changing."""

    array: NDArray[Any]  # shape (n,), n never falls
    changed: UInt8s  # 1 for each record that changed since it was last saved, shape (n,)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a stage at one moment."""

    records: dict[str, Records]
    values: bytes  # everything else, in MessagePack


class Remembering:
    """Something that knows no more than its named attributes, which msgspec can write."""

    remembered: ClassVar[Mapping[str, Any]]  # attribute: its type

    def save(self) -> bytes:
        """Give what is remembered."""
        return msgspec.msgpack.encode([getattr(self, name) for name in self.remembered])

    def restore(self, saved: bytes) -> None:
        """Remember again what was saved."""
        kinds: Any = tuple.__class_getitem__(tuple(self.remembered.values()))
        found = msgspec.msgpack.decode(saved, type=kinds)
        for name, value in zip(self.remembered, found, strict=True):
            setattr(self, name, value)
