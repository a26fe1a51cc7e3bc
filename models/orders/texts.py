"""Byte strings in one buffer, as the records of a batch lie there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self, overload

import numpy as np
from typing_extensions import override

from models.orders.batch import Int64s, UInt8s
from models.orders.tokens import PADDING


@dataclass(frozen=True, slots=True, eq=False)
class Texts(Sequence[bytes]):
    """n byte strings, each of which is cut out of the buffer only where it is asked for."""

    buffer: bytes
    places: Int64s  # where each begins and ends, shape (n, 2); neither falls

    @classmethod
    def of(cls, texts: Sequence[bytes]) -> Self:
        """Put byte strings into one buffer."""
        ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
        begins = np.concatenate([np.zeros(1, np.int64), ends])[: len(ends)]
        return cls(b"".join(texts), np.stack([begins, ends], axis=1))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Put those of several buffers one after the other, and padding behind those of many."""
        if len(parts) == 1:
            return parts[0]
        pieces, places, end = [], [], 0
        for part in parts:
            piece = part.piece
            pieces.append(piece)
            places.append(part.places + (end - part.begin))
            end += len(piece)
        return cls(b"".join((*pieces, bytes(PADDING))), np.concatenate(places))

    @override
    def __len__(self) -> int:
        return len(self.places)

    @override
    def __iter__(self) -> Iterator[bytes]:
        buffer, (begins, ends) = self.buffer, self.places.T.tolist()
        return (buffer[begin:end] for begin, end in zip(begins, ends, strict=True))

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    @override
    def __getitem__(self, index: int | slice) -> bytes | Self:
        if isinstance(index, slice):
            return type(self)(self.buffer, self.places[index])
        begin, end = self.places[index].tolist()
        return self.buffer[begin:end]

    def padded(self) -> tuple[UInt8s, Int64s]:
        """Give the letters, with padding behind them at least, and the places in these."""
        # Zeros, as `models.orders.tokens` wants them: a search may run over other texts up to them.
        if len(self.buffer) - self.end >= PADDING and self.buffer.endswith(bytes(PADDING)):
            return np.frombuffer(self.buffer, np.uint8), self.places
        letters = b"".join((self.piece, bytes(PADDING)))
        return np.frombuffer(letters, np.uint8), self.places - self.begin

    @property
    def begin(self) -> int:
        """Where the first of them begins."""
        return int(self.places[0, 0]) if len(self) else 0

    @property
    def end(self) -> int:
        """Where the last of them ends."""
        return int(self.places[-1, 1]) if len(self) else 0

    @property
    def piece(self) -> memoryview:
        """The part of the buffer from the first of them to the last."""
        return memoryview(self.buffer)[self.begin : self.end]

    @property
    def sizes(self) -> Int64s:
        """Bytes of each, shape (n,)."""
        sizes: Int64s = self.places[:, 1] - self.places[:, 0]
        return sizes
