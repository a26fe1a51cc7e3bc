"""Records of the four topics, and of the dashboard's own, into the read model.

What cannot be read is counted and told on the health page; it never stops the reader.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from models.alerts.envelope import PLACES_HEADER
from models.unreadable import UNREADABLE
from streams.dashboard.alert_rows import (
    AlertError,
    read_alert,
    take_alert,
    take_decision,
    take_triage,
)
from streams.dashboard.handles import Handles
from streams.dashboard.read_model import count
from streams.dashboard.standing import note_freeze, restate_freeze
from streams.dashboard.triage import Triage, TriageError
from streams.dispositions import Disposition, DispositionError
from streams.freeze.actions import decode_entry as decode_freeze
from streams.lifecycle.entries import decode_entry as decode_lifecycle
from streams.settings import TopicNames

REFUSED: Final = (
    AlertError,
    DispositionError,
    TriageError,
    *UNREADABLE,
    ValueError,
    OverflowError,  # a number that SQLite cannot hold
    sqlite3.DataError,
    sqlite3.IntegrityError,
)


@dataclass(frozen=True, slots=True)
class Record:
    """What the reader hands on of a Kafka record."""

    topic: str
    partition: int
    offset: int
    ts: int  # when the brokers got it, ms
    value: bytes
    headers: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Taken:
    """What a run of records brought."""

    alerts: list[int] = field(default_factory=list)  # numbers of those that are new
    unreadable: int = 0


class Intake:
    """Writes records, and the offsets behind them, within the caller's transaction."""

    def __init__(self, names: TopicNames, handles: Handles) -> None:
        self._handles = handles
        # Each gives the number of an alert that is new.
        self._takers: dict[str, Callable[[sqlite3.Connection, Record], int | None]] = {
            names.alerts: self._take_alert,
            names.dispositions: _take_decision,
            names.triage: _take_triage,
            names.freezes: self._take_freeze,
            names.lifecycle: self._take_lifecycle,
        }

    @property
    def topics(self) -> list[str]:
        """What is to be read."""
        return list(self._takers)

    def take(self, db: sqlite3.Connection, records: Sequence[Record]) -> Taken:
        """Write records in the order in which they come."""
        taken = Taken()
        for record in records:
            db.execute("SAVEPOINT record")
            try:
                number = self._takers[record.topic](db, record)
            except REFUSED:
                db.execute("ROLLBACK TO record")
                taken.unreadable += 1
                number = None
            db.execute("RELEASE record")
            if number is not None:
                taken.alerts.append(number)
        ends = {(r.topic, r.partition): r.offset + 1 for r in records}
        db.executemany(
            "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)",
            [(topic, partition, end) for (topic, partition), end in ends.items()],
        )
        if taken.unreadable:
            count(db, "unreadable", taken.unreadable)
        return taken

    def _take_alert(self, db: sqlite3.Connection, record: Record) -> int | None:
        alert = read_alert(record.value)
        places = record.headers.get(PLACES_HEADER, b"")
        number = take_alert(db, alert, record.value, record.ts, places, record.offset)
        if number is None:  # delivered twice
            return None
        self._handles.note(db, alert.named_keys())
        restate_freeze(db, "a.n = ?", number)
        return number

    def _take_freeze(self, db: sqlite3.Connection, record: Record) -> None:
        entry = decode_freeze(record.value)
        known = db.execute("SELECT 1 FROM freezes WHERE seq = ?", (entry.seq,)).fetchone()
        if known:  # delivered twice
            return
        db.execute(
            "INSERT INTO freezes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.seq,
                entry.ts,
                str(entry.act),
                str(entry.outcome),
                str(entry.rule) if entry.rule else None,
                entry.why,
                entry.who,
                str(entry.mode),
                entry.case,
                entry.api_key,
                entry.account,
                entry.app,
                entry.alert_id,
                entry.needs,
                entry.until,
                entry.request,
                record.value,
            ),
        )
        keys = [key for key in (entry.api_key, *entry.keys) if key]
        self._handles.note(db, keys)
        note_freeze(db, entry)

    def _take_lifecycle(self, db: sqlite3.Connection, record: Record) -> None:
        entry = decode_lifecycle(record.value)
        added = db.execute(
            "INSERT INTO lifecycle (id, ts, kind, reason, mode, text, api_key, account, phase,"
            " idle_since, last_use, notified_at, removal_due, actor)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (
                entry.id,
                entry.ts,
                str(entry.kind),
                str(entry.reason),
                entry.mode,
                entry.text,
                entry.api_key,
                entry.account,
                entry.phase,
                entry.idle_since,
                entry.last_use,
                entry.notified_at,
                entry.removal_due,
                entry.actor,
            ),
        )
        if added.rowcount and entry.api_key:
            self._handles.note(db, [entry.api_key])


def _take_decision(db: sqlite3.Connection, record: Record) -> None:
    take_decision(db, Disposition.decode(record.value), record.ts)


def _take_triage(db: sqlite3.Connection, record: Record) -> None:
    take_triage(db, Triage.decode(record.value))
