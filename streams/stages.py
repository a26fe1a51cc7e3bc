"""The three stages as the live worker runs them: bytes in, bytes out, state in memory.

Each object is one partition of one stage. Nothing here touches Kafka. All remember how far they
have read, so that what is delivered again changes nothing.
"""

from dataclasses import dataclass

import numpy as np

from models.alerts.envelope import Alert
from models.alerts.stage import AlertStage
from models.detector import suspects_of
from models.keys.stage import KeyStage
from models.market.stage import MarketStage
from models.orders.decode import decode
from models.orders.refusals import Refusal
from models.rows import NEVER, Merge, Rows
from models.score.model import Model
from streams.partitioning import by_key
from streams.row_frames import pack_rows, unpack_rows
from streams.transport import Run

Frames = list[tuple[int, bytes]]  # partition of the next topic, frame


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A refused event, byte for byte, and where it lay."""

    value: bytes
    refusal: Refusal
    offset: int


class Reader:
    """How far a partition has been read."""

    def __init__(self) -> None:
        self.end = 0  # offset to read on from

    def unread(self, run: Run) -> Run | None:
        """Give what of a run has not been read before, and note that it now is."""
        end, self.end = self.end, max(self.end, run.end)
        if run.offsets[0] >= end:
            return run
        first = int(np.searchsorted(run.offsets, end))
        if first == len(run):
            return None
        return Run(run.values[first:], run.offsets[first:], run.timestamps[first:])


class MarketPartition:
    """One partition of orders; its rows go to the partitions of their keys."""

    def __init__(self, partition: int, keys_partitions: int, stage: MarketStage) -> None:
        self._partition = partition
        self._targets = keys_partitions
        self._stage = stage
        self._reader = Reader()
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
        """Learn a run of raw events; every partition of keys is told the clock."""
        unread = self._reader.unread(run)
        if unread is None:
            return [], []
        values, offsets = unread.values, unread.offsets
        decoded = decode(values, partition=self._partition, offsets=offsets, now_ms=now_ms)
        rows = self._stage.observe(decoded.batch)
        refused = [DeadLetter(values[r.row], r, int(offsets[r.row])) for r in decoded.refusals]
        self.events += len(unread)
        self.refused += len(refused)
        return self._frames(rows), refused

    def idle(self) -> Frames:
        """Tell every partition of keys that this one has been read to its end."""
        frames = pack_rows(None, source=self._partition, passed=NEVER)
        return [(target, frame) for target in range(self._targets) for frame in frames]

    def _frames(self, rows: Rows) -> Frames:
        parts = dict(by_key(rows, self._targets))
        return [
            (target, frame)
            for target in range(self._targets)
            for frame in pack_rows(
                parts.get(target), source=self._partition, passed=self._stage.clock
            )
        ]


class Merging:
    """What the two later stages share: frames of several sources into one stream of rows."""

    def __init__(self, sources: int) -> None:
        self._merge = Merge(sources)
        self._reader = Reader()
        self.newest = int(np.iinfo(np.int64).min)  # latest time of any row that came in

    @property
    def passed(self) -> int:
        """Time before which every row has gone through; NEVER when nothing is held."""
        return self._merge.watermark

    @property
    def late(self) -> int:
        """Rows that came after their time had passed."""
        return self._merge.late

    def _take(self, run: Run) -> Rows | None:
        """Add a run of frames and give the rows that are due."""
        unread = self._reader.unread(run)
        for value in unread.values if unread else ():
            frame = unpack_rows(value)
            self._merge.add(frame.source, frame.rows, frame.passed)
            if frame.rows is not None:
                self.newest = max(self.newest, int(frame.rows.merge_time.max()))
        return self._merge.ready()


class KeyPartition(Merging):
    """One partition of keys; its suspects go to the alert stage."""

    def __init__(self, partition: int, orders_partitions: int, stage: KeyStage) -> None:
        super().__init__(orders_partitions)
        self._partition = partition
        self._stage = stage

    def assess(self, run: Run) -> list[bytes]:
        """Take a run of frames and give frames of suspects."""
        ready = self._take(run)
        suspects = None if ready is None else suspects_of(self._stage.assess(ready))
        return pack_rows(suspects, source=self._partition, passed=self.passed)


class AlertPartition(Merging):
    """The alert stage, which sees the suspects of all keys."""

    def __init__(self, keys_partitions: int, model: Model) -> None:
        super().__init__(keys_partitions)
        self._stage = AlertStage(model)
        self.alerts = 0

    def judge(self, run: Run) -> list[Alert]:
        """Take a run of frames and give the alerts raised."""
        ready = self._take(run)
        alerts = [] if ready is None else self._stage.judge(ready)
        self.alerts += len(alerts)
        return alerts
