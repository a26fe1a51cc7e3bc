"""What the hook must not forget, in SQLite: its entries, its cases, and the calls still to be made.

Everything is written in a transaction that is on disk (`synchronous=FULL`) before anybody is called
and before a Kafka offset moves. Cases, budgets and switches follow from the entries, so the topic
alone is enough to build all of it anew. One process at a time: a second one is refused.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from typing_extensions import override

from streams.closing import Closing
from streams.freeze.actions import GENESIS, POLICY, Act, Entry, Outcome, Rule, decode_entry, sealed
from streams.freeze.cases import FAILURES, OPEN, Case, State, case_after

FILE: Final = "outbox.sqlite"
BREAKER: Final = "breaker"
STOP_MESSAGE: Final = "stop message"
STOP_FILE: Final = "stop file"
HASH_CHARS: Final = 16  # of an entry's hash, in the id of its call

_SCHEMA: Final = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, hash TEXT NOT NULL, alert TEXT, request TEXT, body BLOB NOT NULL
);
CREATE INDEX entries_alert ON entries (alert) WHERE alert IS NOT NULL;
CREATE INDEX entries_request ON entries (request) WHERE request IS NOT NULL;
CREATE TABLE cases (
    id TEXT PRIMARY KEY, subject TEXT NOT NULL, act TEXT NOT NULL, state TEXT NOT NULL,
    changed INTEGER NOT NULL, until INTEGER, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX cases_subject ON cases (subject, act, changed);
CREATE INDEX cases_state ON cases (state, until);
CREATE TABLE spent (ts INTEGER NOT NULL, app TEXT, dry INTEGER NOT NULL);
CREATE INDEX spent_ts ON spent (dry, ts);
CREATE TABLE switches (name TEXT PRIMARY KEY, is_on INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE accounts (api_key TEXT PRIMARY KEY, account TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE calls (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, attempts INTEGER NOT NULL, due REAL NOT NULL,
    since REAL NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX calls_due ON calls (due);
"""

VERSION: Final = 1  # of the schema

_case: Final = msgspec.msgpack.Decoder(Case).decode


def switch_of(entry: Entry) -> str:
    """Name of the switch that an entry turns; a file and a message stop the hook independently."""
    if entry.act == Act.BREAKER:
        return BREAKER
    return STOP_FILE if entry.rule == Rule.KILL_SWITCH else STOP_MESSAGE


class OutboxError(Exception):
    """The outbox cannot be used."""


class OutgoingCall(NamedTuple):
    """A call that the exchange, or whoever is paged, has not answered for good."""

    id: str  # of its case, or of the alarm
    kind: str  # an `Act`, or "alarm"
    attempts: int  # begun so far
    due: float  # s
    since: float  # when it was first due, s
    body: bytes  # a `CallBody`, or the alarm


class CallBody(msgspec.Struct, frozen=True, array_like=True):
    """What the exchange is to be told, and by which entry.

    An exchange does nothing twice under one id, so each intention has an id of its own: the same
    for all attempts at it, over restarts too, and another for whatever is decided anew.
    """

    subject: str
    reason: str
    alert_id: str | None
    intention: str  # hash of the entry

    def call_id(self, call: OutgoingCall) -> str:
        """Give the idempotency key of a call with this body."""
        return f"{call.id}-{call.kind}-{self.intention[:HASH_CHARS]}"


