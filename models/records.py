"""Records moved about as the bytes that they are.

NumPy itself copies structured arrays field by field, which takes some ten times as long and leaves
what lies between the fields to chance.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

RecordArray: TypeAlias = NDArray[np.void]


def taken(records: RecordArray, rows: NDArray[np.integer[Any]]) -> RecordArray:
    """Give the records at `rows`, in that order."""
    found: RecordArray = records.take(rows)
    return found


def joined(parts: Sequence[RecordArray]) -> RecordArray:
    """Give the records of all parts, which are of one kind."""
    together: RecordArray = np.concatenate([_blank(part) for part in parts]).view(parts[0].dtype)
    return together


def copied(records: RecordArray) -> RecordArray:
    """Give the same records, to be changed."""
    copy: RecordArray = _blank(records).copy().view(records.dtype)
    return copy


def _blank(records: RecordArray) -> RecordArray:
    return records.view(f"V{records.dtype.itemsize}")
