"""When a worker stands still: judged from what is seen of it now and then, without any I/O.

Time counts only as far as somebody looked: a process that was frozen, or a laptop that slept, has
not stood still, and a broker that did not answer says nothing about the worker.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from faust.types import TP

EXIT_HUNG: Final = 3  # of a process that had to be ended, since it did not end itself
GAP: Final = 3.0  # looks further apart than so many intervals count as so far apart


class StalledError(RuntimeError):
    """The worker does not get on any more; a supervisor should start it again."""


class Stillness:
    """How long a value has not changed; `interval_s` usually lies between two looks."""

    def __init__(self, interval_s: float) -> None:
        self._most = GAP * interval_s
        self._last: tuple[object, float] | None = None  # what was seen, and when
        self.seconds = 0.0

    def look(self, value: object, now: float) -> float:
        """Give the seconds for which the value has been as it is; `now` never goes back."""
        if self._last is None or self._last[0] != value:
            self.seconds = 0.0
        else:
            self.seconds += min(now - self._last[1], self._most)
        self._last = value, now
        return self.seconds


@dataclass(frozen=True, slots=True)
class Place:
    """How far a partition is worked through, and where it ends."""

    offset: int  # of the first record that is not done with
    end: int  # behind the last record

    @property
    def lag(self) -> int:
        """Records that wait."""
        return max(0, self.end - self.offset)


class Progress:
    """How far the partitions of this worker have been worked through."""

    def __init__(self) -> None:
        self.offsets: dict[TP, int] = {}  # of the first record that is not done with
        self.ends: dict[TP, int] = {}  # behind the last record, when the brokers were last asked
        self.in_hand: TP | None = None  # what was begun last and is not done
        self.resting: set[TP] = set()  # what is left alone on purpose, since others are behind

    def begin(self, tp: TP, first: int) -> None:
        """Note that records from an offset on are being worked on."""
        self.in_hand = tp
        self.offsets[tp] = min(first, self.offsets.get(tp, first))

    def done(self, tp: TP, end: int) -> None:
        """Note that all before an offset is done with."""
        self.in_hand = None
        self.offsets[tp] = end

    def assigned(self) -> None:
        """Forget everything: reading begins anew where the group has committed."""
        self.offsets.clear()
        self.ends.clear()
        self.resting = set()
        self.in_hand = None

    def places(self) -> dict[TP, Place]:
        """Give the partitions of which both is known."""
        return {
            tp: Place(offset, self.ends[tp])
            for tp, offset in self.offsets.items()
            if tp in self.ends
        }

    def moving(self) -> dict[TP, Place]:
        """Give those of them that are meant to move."""
        return {tp: place for tp, place in self.places().items() if tp not in self.resting}


@dataclass(slots=True)
class _Watched:
    still: Stillness
    lag: int  # when it came to stand


@dataclass(slots=True)
class Watchdog:
    """Finds partitions that stand still for `limit_s` while their lag grows."""

    limit_s: float
    interval_s: float
    _watched: dict[TP, _Watched] = field(default_factory=dict)

    def look(self, places: Mapping[TP, Place], now: float) -> dict[TP, str]:
        """Take in how things stand, and say what is wrong, by partition."""
        for tp in self._watched.keys() - places.keys():
            del self._watched[tp]
        return {tp: wrong for tp, place in places.items() if (wrong := self._judge(tp, place, now))}

    def forget(self) -> None:
        """Begin anew: nobody could look, or nothing was meant to move."""
        self._watched.clear()

    def _judge(self, tp: TP, place: Place, now: float) -> str:
        watched = self._watched.setdefault(tp, _Watched(Stillness(self.interval_s), place.lag))
        seconds = watched.still.look(place.offset, now)
        if seconds == 0.0:
            watched.lag = place.lag
        if seconds < self.limit_s or place.lag <= watched.lag:
            return ""
        return (
            f"{tp.topic}[{tp.partition}] stands still at offset {place.offset} for {seconds:.0f} s "
            f"while its lag grew from {watched.lag} to {place.lag}"
        )
