"""The three stages as the live worker runs them: bytes in, bytes out, state in memory.

Each object is one partition of one stage. Nothing here touches Kafka. What a partition knows and
sends is a function of its input alone, offset by offset, whatever the runs in which that comes; so
a partition that was restored from a checkpoint and reads on gives what it would have given.
"""

import logging
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec
from typing_extensions import override

from models.alerts.envelope import Alert
from models.alerts.stage import AlertStage
from models.detector import suspects_of
from models.keys.stage import KeyStage
from models.market.stage import MarketStage
from models.merge import Merge, MergeState
from models.orders.decode import decode
from models.orders.refusals import Refusal
from models.rows import LONG_AGO, Rows
from models.snapshot import Saved, Snapshot
from streams.kafka.partitioning import by_key
from streams.worker.row_frames import RowFrame, Word, pack_rows, unpack_rows
from streams.worker.runs import Run

Frames = list[tuple[int, bytes]]  # partition of the next topic, frame

UNKNOWN: Final = -1
HELD_LANE: Final = 1  # in which a partition of keys speaks of what it holds back

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A refused event, byte for byte, and where it lay."""

    value: bytes
    refusal: Refusal
    offset: int


class LostRunError(RuntimeError):
    """Something was read that did not reach its stage."""


class Stage(Protocol):
    """A stage of the detector, to be saved."""

    def snapshot(self) -> Snapshot:
        """Give the state as it is now."""

    def restore(self, records: Saved, values: bytes) -> None:
        """Take a state back."""


class Reader:
    """How far a partition has been read."""

    def __init__(self) -> None:
        self.end = 0  # offset to read on from

    def unread(self, run: Run) -> Run | None:
        """Give what of a run has not been read before, and note that it now is.

        Raises
        ------
        LostRunError
            If there was a run before it, which did not come here.
        """
        if run.begin is not None and run.begin > self.end:
            raise LostRunError(f"read up to offset {self.end}, the next run begins at {run.begin}")
        end, self.end = self.end, max(self.end, run.end)
        return run.since(end)


class Partition:
    """What all three have in common: how far they have read, and how they are saved."""

    kind: str

    def __init__(self, stage: Stage, born: int) -> None:
        self._saved_stage = stage
        self._reader = Reader()
        self.born = born  # when the state began, ms

    @property
    def end(self) -> int:
        """Offset up to which the input is contained in the state."""
        return self._reader.end

    @property
    def again_from(self) -> int:
        """Offset from which the input has to be read again to go on from this state."""
        return self.end

    def expect_gap(self) -> None:
        """Go on behind records that no longer lie on their topic."""

    def snapshot(self) -> Snapshot:
        """Give the state as it is now."""
        stage = self._saved_stage.snapshot()
        values = msgspec.msgpack.encode((self.end, self.born, stage.values, self._own()))
        return Snapshot(stage.records, values)

    def restore(self, records: Saved, values: bytes) -> None:
        """Take a state back, in place of that of a new partition."""
        kinds = tuple[int, int, bytes, msgspec.Raw]
        self._reader.end, self.born, stage, own = msgspec.msgpack.decode(values, type=kinds)
        self._saved_stage.restore(records, stage)
        self._take_back(own)

    def _own(self) -> Any:
        raise NotImplementedError

    def _take_back(self, own: msgspec.Raw) -> None:
        raise NotImplementedError


class MarketPartition(Partition):
    """One partition of orders; its rows go to the partitions of their keys."""

    kind = "market"

    def __init__(
        self,
        partition: int,
        keys_partitions: int,
        stage: MarketStage,
        *,
        born: int = 0,
        patience_ms: int = 0,
    ) -> None:
        super().__init__(stage, born)
        self._partition = partition
        self._targets = keys_partitions
        self._stage = stage
        self._patience_ms = patience_ms  # how long a row waits for others after it was read
        self._sent = [0] * keys_partitions  # rows, by partition of keys
        self._untold = set(range(keys_partitions))  # how far this one has come
        self.events = 0
        self.refused = 0

    @property
    def duplicates(self) -> int:
        """Events that were seen before."""
        return self._stage.duplicates

    @property
    def ahead(self) -> int:
        """Events too far ahead of the partition's clock for it to follow."""
        return self._stage.ahead

    @property
    def clock(self) -> int:
        """Time up to which the partition has been read, ms; 0 before its first event."""
        return self._stage.clock

    def observe(self, run: Run, now_ms: int) -> tuple[Frames, list[DeadLetter]]:
        """Learn a run of raw events; the frames go to those partitions of keys that have any.

        The others are owed a word of how far this one has come.
        """
        unread = self._reader.unread(run)
        if unread is None:
            return [], []
        values, offsets = unread.values, unread.offsets
        decoded = decode(values, partition=self._partition, offsets=offsets, now_ms=now_ms)
        rows = self._stage.observe(decoded.batch)
        refused = [DeadLetter(values[r.row], r, int(offsets[r.row])) for r in decoded.refusals]
        self.events += len(unread)
        self.refused += len(refused)
        return self._frames(rows, now_ms + self._patience_ms), refused

    def words(self, quiet_ms: int | None = None) -> list[tuple[int, Word]]:
        """Say how far this partition has come, to each partition of keys that has not heard it.

        To all of them that this one was read to its end at a time, where that is given.
        """
        since, targets = LONG_AGO, sorted(self._untold)
        if quiet_ms is not None:
            since, targets = quiet_ms, list(range(self._targets))
        self._untold.clear()
        return [(target, self._word(target, quiet=since)) for target in targets]

    def _frames(self, rows: Rows, seen: int) -> Frames:
        self._untold.update(range(self._targets))
        frames: Frames = []
        for target, part in by_key(rows, self._targets):
            packed = pack_rows(part, self._word(target, seen=seen))
            frames += [(target, frame) for frame in packed]
            self._sent[target] += len(part)
            self._untold.discard(target)
        return frames

    def _word(self, target: int, *, quiet: int = LONG_AGO, seen: int = 0) -> Word:
        return Word(
            source=self._partition,
            passed=(self._stage.clock,),
            quiet=(quiet,),
            born=self.born,
            first=self._sent[target],
            read=self.end,
            seen=seen,
        )

    @override
    def _own(self) -> Any:
        return self._sent, self.events, self.refused

    @override
    def _take_back(self, own: msgspec.Raw) -> None:
        found = msgspec.msgpack.decode(own, type=tuple[list[int], int, int])
        self._sent, self.events, self.refused = found