class Outbox(Closing):
    """The one writer's memory."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=0.5)
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.execute("BEGIN IMMEDIATE")  # takes the lock, for good
            self._db.execute("COMMIT")
            version = self._number("PRAGMA user_version")
            if version == 0:
                self._db.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version = {VERSION};COMMIT;")
            elif version != VERSION:
                raise OutboxError(f"{self.path} has version {version}; must have {VERSION}")
        except (sqlite3.Error, OSError) as error:
            locked = "locked" in str(error)
            why = "another freeze hook has it open" if locked else str(error)
            raise OutboxError(f"{self.path} cannot be used: {why}") from error
        row = self._db.execute("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
        self._seq: int = row[0] if row else 0
        self._hash: str = row[1] if row else GENESIS

    @property
    def head(self) -> tuple[int, str]:
        """`seq` and `hash` of the last entry; 0 and `GENESIS` where there is none."""
        return self._seq, self._hash

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block or nothing of it; on disk when the block is left."""
        head = self.head
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._seq, self._hash = head
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def append(self, entry: Entry) -> Entry:
        """Chain a new entry, apply it, and give it with its place in the chain."""
        chained = sealed(entry, self._seq + 1, self._hash)
        self._apply(chained)
        return chained

    def adopt(self, entries: Iterable[Entry]) -> None:
        """Take over entries of the topic that are missing here, in their order."""
        for entry in entries:
            if (entry.seq, entry.previous) != (self._seq + 1, self._hash):
                raise OutboxError(
                    f"entry {entry.seq} of the audit does not follow entry {self._seq} of "
                    f"{self.path}: run roguekey freeze audit verify"
                )
            self._apply(entry)

    def _apply(self, entry: Entry) -> None:
        # What follows on a person's case names the alert that the person saw, and decides nothing.
        decides = entry.request is None and not (entry.case and self.case(entry.case))
        alert = entry.alert_id if decides else None
        self._db.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?)",
            (entry.seq, entry.hash, alert, entry.request, entry.encode()),
        )
        self._seq, self._hash = entry.seq, entry.hash
        self._note_account(entry)
        if entry.act in {Act.BREAKER, Act.KILL_SWITCH}:
            on = (switch_of(entry), entry.outcome == Outcome.ON)
            self._db.execute("INSERT OR REPLACE INTO switches VALUES (?, ?)", on)
        if entry.case:
            self._change(entry)

    def _note_account(self, entry: Entry) -> None:
        if entry.api_key and entry.account:
            whose = (entry.api_key, entry.account)
            self._db.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?)", whose)

    def _change(self, entry: Entry) -> None:
        before = self.case(entry.case)
        case = case_after(before, entry)
        if case is None or case is before:
            return
        self._db.execute(
            "INSERT OR REPLACE INTO cases VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                case.id,
                case.subject,
                case.act,
                case.state,
                case.changed_ts,
                case.until,
                msgspec.msgpack.encode(case),
            ),
        )
        if entry.act == Act.FREEZE_KEY and entry.who == POLICY:
            dry = entry.outcome == Outcome.WOULD and entry.rule is None
            if dry or (entry.outcome == Outcome.INTENDED and before is None):
                self._db.execute("INSERT INTO spent VALUES (?, ?, ?)", (entry.ts, entry.app, dry))

    def knows_alert(self, alert_id: str) -> bool:
        """Whether the hook has decided on this alert; what people ask for may name it, too."""
        return self._any("SELECT 1 FROM entries WHERE alert = ? LIMIT 1", alert_id)

    def knows_request(self, request_id: str) -> bool:
        """Whether this request was answered."""
        return self._any("SELECT 1 FROM entries WHERE request = ? LIMIT 1", request_id)

    def is_on(self, switch: str) -> bool:
        """Whether a switch is on: `BREAKER`, `STOP_MESSAGE` or `STOP_FILE`."""
        return self._any("SELECT 1 FROM switches WHERE name = ? AND is_on", switch)

    def case(self, case_id: str) -> Case | None:
        """Give a case by its id."""
        row = self._db.execute("SELECT body FROM cases WHERE id = ?", (case_id,)).fetchone()
        return _case(row[0]) if row else None

    def last_case(self, subject: str, act: Act, *states: State) -> Case | None:
        """Give the case of a key, account or app that changed last, of those in these states."""
        row = self._db.execute(
            "SELECT body FROM cases WHERE subject = ? AND act = ? "
            "AND state IN (SELECT value FROM json_each(?)) "
            "ORDER BY changed DESC, state = ? LIMIT 1",  # what took its place in the same moment
            (subject, act, msgspec.json.encode(states).decode(), State.CANCELLED),
        ).fetchone()
        return _case(row[0]) if row else None

    def open_case(self, subject: str, act: Act) -> Case | None:
        """Give the case of a key, account or app that is not over."""
        return self.last_case(subject, act, *OPEN)

    def account_of(self, api_key: str) -> str | None:
        """Account of a key, where an entry has told it; refused alerts count, too."""
        query = "SELECT account FROM accounts WHERE api_key = ?"
        row = self._db.execute(query, (api_key,)).fetchone()
        return row[0] if row else None

    def is_given_up(self, case: Case) -> bool:
        """Whether the exchange never confirmed, and is called no more."""
        return case.state in FAILURES and self.call(case.id) is None

    def due_cases(self, state: State, now_ms: int, most: int) -> list[Case]:
        """Give cases in a state whose `until` has passed, at most so many."""
        rows = self._db.execute(
            "SELECT body FROM cases WHERE state = ? AND until <= ? ORDER BY until LIMIT ?",
            (state, now_ms, most),
        )
        return [_case(body) for (body,) in rows]

    def cases_in(self, *states: State) -> list[Case]:
        """Give all cases in these states."""
        rows = self._db.execute(
            "SELECT body FROM cases WHERE state IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(states).decode(),),
        )
        return [_case(body) for (body,) in rows]

    def count(self, state: State) -> int:
        """Count the cases in a state."""
        return self._number("SELECT count(*) FROM cases WHERE state = ?", state)

    def spent(self, since_ms: int, *, dry: bool, app: str | None = None) -> int:
        """Count the freezes that no person approved, after a time; of one app, where given."""
        if app is None:
            query = "SELECT count(*) FROM spent WHERE dry = ? AND ts > ?"
            return self._number(query, dry, since_ms)
        query = "SELECT count(*) FROM spent WHERE dry = ? AND ts > ? AND app = ?"
        return self._number(query, dry, since_ms, app)

    def put_call(self, call: OutgoingCall) -> None:
        """Remember a call, or how it stands now."""
        self._db.execute("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?)", call)

    def drop_call(self, call_id: str) -> None:
        """Forget a call: it was answered for good, or must not be made any more."""
        self._db.execute("DELETE FROM calls WHERE id = ?", (call_id,))

    def call(self, call_id: str) -> OutgoingCall | None:
        """Give a call that is still to be answered."""
        row = self._db.execute("SELECT * FROM calls WHERE id = ?", (call_id,)).fetchone()
        return OutgoingCall(*row) if row else None

    def due_calls(self, now: float, most: int) -> list[OutgoingCall]:
        """Give calls that are due, those that have waited longest first."""
        rows = self._db.execute(
            "SELECT * FROM calls WHERE due <= ? ORDER BY due LIMIT ?", (now, most)
        )
        return [OutgoingCall(*row) for row in rows]

    def has_calls(self, most_attempts: int) -> bool:
        """Whether a call waits of which fewer attempts have been made."""
        return self._any("SELECT 1 FROM calls WHERE attempts < ? LIMIT 1", most_attempts)

    def calls_of_kind(self, kind: str) -> list[OutgoingCall]:
        """Give all calls of a kind."""
        rows = self._db.execute("SELECT * FROM calls WHERE kind = ?", (kind,))
        return [OutgoingCall(*row) for row in rows]

    def entries_after(self, seq: int, most: int) -> list[Entry]:
        """Give entries behind `seq`, in order."""
        rows = self._db.execute(
            "SELECT body FROM entries WHERE seq > ? ORDER BY seq LIMIT ?", (seq, most)
        )
        return [decode_entry(body) for (body,) in rows]

    def hash_at(self, seq: int) -> str | None:
        """Hash of the entry in this place of the chain."""
        if seq == 0:
            return GENESIS
        row = self._db.execute("SELECT hash FROM entries WHERE seq = ?", (seq,)).fetchone()
        return row[0] if row else None

    def forget_before(self, ms: int) -> None:
        """Drop what no budget asks for any more."""
        self._db.execute("DELETE FROM spent WHERE ts < ?", (ms,))

    @override
    def close(self) -> None:
        """Give the lock back."""
        self._db.close()

    def _any(self, query: str, *values: Any) -> bool:
        return self._db.execute(query, values).fetchone() is not None

    def _number(self, query: str, *values: Any) -> int:
        return int(self._db.execute(query, values).fetchone()[0])
