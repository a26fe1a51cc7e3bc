"""A mock exchange that keeps real state, for the demo and for tests; it can fail in every way.

It checks signatures, acts once per `webhook-id`, and keeps what it did in SQLite. Under `/mock` it
shows its state and takes faults. It is no exchange: never give it to anybody but yourself.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Literal, Self

import msgspec
from standardwebhooks import Webhook, WebhookVerificationError
from typing_extensions import override

from streams.exchange.wire import ID_HEADER, Operation

HOST: Final = "127.0.0.1"
MOST_BODY: Final = 1 << 20
POLL_S: Final = 0.02  # how soon the server hears that it is to end

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS subjects (
    kind TEXT, name TEXT, state TEXT NOT NULL, PRIMARY KEY (kind, name)
);
CREATE TABLE IF NOT EXISTS answers (id TEXT PRIMARY KEY, body BLOB NOT NULL, answer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS effects (ts REAL, id TEXT, operation TEXT, subject TEXT);
"""
_AFTER: Final = {
    Operation.FREEZE_KEY: "frozen",
    Operation.UNFREEZE_KEY: "active",
    Operation.REMOVE_KEY: "removed",
    Operation.HOLD_WITHDRAWALS: "held",
    Operation.RELEASE_WITHDRAWALS: "active",
}
_PATHS: Final = {operation.path: operation for operation in Operation}


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """How the next calls that fit fail."""

    kind: Literal["status", "slow", "drop", "lost", "garbage"]
    # status: answers `status` and does nothing; slow: waits `delay_s` first, then does as asked;
    # drop: closes without an answer, having done nothing; lost: the same, having done it;
    # garbage: answers what is no HTTP
    count: int = 1  # calls; -1: all from now on
    status: int = 503
    reason: str = "as told"
    retry_after: str | None = None
    location: str | None = None
    delay_s: float = 0.0
    operation: Operation | None = None  # None: any
    subject: str | None = None  # None: any

    def fits(self, operation: Operation | None, subject: str | None) -> bool:
        """Whether this call is to fail."""
        return (
            self.count != 0
            and self.operation in {None, operation}
            and self.subject in {None, subject}
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back; `broken` says that it is no proper answer."""

    status: int
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    broken: Literal["drop", "garbage"] | None = None


class _Data(msgspec.Struct):
    api_key: str | None = None
    account: str | None = None


class _Body(msgspec.Struct):
    type: Operation
    data: _Data


class MockExchange:
    """The exchange behind the server: give it requests, it gives replies. Thread-safe."""

    def __init__(self, secret: str, state: Path | None = None) -> None:
        self.faults: list[Fault] = []
        self.attempts = 0  # calls that arrived, whatever became of them
        self._webhook = Webhook(secret)
        self._db = sqlite3.connect(state or ":memory:", check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.executescript(_SCHEMA)
        self._lock = threading.Lock()

    def reply(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer a request."""
        if path.startswith("/mock/"):
            return self._control(method, path, body)
        if method != "POST" or path not in _PATHS:
            return _error(404, f"there is no {method} {path}")
        return self._call(_PATHS[path], headers, body)

    def state(self) -> dict[str, Any]:
        """Give what it knows: states of keys and accounts, and what it did, in order."""
        with self._lock:
            subjects = self._db.execute("SELECT kind, name, state FROM subjects").fetchall()
            effects = self._db.execute("SELECT ts, id, operation, subject FROM effects").fetchall()
        return {
            "keys": {name: state for kind, name, state in subjects if kind == "api_key"},
            "accounts": {name: state for kind, name, state in subjects if kind == "account"},
            "effects": [
                dict(zip(("ts", "id", "operation", "subject"), effect, strict=True))
                for effect in effects
            ],
            "attempts": self.attempts,
        }

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def _control(self, method: str, path: str, body: bytes) -> Reply:
        if path == "/mock/state" and method == "GET":
            return Reply(200, json.dumps(self.state()).encode())
        if path == "/mock/faults" and method == "POST":
            try:
                self.faults = msgspec.json.decode(body, type=list[Fault])
            except msgspec.MsgspecError as error:
                return _error(400, str(error))
            return Reply(204, b"")
        return _error(404, f"there is no {method} {path}")

    def _call(self, operation: Operation, headers: Mapping[str, str], body: bytes) -> Reply:
        named = {name.lower(): value for name, value in headers.items()}
        try:
            self._webhook.verify(body, named, json_parse=False)
            read = msgspec.json.decode(body, type=_Body)
        except (WebhookVerificationError, ValueError) as error:
            with self._lock:
                self.attempts += 1
            return _error(401 if isinstance(error, WebhookVerificationError) else 400, str(error))
        subject = read.data.account if operation.of_account else read.data.api_key
        with self._lock:
            self.attempts += 1
            fault = self._fault(operation, subject)
        if fault is not None and fault.kind == "slow":
            time.sleep(fault.delay_s)
        if fault is not None and fault.kind in {"status", "drop", "garbage"}:
            return _failed(fault)
        if read.type != operation or not subject:
            return _error(400, f"the body must say {operation} and name whom it is about")
        reply = self._act(named[ID_HEADER], operation, subject, body)
        lost = fault is not None and fault.kind == "lost"
        return Reply(0, broken="drop") if lost else reply

    def _fault(self, operation: Operation, subject: str | None) -> Fault | None:
        for fault in self.faults:
            if fault.fits(operation, subject):
                fault.count -= fault.count > 0
                return fault
        return None

    def _act(self, call_id: str, operation: Operation, subject: str, body: bytes) -> Reply:
        """Act once per id, and answer the same to the same."""
        with self._lock, self._db:
            row = self._db.execute(
                "SELECT body, answer FROM answers WHERE id = ?", (call_id,)
            ).fetchone()
            if row is not None:
                if row[0] != body:
                    return _error(409, "this id was used for another call")
                return Reply(200, row[1].encode())
            return self._do(call_id, operation, subject, body)

    def _do(self, call_id: str, operation: Operation, subject: str, body: bytes) -> Reply:
        kind = "account" if operation.of_account else "api_key"
        row = self._db.execute(
            "SELECT state FROM subjects WHERE kind = ? AND name = ?", (kind, subject)
        ).fetchone()
        if row == ("removed",) and operation != Operation.REMOVE_KEY:
            return _error(404, "the key was removed")
        state = _AFTER[operation]
        answer = json.dumps({kind: subject, "state": state})
        self._db.execute("INSERT OR REPLACE INTO subjects VALUES (?, ?, ?)", (kind, subject, state))
        self._db.execute(
            "INSERT INTO effects VALUES (?, ?, ?, ?)", (time.time(), call_id, operation, subject)
        )
        self._db.execute("INSERT INTO answers VALUES (?, ?, ?)", (call_id, body, answer))
        return Reply(200, answer.encode())


class MockServer:
    """The mock exchange behind HTTP on a loopback port, while the block runs."""

    def __init__(self, exchange: MockExchange, port: int = 0) -> None:
        self._server = ThreadingHTTPServer((HOST, port), _handler(exchange))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_S,), daemon=True
        )

    @property
    def url(self) -> str:
        """Its address, as `exchange_url` takes it."""
        return f"http://{HOST}:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(exchange: MockExchange) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30.0

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            length = self.headers.get("content-length", "0")
            if not length.isdecimal() or int(length) > MOST_BODY:
                self.close_connection = True
                return
            body = self.rfile.read(int(length))
            reply = exchange.reply(self.command, self.path, dict(self.headers.items()), body)
            if reply.broken:
                if reply.broken == "garbage":
                    self.wfile.write(b"\x00\xff nonsense\r\n\r\n")
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: requests name keys."""

    return Handler


def _failed(fault: Fault) -> Reply:
    if fault.kind != "status":
        return Reply(0, broken="garbage" if fault.kind == "garbage" else "drop")
    headers = {"retry-after": fault.retry_after, "location": fault.location}
    given = {name: value for name, value in headers.items() if value is not None}
    return Reply(fault.status, json.dumps({"error": fault.reason}).encode(), given)


def _error(status: int, text: str) -> Reply:
    return Reply(status, json.dumps({"error": text}).encode())