class Known(msgspec.Struct, array_like=True):
    """What has been had from a source."""

    born: int = UNKNOWN
    rows: int = 0
    read: int = 0


class _Merged(msgspec.Struct, array_like=True):
    known: list[Known]
    merge: MergeState
    sent: int
    holes: int
    alerts: int


class Merging(Partition):
    """What the two later stages share: frames of several sources into one stream of rows."""

    def __init__(self, sources: int, lanes: int, stage: Stage, born: int) -> None:
        super().__init__(stage, born)
        self._merge = Merge(sources, lanes)
        self._known = [Known() for _ in range(sources)]
        self._lossy: set[int] = set()  # sources of which frames may be gone for good
        self._sent = 0  # rows
        self.holes = 0  # frames that followed a lost one: all of it comes again
        self.received = 0  # rows, in this life
        self.waits_for = LONG_AGO  # the latest `seen` of any row
        self.alerts = 0

    @override
    def expect_gap(self) -> None:
        """Go on behind frames that no longer lie on their topic; nobody will send them again."""
        self._lossy = set(range(len(self._known)))

    @property
    def late(self) -> int:
        """Rows that came after their time had passed."""
        return self._merge.late

    @property
    def held(self) -> int:
        """Rows that wait for sources that are behind."""
        return self._merge.held

    @property
    def held_from(self) -> int:
        """Time of the first of them, ms; NEVER without any."""
        return self._merge.earliest

    @property
    @override
    def again_from(self) -> int:
        origin = self._merge.origin
        return self.end if origin is None else min(origin, self.end)

    def _take(self, run: Run) -> list[Rows]:
        """Add a run of frames one by one and give the rows that each of them made due."""
        for value, offset in run.until(self.end):
            frame = unpack_rows(value)
            self._merge.resume(offset, frame.rows, seen=frame.word.seen)
        unread = self._reader.unread(run)
        if unread is None:
            return []
        lost = self._merge.give_up()
        if lost:
            log.warning("%d rows that were held back are gone from their topic", lost)
        ready = (self._add(unpack_rows(value), offset) for value, offset in unread)
        return [rows for rows in ready if rows is not None]

    def _add(self, frame: RowFrame, offset: int) -> Rows | None:
        """Add what is new in a frame, and give the rows that it made due."""
        self._hear(frame.word, frame.rows, offset)
        for word in frame.more:
            self._hear(word, None, offset)
        return self._merge.ready()

    def _hear(self, word: Word, rows: Rows | None, offset: int) -> None:
        known = self._known[word.source]
        if word.born > known.born:
            known = self._known[word.source] = Known(word.born, word.first)
            self._merge.forget(word.source)
        if word.born < known.born:
            return
        if word.first > known.rows and word.source in self._lossy:
            known.rows = word.first
            self._lossy.discard(word.source)
        if word.first > known.rows:
            self.holes += 1
            return
        if rows is not None:
            had = known.rows - word.first
            self.received += len(rows)
            self.waits_for = max(self.waits_for, word.seen)
            self._merge.hold(rows, skip=had, seen=word.seen, origin=offset)
            known.rows = max(known.rows, word.first + len(rows))
        if word.read >= known.read:
            known.read = word.read
            self._merge.hear(word.source, word.passed, word.quiet)

    @override
    def _own(self) -> Any:
        return _Merged(self._known, self._merge.save(), self._sent, self.holes, self.alerts)

    @override
    def _take_back(self, own: msgspec.Raw) -> None:
        found = msgspec.msgpack.decode(own, type=_Merged)
        self._known, self._sent = found.known, found.sent
        self.holes, self.alerts = found.holes, found.alerts
        self._merge.restore(found.merge)


