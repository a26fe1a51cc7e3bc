"""The three stages as the live worker runs them: bytes in, bytes out, state in memory.

Each object is one partition of one stage. Nothing here touches Kafka. What a partition knows and
sends is a function of its input alone, offset by offset, whatever the runs in which that comes; so
a partition that was restored from a checkpoint and reads on gives what it would have given.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from typing_extensions import override

from models.alerts.envelope import Alert
from models.alerts.stage import AlertStage
from models.detector import suspects_of
from models.keys.stage import KeyStage
from models.market.stage import MarketStage
from models.orders.decode import decode
from models.orders.refusals import Refusal
from models.rows import LONG_AGO, Rows
from streams.kafka.partitioning import by_key
from streams.worker.merging import Merging
from streams.worker.partitions import Partition
from streams.worker.row_frames import Word, pack_rows
from streams.worker.runs import Run

HELD_LANE: Final = 1  # in which a partition of keys speaks of what it holds back
ONLY: Final = 0  # the one partition of the alert stage


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A refused event, byte for byte, and where it lay."""

    value: bytes
    refusal: Refusal
    offset: int


@dataclass(frozen=True, slots=True)
class Part:
    """Rows for one partition of the next stage, and what their source says."""

    target: int
    word: Word
    rows: Rows


def frames_of(parts: Iterable[Part]) -> Iterator[tuple[int, bytes]]:
    """Write parts as frames, each with the partition that it goes to."""
    return ((part.target, frame) for part in parts for frame in pack_rows(part.rows, part.word))


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

    def observe(self, run: Run, now_ms: int) -> tuple[list[Part], list[DeadLetter]]:
        """Learn a run of raw events; the rows go to those partitions of keys that have any.

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
        return self._parts(rows, now_ms + self._patience_ms), refused

    def words(self, quiet_ms: int | None = None) -> list[tuple[int, Word]]:
        """Say how far this partition has come, to each partition of keys that has not heard it.

        To all of them that this one was read to its end at a time, where that is given.
        """
        since, targets = LONG_AGO, sorted(self._untold)
        if quiet_ms is not None:
            since, targets = quiet_ms, list(range(self._targets))
        self._untold.clear()
        return [(target, self._word(target, quiet=since)) for target in targets]

    def _parts(self, rows: Rows, seen: int) -> list[Part]:
        self._untold.update(range(self._targets))
        parts = []
        for target, chosen in by_key(rows, self._targets):
            parts.append(Part(target, self._word(target, seen=seen), chosen))
            self._sent[target] += len(chosen)
            self._untold.discard(target)
        return parts

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

    def assess(self, run: Run, *, all_due: bool = True) -> list[Part]:
        """Take a run of frames and give suspects for the alert stage.

        Unless `all_due`, what a frame makes due that holds nothing new waits for `go_on`.

        Without any, the alert stage is owed a word of how far this partition has come.
        """
        is_new = run.end > self.end  # else nothing but what is held is taken from it
        ready = self._take(run, all_due=all_due)
        return self._suspects(ready) if is_new else []

    def go_on(self) -> list[Part]:
        """Give the suspects among rows that were heard of before they came from the topic."""
        ready = self._merge.ready()
        return [] if ready is None else self._suspects([ready])

    def _suspects(self, ready: list[Rows]) -> list[Part]:
        suspects = suspects_of(self._stage.assess(Rows.concat(ready))) if ready else None
        self._is_untold = not suspects
        if not suspects:
            return []
        word = self._word()
        self._sent += len(suspects)
        return [Part(ONLY, word, suspects)]

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
        return self._raised(self._take(run))

    def go_on(self) -> list[Alert]:
        """Give the alerts raised by rows that were heard of before they came from the topic."""
        ready = self._merge.ready()
        return [] if ready is None else self._raised([ready])

    def _raised(self, ready: list[Rows]) -> list[Alert]:
        alerts = self._stage.judge(Rows.concat(ready)) if ready else []
        self.alerts += len(alerts)
        return alerts
