"""The frames of several sources, brought into one stream of rows in order of time."""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec
from typing_extensions import override

from models.merge import Merge, MergeState
from models.rows import LONG_AGO, Rows
from streams.worker.partitions import Partition, Stage
from streams.worker.row_frames import Sealed, Word, unseal
from streams.worker.runs import Run

UNKNOWN: Final = -1
AHEAD: Final = 256  # parts and words that may wait for rows before them to come from the topic

log = logging.getLogger(__name__)


class Known(msgspec.Struct, array_like=True):
    """What has been had from a source."""

    born: int = UNKNOWN
    rows: int = 0
    read: int = 0


Said = tuple[Word, Rows | None]


class _Merged(msgspec.Struct, array_like=True):
    known: list[Known]
    merge: MergeState
    sent: int
    holes: int
    alerts: int


class Merging(Partition):
    """What the two later stages share: frames of several sources into one stream of rows.

    A source in the same worker is heard twice, at once and from the topic, where its rows lie for
    whoever comes later; since they are numbered, whichever comes first counts. So the state may
    hold rows that lie further on, or that a source which has crashed is yet to send again; it never
    lacks any that lie before.
    """

    def __init__(self, sources: int, lanes: int, stage: Stage, born: int) -> None:
        super().__init__(stage, born)
        self._merge = Merge(sources, lanes)
        self._known = [Known() for _ in range(sources)]
        self._ahead: list[deque[Said]] = [deque() for _ in range(sources)]
        self._lossy: set[int] = set()  # sources of which frames may be gone for good
        self._is_gap = False  # what is awaited may be gone, too
        self._sent = 0  # rows
        self.holes = 0  # frames that followed a lost one: all of it comes again
        self.received = 0  # rows, in this life
        self.waits_for = LONG_AGO  # the latest `seen` of any row
        self.alerts = 0

    def hear(self, word: Word, rows: Rows | None = None) -> None:
        """Take what a source in this worker says, before it comes from the topic."""
        ahead = self._ahead[word.source]
        ahead.append((word, rows))
        self._catch_up(word.source, self.end)
        if len(ahead) > AHEAD:
            ahead.clear()  # all of it comes from the topic

    @override
    def expect_gap(self) -> None:
        """Go on behind frames that no longer lie on their topic; nobody will send them again."""
        self._lossy, self._is_gap = set(range(len(self._known))), True

    @property
    def late(self) -> int:
        """Rows that came after their time had passed."""
        return self._merge.late

    @property
    def held(self) -> int:
        """Rows that wait for sources that are behind."""
        return self._merge.held

    @property
    def ahead(self) -> int:
        """Rows heard of at once that wait for others before them to come from the topic."""
        return sum(_count(said) for ahead in self._ahead for said in ahead)

    @property
    def held_from(self) -> int:
        """Time of the first of them, ms; NEVER without any."""
        return self._merge.earliest

    @property
    def behind(self) -> set[int]:
        """Sources that the first of them waits for."""
        return self._merge.behind

    @property
    @override
    def again_from(self) -> int:
        origin = self._merge.origin
        return self.end if origin is None else min(origin, self.end)

    def _take(self, run: Run, *, all_due: bool = True) -> list[Rows]:
        """Add a run of frames one by one and give the rows that each of them made due.

        Unless `all_due`, what a frame makes due that holds nothing new waits for `go_on`.
        """
        for value, offset in run.until(self.end):
            if not self._merge.is_whole:
                self._resume(unseal(value), offset)
        unread = self._reader.unread(run)
        if unread is None:
            return []
        if self._is_gap and (lost := self._merge.give_up()):
            log.warning("%d rows that were held back are gone from their topic", lost)
        self._is_gap = False
        ready = (self._add(unseal(value), offset, all_due) for value, offset in unread)
        return [rows for rows in ready if rows is not None]

    def _add(self, frame: Sealed, offset: int, all_due: bool) -> Rows | None:
        """Add what is new in a frame, and give the rows that it made due."""
        before = self.received
        if not self._merge.is_whole:
            self._resume(frame, offset)
        self.holes += not self._hear(frame.word, len(frame), frame.rows, offset)
        for word in frame.more:
            self.holes += not self._hear(word, 0, _nothing, offset)
        for word in (frame.word, *frame.more):
            self._catch_up(word.source, offset)  # the run may go on with what is caught up with
        return self._merge.ready() if all_due or self.received > before else None

    def _resume(self, frame: Sealed, offset: int) -> None:
        """Hold again what was held of a frame when the state was saved."""
        rows, word = frame.rows(), frame.word
        if rows is not None:
            self._merge.resume(word.source, word.first, rows, seen=word.seen, origin=offset)

    def _catch_up(self, source: int, origin: int) -> None:
        """Take what a source in this worker has said, as far as nothing before it is missing.

        `origin`: an offset from which on its rows lie on the topic.
        """
        ahead = self._ahead[source]
        while ahead and self._merge.is_whole:
            word, rows = ahead[0]
            if word.born > self._known[source].born:  # what it said before may be on its way
                return
            if not self._hear(word, _count(ahead[0]), partial(_given, rows), origin):
                return
            ahead.popleft()

    def _hear(self, word: Word, count: int, rows: Callable[[], Rows | None], origin: int) -> bool:
        """Take what a source says, and what is new of its rows; False where others are missing."""
        known = self._known[word.source]
        if word.born > known.born:
            known = self._known[word.source] = Known(word.born, word.first)
            self._merge.forget(word.source)
        if word.born < known.born:
            return True
        if word.first > known.rows and word.source in self._lossy:
            known.rows = word.first
            self._lossy.discard(word.source)
        if word.first > known.rows:
            return False
        had = known.rows - word.first
        if count > had:
            self.received += count - had
            self.waits_for = max(self.waits_for, word.seen)
            self._merge.hold(
                rows(),
                source=word.source,
                first=word.first,
                skip=had,
                seen=word.seen,
                origin=origin,
            )
            known.rows = word.first + count
        if word.read >= known.read:
            known.read = word.read
            self._merge.hear(word.source, word.passed, word.quiet)
        return True

    @override
    def _own(self) -> Any:
        return _Merged(self._known, self._merge.save(), self._sent, self.holes, self.alerts)

    @override
    def _take_back(self, own: msgspec.Raw) -> None:
        found = msgspec.msgpack.decode(own, type=_Merged)
        self._known, self._sent = found.known, found.sent
        self.holes, self.alerts = found.holes, found.alerts
        self._merge.restore(found.merge)


def _count(said: "Said") -> int:
    return 0 if said[1] is None else len(said[1])


def _given(rows: Rows | None) -> Rows | None:
    return rows


def _nothing() -> None:
    """Give the rows of a word that stands alone."""