class KeyPartition(Merging):
    """One partition of keys; its suspects go to the alert stage."""

    kind = "keys"

    def __init__(
        self, partition: int, orders_partitions: int, stage: KeyStage, *, born: int = 0
    ) -> None:
        super().__init__(orders_partitions, 1, stage, born)
        self._partition = partition
        self._stage = stage
        self._is_untold = True  # how far this one has come

    def assess(self, run: Run) -> list[bytes]:
        """Take a run of frames and give frames of suspects.

        Without any, the alert stage is owed a word of how far this partition has come.
        """
        is_new = run.end > self.end  # else nothing but what is held is taken from it
        ready = self._take(run)
        if not is_new:
            return []
        suspects = suspects_of(self._stage.assess(Rows.concat(ready))) if ready else None
        self._is_untold = not suspects
        if not suspects:
            return []
        word = self._word()
        self._sent += len(suspects)
        return pack_rows(suspects, word)

    def words(self) -> list[Word]:
        """Say how far this partition has come, where the alert stage has not heard it."""
        is_untold, self._is_untold = self._is_untold, False
        return [self._word()] if is_untold else []

    def _word(self) -> Word:
        passed, quiet = self._merge.lanes()
        return Word(
            source=self._partition,
            passed=tuple(passed),
            quiet=tuple(quiet),
            born=self.born,
            first=self._sent,
            read=self.end,
            seen=self._merge.seen,
        )


class AlertPartition(Merging):
    """The alert stage, which sees the suspects of all keys."""

    kind = "alerts"

    def __init__(
        self, keys_partitions: int, orders_partitions: int, stage: AlertStage, *, born: int = 0
    ) -> None:
        super().__init__(keys_partitions, orders_partitions + HELD_LANE, stage, born)
        self._stage = stage

    def judge(self, run: Run) -> list[Alert]:
        """Take a run of frames and give the alerts raised."""
        ready = self._take(run)
        alerts = self._stage.judge(Rows.concat(ready)) if ready else []
        self.alerts += len(alerts)
        return alerts
