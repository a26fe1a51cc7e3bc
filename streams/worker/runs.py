"""Runs: consecutive records of one partition, which are handed on as one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from models.orders.texts import Texts


class Record(Protocol):
    """What a run needs of a record."""

    @property
    def value(self) -> bytes | None:
        """What was sent."""

    @property
    def offset(self) -> int:
        """Where it lies."""

    @property
    def timestamp(self) -> int | None:
        """When it was sent, ms since the Unix epoch; None in the oldest of formats."""


@dataclass(frozen=True, slots=True)
class Run:
    """n consecutive records of one partition; offsets rise, and may have holes."""

    values: Texts  # a record without a value counts as empty
    offsets: NDArray[np.int64]  # shape (n,)
    timestamps: NDArray[np.int64]  # of the records, ms since the Unix epoch, shape (n,); -1: none
    begin: int | None = None  # end of the run before it; None for the first after a seek

    @classmethod
    def of(cls, records: Sequence[Record]) -> Self:
        """Gather records as the driver gives them."""
        times = (record.timestamp for record in records)
        return cls(
            Texts.of([record.value or b"" for record in records]),
            np.array([record.offset for record in records], np.int64),
            np.array([-1 if time is None else time for time in times], np.int64),
        )

    @classmethod
    def joined(cls, runs: Sequence[Self]) -> Self:
        """Put runs that follow each other together."""
        if len(runs) == 1:
            return runs[0]
        return cls(
            Texts.joined([run.values for run in runs]),
            np.concatenate([run.offsets for run in runs]),
            np.concatenate([run.timestamps for run in runs]),
            runs[0].begin,
        )

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        return zip(self.values, self.offsets.tolist(), strict=True)

    def since(self, offset: int) -> Self | None:
        """Give the records from an offset on; None without any."""
        return self._part(int(np.searchsorted(self.offsets, offset)), len(self))

    def until(self, offset: int) -> Self | tuple[()]:
        """Give the records before an offset."""
        return self._part(0, int(np.searchsorted(self.offsets, offset))) or ()

    def divided(self, count: int) -> tuple[Self, Self | None]:
        """Give the first so many records, at least one, and the others, None without any."""
        return self._part(0, count) or self, self._part(count, len(self))

    def portions(self, most_bytes: int) -> Iterator[Self]:
        """Divide the run into runs of so many bytes each, or of one record that has more."""
        ends = np.cumsum(self.values.sizes)
        start, before = 0, 0
        while start < len(self):
            stop = max(int(np.searchsorted(ends, before + most_bytes, side="right")), start + 1)
            yield self._part(start, stop) or self
            start, before = stop, int(ends[stop - 1])

    def _part(self, start: int, stop: int) -> Self | None:
        if start == 0 and stop == len(self):
            return self
        return self._cut(start, stop) if start < stop else None

    def _cut(self, start: int, stop: int) -> Self:
        return type(self)(
            self.values[start:stop],
            self.offsets[start:stop],
            self.timestamps[start:stop],
            int(self.offsets[start - 1]) + 1 if start else self.begin,
        )

    @property
    def end(self) -> int:
        """Offset to read on from once all records are done."""
        return int(self.offsets[-1]) + 1
