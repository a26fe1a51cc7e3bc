"""When to tell that a partition of orders has nothing more: where rows wait to hear it.

A row waits until every other partition was found read to its end at the moment that the row names
(see `models.merge`). To say so more often is of no use to anybody, and costs each stage a message.
"""

from bisect import bisect_right, insort
from typing import Final

from models.rows import LONG_AGO

KEPT_MS: Final = 1000  # a moment that was not told of by then: others have come further meanwhile


class QuietMoments:
    """The moments that rows wait for, and what each partition has been told of, all in ms."""

    def __init__(self) -> None:
        self._moments: list[int] = []  # rising
        self._told: dict[int, int] = {}

    def is_calm(self) -> bool:
        """Whether no row waits for anything, as far as is known here."""
        return not self._moments

    def wait_for(self, moment: int) -> None:
        """Note that rows wait to hear that the partitions were quiet at a moment."""
        place = bisect_right(self._moments, moment)
        if place == 0 or self._moments[place - 1] != moment:
            insort(self._moments, moment)

    def forget_before(self, now_ms: int) -> None:
        """Give up moments long past."""
        del self._moments[: bisect_right(self._moments, now_ms - KEPT_MS)]

    def is_due(self, partition: int, now_ms: int) -> bool:
        """Whether somebody would get on by hearing that a partition is quiet now."""
        place = bisect_right(self._moments, now_ms)
        return place > 0 and self._moments[place - 1] > self._told.get(partition, LONG_AGO)

    def told(self, partition: int, asked_ms: int) -> None:
        """Note that a partition was said to have been quiet at a moment."""
        self._told[partition] = max(asked_ms, self._told.get(partition, LONG_AGO))
