"""One stream in order of time out of several, and when nobody is waited for.

Events are ordered by (clock of the partition, clock of the market, hash of the market, hash of the
owner), and as they came within one market and owner. Where the two clocks agree, which is where
events come in order of time, no number of partitions can change that order, as long as each
market's order is kept.

A source says two things of itself, both true for ever, whoever repeats them and however late:
- passed: all of its events before this event time have been handed over;
- quiet: at this moment of the wall clock it had been read to its end, and all of that handed over.
An event waits for every source until that has passed its event time, or was quiet at a moment that
the event names, its `seen`: a while after it was itself read. So an event that lies with the
brokers by then is never overtaken, whether its source is slow, has crashed or has no owner at
present; and a source with nothing more holds up nobody longer than it takes to say so again.
What depends on the wall clock is this and no more: an event that reaches the brokers later than
that, behind others that are later by their own time, may be used on arrival, or still in order.

A source that merges others itself speaks for each of them in a lane of its own.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.orders.batch import Int64s, UInt64s
from models.rows import LONG_AGO, NEVER, Rows, owners

ALWAYS: Final = NEVER  # the `seen` of events that wait for every source that is not idle


class HeldPart(msgspec.Struct, array_like=True):
    """Which events of one part are held back."""

    origin: int
    source: int
    numbers: bytes  # of the events, int64


class MergeState(msgspec.Struct, array_like=True):
    """All that a merge knows, but for the events that it holds."""

    passed: list[list[int]]
    quiet: list[list[int]]
    released: int
    late: int
    held: list[HeldPart]


class Merge:
    """The sources, what they said, and the events that wait.

    An event behind the time already released is late: it is used on arrival and counted.
    """

    def __init__(self, sources: int, lanes: int = 1) -> None:
        self._passed = np.full((sources, lanes), LONG_AGO)  # NEVER while a source is idle
        self._quiet = np.full((sources, lanes), LONG_AGO)
        self._held: list[_Part] = []
        self._first: _Part | None = None  # the one with the earliest event of all that are held
        self.held = 0  # events
        self._awaited: list[_Awaited] = []  # what was held when the state was saved
        self._released = LONG_AGO
        self.seen = LONG_AGO  # the latest `seen` of all that was released
        self.late = 0

    @property
    def watermark(self) -> int:
        """Time that all sources have passed, ms; NEVER when every source is idle."""
        return int(self._passed.min())

    def add(self, source: int, rows: Rows | None, passed: int) -> None:
        """Take the next events of a source of one lane, which has passed the time `passed`, ms."""
        self.hold(rows)
        self._passed[source] = passed

    def hold(
        self,
        rows: Rows | None,
        *,
        source: int = 0,
        first: int = 0,
        skip: int = 0,
        seen: int = ALWAYS,
        origin: int = 0,
    ) -> None:
        """Take events of a source but for the first few.

        `first` is the number of the first of `rows`, `origin` where they can be had again: there or
        further on.
        """
        if rows is not None and len(rows) > skip:
            self._keep(_Part(rows, np.arange(skip, len(rows)), source, first, seen, origin))

    def hear(self, source: int, passed: Sequence[int], quiet: Sequence[int]) -> None:
        """Note what a source says of itself, a number for each lane."""
        self._passed[source] = passed
        np.maximum(self._quiet[source], quiet, out=self._quiet[source])

    def forget(self, source: int) -> None:
        """Forget what a source has said, and wait for nothing that it had sent."""
        self._passed[source] = self._quiet[source] = LONG_AGO
        self._awaited = [part for part in self._awaited if part.source != source]

    def idle(self, source: int) -> None:
        """Note that a source has been read to its end: nobody waits for it until it goes on."""
        self._passed[source] = NEVER

    def lanes(self) -> tuple[list[int], list[int]]:
        """Say of this merge as one source what it has passed and when it was quiet, by lane.

        A lane for each of its own, and one for the events that it holds.
        """
        own = [*self._passed.ravel().tolist(), self.earliest]
        return own, [*self._quiet.ravel().tolist(), LONG_AGO]

    @property
    def earliest(self) -> int:
        """Time of the first event that is held, ms; NEVER without any."""
        return self._first.earliest if self._first else NEVER

    @property
    def behind(self) -> set[int]:
        """Sources that the first event that is held waits for."""
        if self._first is None:
            return set()
        return set(np.flatnonzero(self._waits_for(self._first).any(axis=1)).tolist())

    def ready(self) -> Rows | None:
        """Give the events that nothing can come before any more, in order; None without any."""
        if self._awaited or self._first is None or self._waits_for(self._first).any():
            return None
        until = self._due_before()
        ending = [part for part in self._held if part.earliest < until]
        if not ending:
            return None
        ending.sort(key=lambda part: part.place)  # what was had again may have come behind others
        self.seen = max(self.seen, *(part.seen for part in ending))
        released = [part.release(until) for part in ending]
        rows = Rows.concat([part for part, _ in released])
        self._held = [part for part in self._held if part.earliest < NEVER]
        self._first = min(self._held, key=lambda part: part.earliest, default=None)
        self.held -= len(rows)
        self.late += int((rows.merge_time < self._released).sum())
        self._released = max(self._released, int(rows.merge_time.max()))
        order = _time_order(rows)
        # Whatever hangs on the order of names must not hang on the cuts.
        is_done = all(is_whole for _, is_whole in released)
        return rows if is_done and bool((order[1:] > order[:-1]).all()) else rows.take(order)

    @property
    def origin(self) -> int | None:
        """Where the oldest part came from of which anything is held; None without any."""
        held, awaited = self._held, self._awaited
        return min([part.origin for part in held] + [part.origin for part in awaited], default=None)

    @property
    def is_whole(self) -> bool:
        """Whether everything is here that was held when the state was saved."""
        return not self._awaited

    def save(self) -> MergeState:
        """Give the state; what is held must be had again from where it came."""
        held = [(part.origin, part.place[0], part.numbers) for part in self._held]
        held += [(part.origin, part.source, part.numbers) for part in self._awaited]
        parts = [HeldPart(origin, source, rows.tobytes()) for origin, source, rows in held]
        return MergeState(
            self._passed.tolist(), self._quiet.tolist(), self._released, self.late, parts
        )

    def restore(self, state: MergeState) -> None:
        """Take a state back; `resume` must then be given the parts of which anything was held.

        Until then nothing is released.
        """
        self._passed[:], self._quiet[:] = state.passed, state.quiet
        self._released, self.late = state.released, state.late
        self._awaited = [
            _Awaited(part.source, np.frombuffer(part.numbers, np.int64), part.origin)
            for part in state.held
        ]

    def resume(self, source: int, first: int, rows: Rows, *, seen: int, origin: int) -> None:
        """Hold those of a source's events again that were held when the state was saved.

        The events may come in other parts than before; `first` is the number of the first of them,
        `origin` where they are.
        """
        for part in self._awaited:
            if part.source == source and part.origin <= origin:
                places = part.take(first, len(rows))
                if len(places):
                    self._keep(_Part(rows, places, source, first, seen, origin))
        self._awaited = [part for part in self._awaited if len(part.numbers)]

    def give_up(self) -> int:
        """Wait no longer for events that were not had again; gives how many there are."""
        lost = sum(len(part.numbers) for part in self._awaited)
        self._awaited.clear()
        return lost

    def _keep(self, part: "_Part") -> None:
        self._held.append(part)
        self.held += len(part.held)
        if self._first is None or part.earliest < self._first.earliest:
            self._first = part

    def _waits_for(self, part: "_Part") -> NDArray[np.bool_]:
        """Whether even the first event of a part waits for each lane of each source."""
        waits: NDArray[np.bool_] = (self._quiet < part.seen) & (self._passed <= part.earliest)
        return waits

    def _due_before(self) -> int:
        """Time from which an event is held that has to wait for some source."""
        passed, quiet = self._passed.ravel(), self._quiet.ravel()
        if (quiet == LONG_AGO).all():
            return int(passed.min())
        seen = np.array([part.seen for part in self._held])
        waits_for = quiet < seen[:, None]  # (parts, lanes of all sources)
        limits = np.where(waits_for, passed, NEVER).min(axis=1).tolist()
        return min(
            (part.first_from(limit) for part, limit in zip(self._held, limits, strict=True)),
            default=NEVER,
        )


class _Awaited:
    """Events of a source that were held, and are to be had again."""

    def __init__(self, source: int, numbers: Int64s, origin: int) -> None:
        self.source = source
        self.numbers = numbers
        self.origin = origin

    def take(self, first: int, count: int) -> Int64s:
        """Give the places of those that are among `count` events from number `first` on."""
        is_here = (self.numbers >= first) & (self.numbers < first + count)
        here, self.numbers = self.numbers[is_here], self.numbers[~is_here]
        return here - first


class _Part:
    """Events that came together, and which of them are still to be released."""

    def __init__(
        self, rows: Rows, held: Int64s, source: int, first: int, seen: int, origin: int
    ) -> None:
        self._rows = rows
        self.held = held  # places in `rows`
        self.place = source, first  # the number of the first of `rows`
        self.seen = seen
        self.origin = origin
        times = rows.merge_time[held]
        self.earliest = int(times.min(initial=NEVER))  # of what is held, ms; NEVER without any
        self._latest = int(times.max(initial=LONG_AGO))

    @property
    def numbers(self) -> Int64s:
        """Numbers of the events that are held, as their source counts them."""
        return self.place[1] + self.held

    def first_from(self, time: int) -> int:
        """Time of the first event that is not before a time; NEVER without any."""
        if self.earliest >= time:
            return self.earliest
        if self._latest < time:
            return NEVER
        times = self._rows.merge_time[self.held]
        return int(times[times >= time].min())

    def release(self, until: int) -> tuple[Rows, bool]:
        """Give the events before a time, and hold them no longer; and whether these are all.

        Where they are not, the names are those of all.
        """
        times = self._rows.merge_time[self.held]
        is_due = times < until
        due, self.held = self.held[is_due], self.held[~is_due]
        self.earliest = int(times[~is_due].min(initial=NEVER))
        is_whole = len(due) == len(self._rows)
        return (self._rows if is_whole else self._rows.select(due)), is_whole


def _time_order(rows: Rows) -> Int64s:
    market: UInt64s = rows.orders.markets.hashes[rows.orders.market]
    order: Int64s = np.lexsort((owners(rows), market, rows.time, rows.merge_time))
    return order
