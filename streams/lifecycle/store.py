"""What the inactive-key policy must not forget: one SQLite file, one transaction per thing known.

Offsets lie in it beside what was read up to them, and intents beside the states that they change.
So a process that is killed at any moment goes on as if nothing had been.
"""

import fcntl
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from typing_extensions import override

from streams.closing import Closing

SCHEMA_VERSION: Final = 1
BUSY_S: Final = 10.0  # an operator's command may be writing
CACHE_KIB: Final = 65_536
HOUR_MS: Final = 3_600_000

# `unused`, `due` and `heard` hold only the keys that may be next, so that looking costs nothing.
SCHEMA: Final = """
CREATE TABLE keys (
    api_key TEXT PRIMARY KEY, account TEXT,
    last_use INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL DEFAULT 0,
    renewed INTEGER NOT NULL DEFAULT 0, ip_bound INTEGER NOT NULL DEFAULT 0,
    bound_changed INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0,
    phase TEXT NOT NULL DEFAULT 'active', mode TEXT NOT NULL DEFAULT 'dry-run',
    basis INTEGER NOT NULL DEFAULT 0, notified_at INTEGER NOT NULL DEFAULT 0,
    removal_due INTEGER NOT NULL DEFAULT 0, removed_at INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX unused ON keys(renewed) WHERE phase = 'active' AND ip_bound = 0 AND deleted < renewed;
CREATE INDEX due ON keys(removal_due) WHERE phase = 'notified';
CREATE INDEX heard ON keys(api_key) WHERE phase <> 'active' AND (renewed > basis
    OR (phase <> 'removed' AND (ip_bound = 1 OR deleted >= renewed)));
CREATE INDEX on_the_way ON keys(phase, basis) WHERE phase <> 'active';
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, channel TEXT NOT NULL, kind TEXT NOT NULL,
    api_key TEXT NOT NULL, body BLOB, state TEXT NOT NULL DEFAULT 'pending',
    made INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_try INTEGER NOT NULL,
    first_try INTEGER NOT NULL DEFAULT 0, told INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX pending ON outbox(channel, kind, next_try) WHERE state = 'pending';
CREATE INDEX steps_of ON outbox(api_key) WHERE state = 'pending' AND channel = 'step';
CREATE INDEX lately ON outbox(kind, made) WHERE channel = 'step';
CREATE TABLE places (
    topic TEXT, partition INTEGER, next INTEGER NOT NULL, first_ts INTEGER NOT NULL DEFAULT 0,
    is_whole INTEGER NOT NULL, PRIMARY KEY (topic, partition)
);
CREATE TABLE hours (hour INTEGER PRIMARY KEY);
CREATE TABLE losses (
    id INTEGER PRIMARY KEY, found INTEGER NOT NULL, text TEXT NOT NULL, acknowledged INTEGER,
    actor TEXT, why TEXT
);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class StateError(Exception):
    """The state file cannot be used."""


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a partition was read."""

    next: int  # offset
    first_ts: int  # time of the first event that was ever read of it, ms; 0: none yet
    is_whole: bool  # it was read from offset 0 on


class Store(Closing):
    """The open file. Whoever changes something holds its lock, but for an operator's command."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        if read_only and not path.is_file():
            raise StateError(f"state file {path} does not exist: roguekey lifecycle makes it")
        try:
            mode = "ro" if read_only else "rwc"
            uri = f"{path.absolute().as_uri()}?mode={mode}"
            self.sql = sqlite3.connect(uri, timeout=BUSY_S, isolation_level=None, uri=True)
            if not read_only:
                self.sql.execute("PRAGMA journal_mode = WAL")
                self.sql.execute("PRAGMA synchronous = FULL")
                self.sql.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            self._check_version(make=not read_only)
        except sqlite3.Error as error:
            raise StateError(f"state file {path} cannot be used: {error}") from error

    def _check_version(self, *, make: bool) -> None:
        with self.transaction() if make else _nothing():
            (version,) = self.sql.execute("PRAGMA user_version").fetchone()
            if version == 0 and make:
                for statement in filter(None, map(str.strip, SCHEMA.split(";"))):
                    self.sql.execute(statement)
                self.sql.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            elif version != SCHEMA_VERSION:
                raise StateError(
                    f"state file {self.path} has version {version}; must have {SCHEMA_VERSION}"
                )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all of the block or nothing of it."""
        self.sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.sql.execute("ROLLBACK")
            raise
        self.sql.execute("COMMIT")

    def fact(self, name: str) -> str | None:
        """Give a single value that was kept."""
        found = self.sql.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else None

    def time(self, name: str) -> int:
        """Give a moment that was kept, ms; 0: none."""
        return int(self.fact(name) or 0)

    def keep(self, name: str, value: str | int) -> None:
        """Keep a single value."""
        self.sql.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, str(value)))

    def places(self) -> dict[Place, Reached]:
        """Give how far each partition was read."""
        rows = self.sql.execute("SELECT topic, partition, next, first_ts, is_whole FROM places")
        return {Place(t, p): Reached(n, first, bool(whole)) for t, p, n, first, whole in rows}

    def reach(self, places: Mapping[Place, Reached]) -> None:
        """Keep how far partitions were read."""
        self.sql.executemany(
            "INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?)",
            ((*p, at.next, at.first_ts, at.is_whole) for p, at in places.items()),
        )

    def add_hours(self, hours: Iterable[int]) -> None:
        """Keep the hours, counted from the epoch, of which there are orders."""
        self.sql.executemany("INSERT OR IGNORE INTO hours VALUES (?)", ((hour,) for hour in hours))

    def hours(self, since: int, until: int) -> list[int]:
        """Give the hours of which there are orders, from one to another, rising."""
        rows = self.sql.execute(
            "SELECT hour FROM hours WHERE hour BETWEEN ? AND ? ORDER BY hour", (since, until)
        )
        return [hour for (hour,) in rows]

    def add_loss(self, found: int, text: str) -> None:
        """Keep that orders were lost; until somebody acknowledges it, nothing is done."""
        self.sql.execute("INSERT INTO losses (found, text) VALUES (?, ?)", (found, text))

    def losses(self) -> list[str]:
        """Give what nobody has acknowledged yet."""
        rows = self.sql.execute("SELECT text FROM losses WHERE acknowledged IS NULL ORDER BY id")
        return [text for (text,) in rows]

    def end_losses(self, now: int, actor: str, why: str) -> None:
        """Keep who acknowledged the losses."""
        self.sql.execute(
            "UPDATE losses SET acknowledged = ?, actor = ?, why = ? WHERE acknowledged IS NULL",
            (now, actor, why),
        )

    @override
    def close(self) -> None:
        """Close the file."""
        self.sql.close()


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Keep other processes from acting on this state file; `StateError` if one does."""
    lock = path.with_name(path.name + ".lock")
    try:
        file = lock.open("a")
    except OSError as error:
        raise StateError(f"state file {path} cannot be locked: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StateError(f"state file {path} is in use by another process") from error
        yield


@contextmanager
def _nothing() -> Iterator[None]:
    yield
