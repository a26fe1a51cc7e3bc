"""Dead letters: refused events as records of their topic, and how many of them are too many.

A letter's value is the event, byte for byte; its headers say why it was refused and where it lay.
It may lie there twice, after a crash: topic, partition and offset of the event tell.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Self

import numpy as np

from models.orders.batch import Bools
from models.orders.refusals import Refusal

PREFIX: Final = "roguekey-"
FEWEST_EVENTS: Final = 100  # fewer say nothing about a producer

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """A refused event, why it was refused, and where it lay."""

    value: bytes
    reason: str
    field: str  # empty where the whole event could not be read
    topic: str
    partition: int
    offset: int

    def headers(self) -> Headers:
        """Give what the record says beside the event."""
        said = {
            "reason": self.reason,
            "field": self.field,
            "topic": self.topic,
            "partition": str(self.partition),
            "offset": str(self.offset),
        }
        return tuple((PREFIX + name, text.encode()) for name, text in said.items())

    @classmethod
    def read(cls, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> Self:
        """Read a record; what somebody else put there has no reason and lay nowhere, at -1."""
        said = {name: (text or b"").decode(errors="replace") for name, text in headers}
        return cls(
            value or b"",
            said.get(PREFIX + "reason", ""),
            said.get(PREFIX + "field", ""),
            said.get(PREFIX + "topic", ""),
            _number(said.get(PREFIX + "partition", "")),
            _number(said.get(PREFIX + "offset", "")),
        )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else -1


class TooManyRefusedError(RuntimeError):
    """A producer sends what cannot be read: somebody has to look before more of it is taken."""


class RefusalLimit:
    """Share of refused events among the last `window` of one partition, which has a limit.

    It counts event by event, so that it does not matter how they are cut into batches.
    """

    def __init__(self, source: str, ratio: float, window: int) -> None:
        self._source = source
        self._ratio = ratio
        self._window = window
        self._refused: Bools = np.zeros(0, np.bool_)  # of the last events, the oldest first
        self._reasons: deque[Refusal] = deque()  # of those among them that were refused

    def take(self, events: int, refusals: Sequence[Refusal]) -> None:
        """Take in the next events, of which those at the rows of `refusals` were refused.

        Raises
        ------
        TooManyRefusedError
            If at any of them the share was above the limit, of at least `FEWEST_EVENTS`.
        """
        if self._ratio >= 1.0 or not events:
            return
        fresh = np.zeros(events, np.bool_)
        fresh[[refusal.row for refusal in refusals]] = True
        before = len(self._refused)
        seen: Bools = np.concatenate([self._refused, fresh])
        self._reasons.extend(refusals)
        if self._reasons:
            self._check(seen, before)
        self._refused = seen[-self._window :]
        for _ in range(len(self._reasons) - int(self._refused.sum())):
            self._reasons.popleft()

    def _check(self, seen: Bools, before: int) -> None:
        total = np.concatenate([[0], np.cumsum(seen)])
        end = np.arange(before + 1, len(seen) + 1)
        start = np.maximum(end - self._window, 0)
        refused, counted = total[end] - total[start], end - start
        too_many = (counted >= min(FEWEST_EVENTS, self._window)) & (refused > self._ratio * counted)
        if too_many.any():
            at = int(np.argmax(too_many))
            reasons = islice(self._reasons, int(total[start[at]]), int(total[end[at]]))
            raise TooManyRefusedError(self._told(list(reasons), int(counted[at])))

    def _told(self, refusals: list[Refusal], events: int) -> str:
        kind, times = Counter(map(_kind, refusals)).most_common(1)[0]
        example = next(refusal.reason for refusal in refusals if _kind(refusal) == kind)
        return (
            f"{self._source}: {len(refusals)} of the last {events} events were refused, more than "
            f"dead_letter_ratio {self._ratio:g} allows; {times} of them as: {example}. Mend the "
            "producer, or let all of them through to the dead letters with dead_letter_ratio 1; "
            "what was not committed is read again"
        )


def _kind(refusal: Refusal) -> tuple[str, str]:
    """Give what a reason has in common with others of its kind: all but the value."""
    return refusal.field, refusal.reason.rpartition("; must be ")[2] if refusal.field else ""
