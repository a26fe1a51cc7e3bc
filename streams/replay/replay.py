"""Replay: events of the past through the detector, as fast as it goes.

The same events give the same alerts, byte for byte, in every run.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import override

from models.alerts.envelope import Alert, AlertType
from models.detector import Detector
from models.score.model import Model
from streams.closing import Closing
from streams.kafka.partitioning import by_partition
from streams.tapes.ahead import read_ahead
from streams.tapes.files import new_tape
from streams.tapes.intake import Intake, Progress
from streams.tapes.topic import TopicTape


@dataclass(slots=True)
class Replayed:
    """What came of a replay."""

    events: int = 0
    refused: int = 0
    duplicates: int = 0
    ahead: int = 0  # events too far ahead of the clock of their partition for it to follow
    late: int = 0  # events of keys that came after their time had passed
    alerts: int = 0
    seconds: float = 0.0
    first_ts: int | None = None  # of the accepted events, ms
    last_ts: int | None = None
    alerted: list[tuple[str, int]] = field(
        default_factory=list
    )  # key and ms, each leaked_key alert
    apps: list[str] = field(default_factory=list)  # that app_leak alerts name, again and again
    accounts: list[str] = field(default_factory=list)  # the same of profiteer alerts

    @property
    def events_per_second(self) -> float:
        """Mean rate."""
        return self.events / self.seconds if self.seconds else 0.0


class AlertFile(Closing):
    """Alerts, one to a line, in the order in which they were raised."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self.alerted: list[tuple[str, int]] = []
        self.apps: list[str] = []
        self.accounts: list[str] = []
        self._file = new_tape(path)

    def write(self, alerts: Iterable[Alert]) -> None:
        """Add alerts."""
        for alert in alerts:
            self._file.write(alert.encode() + b"\n")
            self.count += 1
            if alert.type is AlertType.LEAKED_KEY:
                self.alerted.append((alert.subject, alert.data.event_ts))
            elif alert.type is AlertType.APP_LEAK:
                self.apps.append(alert.subject)
            else:
                self.accounts.append(alert.subject)

    @override
    def close(self) -> None:
        """Close the file."""
        self._file.close()


def replay(
    paths: Sequence[Path],
    model: Model,
    alerts: AlertFile,
    intake: Intake,
    *,
    warmup: Sequence[Path] = (),
    progress: Progress = lambda _: None,
) -> Replayed:
    """Run files through the detector; those of `warmup` first, whose alerts are dropped.

    Raises
    ------
    TapeError
        If a file cannot be read or breaks off.
    """
    detector = warmed_detector(model, 1, warmup, intake.now_ms, progress)
    started = time.monotonic()
    for observed in read_ahead(map(detector.in_market, intake.read(paths, progress))):
        alerts.write(detector.judge(observed))
    alerts.write(detector.idle())
    return _replayed(detector, intake, alerts, started)


def replay_topic(
    tape: TopicTape,
    model: Model,
    alerts: AlertFile,
    intake: Intake,
    *,
    warmup: Sequence[Path] = (),
    progress: Progress = lambda _: None,
) -> Replayed:
    """Run a topic through the detector, always reading on where time is furthest behind.

    `progress` is told how many events were read since it was last told.

    Raises
    ------
    aiokafka.errors.KafkaError
        If the brokers cannot be reached.
    """
    detector = warmed_detector(model, tape.partitions, warmup, intake.now_ms)
    started = time.monotonic()
    unread = set(range(tape.partitions))
    while unread:
        partition = min(unread, key=detector.clock)
        chunk = tape.next(partition)
        if chunk is None:
            unread.remove(partition)
            alerts.write(detector.idle(partition))
            continue
        values, offsets = chunk
        source = f"{tape.topic}[{partition}]"
        batch = intake.admit(values, partition=partition, offsets=offsets, source=source)
        alerts.write(detector.observe(batch, partition))
        progress(len(values))
    return _replayed(detector, intake, alerts, started)


def warmed_detector(
    model: Model,
    partitions: int,
    history: Sequence[Path],
    now_ms: int,
    progress: Progress = lambda _: None,
) -> Detector:
    """Detector that has seen a history, divided by symbol as it would lie on the topic."""
    detector = Detector(model, partitions)
    for batch in read_ahead(Intake(now_ms=now_ms).read(history, progress)):
        for partition, part in by_partition(batch, partitions):
            detector.observe(part, partition)
    detector.end_warmup()
    return detector


def _replayed(detector: Detector, intake: Intake, alerts: AlertFile, started: float) -> Replayed:
    return Replayed(
        events=intake.events,
        refused=intake.refused,
        duplicates=detector.duplicates,
        ahead=detector.ahead,
        late=detector.late,
        alerts=alerts.count,
        seconds=time.monotonic() - started,
        first_ts=intake.first_ts,
        last_ts=intake.last_ts,
        alerted=alerts.alerted,
        apps=alerts.apps,
        accounts=alerts.accounts,
    )
