"""The read model: what the topics say, in SQLite, as the screen asks for it.

It holds nothing of its own: delete the file, and the topics rebuild it. Rows and the offsets that
they come from are written in one transaction. One connection writes, any number read meanwhile.
"""

import fcntl
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from streams.settings import ConfigError

VERSION: Final = "2"  # of the schema; a file of another version is built anew
DAY_MS: Final = 86_400_000

SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE offsets (
    topic TEXT, place INTEGER, next INTEGER, PRIMARY KEY (topic, place)
) WITHOUT ROWID;
CREATE TABLE alerts (
    n INTEGER PRIMARY KEY,           -- order of arrival
    change INTEGER NOT NULL,         -- number of the last change, of this alert among all
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL, severity INTEGER NOT NULL,
    api_key TEXT, account TEXT, app TEXT, symbol TEXT NOT NULL, venue TEXT NOT NULL,
    score REAL NOT NULL, threshold REAL NOT NULL, money REAL NOT NULL, impact_bps REAL,
    event_ts INTEGER NOT NULL, raised_ts INTEGER NOT NULL,
    action TEXT NOT NULL, reasons TEXT NOT NULL,
    body BLOB NOT NULL, places BLOB NOT NULL, at INTEGER NOT NULL,
    assignee TEXT, snoozed_until INTEGER NOT NULL DEFAULT 0,
    verdict TEXT, verdict_by TEXT, verdict_ts INTEGER,
    freeze TEXT, freeze_ts INTEGER
);
CREATE INDEX alerts_by_change ON alerts (change);
CREATE INDEX alerts_by_severity ON alerts (severity, n);
CREATE INDEX alerts_by_money ON alerts (money, n);
CREATE INDEX alerts_by_key ON alerts (api_key, n);
CREATE INDEX alerts_by_app ON alerts (app, n);
CREATE INDEX alerts_by_account ON alerts (account, n);
CREATE INDEX alerts_by_market ON alerts (symbol, venue, event_ts);
CREATE INDEX alerts_by_kind ON alerts (kind, n);
CREATE INDEX alerts_by_time ON alerts (raised_ts);
CREATE TABLE alert_keys (alert INTEGER, api_key TEXT, PRIMARY KEY (alert, api_key)) WITHOUT ROWID;
CREATE INDEX alert_keys_by_key ON alert_keys (api_key);
CREATE TABLE keys (api_key TEXT PRIMARY KEY, handle TEXT NOT NULL UNIQUE) WITHOUT ROWID;
CREATE TABLE decisions (
    n INTEGER PRIMARY KEY, alert_id TEXT NOT NULL, ts INTEGER NOT NULL, who TEXT NOT NULL,
    what TEXT NOT NULL, note TEXT NOT NULL
);
CREATE INDEX decisions_by_alert ON decisions (alert_id, n);
CREATE TABLE triage (
    n INTEGER PRIMARY KEY, alert_id TEXT NOT NULL, ts INTEGER NOT NULL, who TEXT NOT NULL,
    what TEXT NOT NULL, until INTEGER NOT NULL, note TEXT NOT NULL
);
CREATE INDEX triage_by_alert ON triage (alert_id, n);
CREATE TABLE freezes (
    seq INTEGER PRIMARY KEY, ts INTEGER NOT NULL, act TEXT NOT NULL, outcome TEXT NOT NULL,
    rule TEXT, why TEXT NOT NULL, who TEXT NOT NULL, mode TEXT NOT NULL, case_id TEXT NOT NULL,
    api_key TEXT, account TEXT, app TEXT, alert_id TEXT, needs INTEGER NOT NULL, until INTEGER,
    request TEXT, body BLOB NOT NULL
);
CREATE INDEX freezes_by_key ON freezes (api_key, seq);
CREATE INDEX freezes_by_alert ON freezes (alert_id, seq);
CREATE INDEX freezes_by_case ON freezes (case_id, seq);
CREATE INDEX freezes_by_account ON freezes (account, seq);
CREATE INDEX freezes_by_request ON freezes (request) WHERE request IS NOT NULL;
CREATE INDEX freezes_by_time ON freezes (ts);
CREATE TABLE lifecycle (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, ts INTEGER NOT NULL, kind TEXT NOT NULL,
    reason TEXT NOT NULL, mode TEXT NOT NULL, text TEXT NOT NULL, api_key TEXT, account TEXT,
    phase TEXT, idle_since INTEGER, last_use INTEGER, notified_at INTEGER, removal_due INTEGER,
    actor TEXT
);
CREATE INDEX lifecycle_by_key ON lifecycle (api_key, n);
CREATE TABLE charts (
    alert INTEGER PRIMARY KEY, made_ts INTEGER NOT NULL, complete INTEGER NOT NULL,
    body BLOB NOT NULL
);
"""


class ReadModel:
    """The file, the connection that writes to it, and connections that read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._owned = _own(path)
        self._writer = _open(path)
        self.epoch = str(self._meta("epoch"))  # of this file: changes are numbered within it

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Write in one transaction: all of the block, or nothing of it."""
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read one consistent state."""
        db = sqlite3.connect(
            f"file:{self.path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            db.row_factory = sqlite3.Row
            db.execute("BEGIN")
            yield db
        finally:
            db.close()

    def offsets(self) -> dict[tuple[str, int], int]:
        """Give the next offset to read, by topic and partition."""
        with self.reading() as db:
            rows = db.execute("SELECT topic, place, next FROM offsets").fetchall()
        return {(topic, place): at for topic, place, at in rows}

    def close(self) -> None:
        """Close the file; connections that read close by themselves."""
        with self._lock:
            self._writer.close()
            self._owned.close()

    def _meta(self, name: str) -> Any:
        row = self._writer.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None


def next_change(db: sqlite3.Connection) -> int:
    """Give a change its number; whoever has seen one number can ask for all after it."""
    row = db.execute(
        "INSERT INTO meta VALUES ('change', 1)"
        " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
    ).fetchone()
    return int(row[0])


def last_change(db: sqlite3.Connection) -> int:
    """Give the number of the last change."""
    row = db.execute("SELECT value FROM meta WHERE name = 'change'").fetchone()
    return int(row[0]) if row else 0


def count(db: sqlite3.Connection, name: str, more: int = 1) -> None:
    """Count something odd that the screen should tell."""
    db.execute(
        "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2",
        (name, more),
    )


def _own(path: Path) -> IO[str]:
    """Keep other dashboards from writing to the same file, as long as this is open."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_suffix(".lock").open("a")
    except OSError as error:
        raise ConfigError(f"dashboard_data: {error.filename}: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ConfigError(f"dashboard_data: another dashboard runs on {path.parent}") from None
    return file


def _open(path: Path) -> sqlite3.Connection:
    if _version_of(path) != VERSION:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))  # it holds full key ids
        db = _connect(path)
        db.executescript(f"BEGIN; {SCHEMA} COMMIT;")
        entries = (("version", VERSION), ("epoch", secrets.token_hex(4)))
        db.executemany("INSERT INTO meta VALUES (?, ?)", entries)
        return db
    return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    return db


def _version_of(path: Path) -> str | None:
    """Read the version of a file; None where there is none, or it is no read model."""
    if not path.exists():
        return None
    db = sqlite3.connect(path)
    try:
        row = db.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
    except sqlite3.DatabaseError:
        return None
    finally:
        db.close()
    return str(row[0]) if row else None
