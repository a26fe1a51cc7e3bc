"""A hook with a clock of its own, before a mock exchange in the same process."""

import base64
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import httpx
import msgspec
from typing_extensions import override

from streams.exchange.client import Caller, ExchangeClient, Signer
from streams.exchange.mock import Fault, MockExchange
from streams.freeze.actions import Act, Entry, Mode, Outcome
from streams.freeze.hook import Hook
from streams.freeze.outbox import Outbox
from streams.freeze.policy import Policy
from streams.freeze.requests import Ask, Request, new_request

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
NOW = 1_800_000_000.0

P = ParamSpec("P")
T = TypeVar("T")


class AtOnce(Executor):
    """Makes every call at once, in this thread."""

    @override
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


class Held(Executor):
    """Keeps every call on its way until it is let go."""

    def __init__(self) -> None:
        self._calls: list[Callable[[], None]] = []

    @override
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        answer: Future[T] = Future()
        self._calls.append(lambda: answer.set_result(fn(*args, **kwargs)))
        return answer

    def let_go(self) -> None:
        """Let the exchange answer."""
        calls, self._calls = self._calls, []
        for call in calls:
            call()


def leak(number: int = 1, key: str = "key-1", **changes: Any) -> bytes:
    """A leaked key's alert, good enough for the default thresholds."""
    data: dict[str, Any] = {
        "event_ts": round(1000 * NOW) - 1000,
        "severity": "critical",
        "score": 0.99999,
        "recommended_action": "freeze_key",
        "symbol": "AXSUSDT",
        "api_key": key,
        "account": f"account of {key}",
        "app": "app-1",
        "reasons": [
            {"feature": "pair_novelty", "contribution": 0.5, "text": "new"},
            {"feature": "push", "contribution": 0.3, "text": "moved"},
        ],
    }
    kind = "roguekey.alert.leaked_key.v1"
    return envelope(f"alert-{number}", kind, key, data | changes)


def app_leak(keys: list[str], number: int = 0, **changes: Any) -> bytes:
    data = msgspec.json.decode(leak())["data"]
    data |= {"recommended_action": "freeze_app", "app": "app-1", "keys": keys}
    del data["api_key"], data["account"]
    return envelope(f"alert-app-{number}", "roguekey.alert.app_leak.v1", "app-1", data | changes)


def profiteer(**changes: Any) -> bytes:
    data = msgspec.json.decode(leak())["data"]
    data |= {"recommended_action": "hold_withdrawals", "account": "thief"}
    del data["api_key"]
    return envelope("alert-thief", "roguekey.alert.profiteer.v1", "thief", data | changes)


def envelope(alert_id: str, kind: str, subject: str, data: dict[str, Any]) -> bytes:
    about = {"specversion": "1.0", "id": alert_id, "source": "roguekey", "type": kind}
    return msgspec.json.encode(about | {"subject": subject, "data": data})


class Stand:
    """What a test needs around a hook; `now` is its time, s."""

    def __init__(self, folder: Path, *, exchange: bool = True, **policy: Any) -> None:
        self.now = NOW
        self.folder = folder
        self.exchange = MockExchange(SECRET)
        self._has_exchange = exchange
        self.alarms: list[dict[str, Any]] = []
        self.alarm_status = 200
        self.kill_file = folder / "STOP"
        self.begin(**policy)

    def begin(self, **policy: Any) -> None:
        """Start a hook on what is in the folder."""
        self.policy = Policy(**({"mode": Mode.AUTO} | policy))
        self.outbox = Outbox(self.folder)
        signer = Signer(SECRET)
        self.hook = Hook(
            self.policy,
            self.outbox,
            AtOnce(),
            exchange=self._client(signer) if self._has_exchange else None,
            alarm=Caller("http://alarm", signer, transport=httpx.MockTransport(self._page)),
            kill_file=self.kill_file,
            clock=lambda: self.now,
        )
        self.hook.resume()

    def _client(self, signer: Signer) -> ExchangeClient:
        return ExchangeClient("http://x", signer, transport=httpx.MockTransport(self._call))

    def again(self, **policy: Any) -> None:
        """End the hook, and start another."""
        self.outbox.close()
        self.begin(**policy)

    def hear(self, *alerts: bytes) -> None:
        self.hook.hear(alerts)
        self.settle()

    def hold(self, *alerts: bytes) -> Held:
        """Hear alerts, and keep the calls of this life on their way."""
        held = Held()
        self.hook._calls._executor = held
        self.hook.hear(alerts)
        self.hook.turn()
        return held

    def ask(self, what: Ask, subject: str = "", who: str = "eva", reason: str = "because") -> Entry:
        """Ask for something and give the hook's answer."""
        return self.ask_about(what, subject, who, reason)

    def ask_about(
        self, ask: Ask, subject: str, who: str = "eva", reason: str = "because", **about: Any
    ) -> Entry:
        """Ask for something, with more said about whom."""
        request = self.request(ask, subject, who=who, reason=reason, **about)
        self.hook.obey([request.encode()])
        self.settle()
        return next(entry for entry in self.entries() if entry.request == request.id)

    def request(self, ask: Ask, subject: str, **about: Any) -> Request:
        """Make a request at this time."""
        made = new_request(ask, subject=subject, **({"who": "eva", "reason": "because"} | about))
        return msgspec.structs.replace(made, ts=round(1000 * self.now))

    def settle(self, seconds: float = 0.0) -> None:
        """Let time pass, and the hook do what is due."""
        self.now += seconds
        self.hook.turn()
        while not self.hook.is_idle:
            self.hook.turn()

    def entries(self, *acts: Act) -> list[Entry]:
        found = self.outbox.entries_after(0, 1_000_000)
        return [entry for entry in found if not acts or entry.act in acts]

    def story(self, *acts: Act) -> list[Outcome]:
        return [entry.outcome for entry in self.entries(*acts)]

    @property
    def last(self) -> Entry:
        return self.entries()[-1]

    def fail(self, **fault: Any) -> None:
        self.exchange.faults = [Fault(**fault)]

    @property
    def keys(self) -> dict[str, str]:
        keys: dict[str, str] = self.exchange.state()["keys"]
        return keys

    def effects(self, operation: str = "key.freeze") -> list[str]:
        """Whom the exchange did it to, in order."""
        effects = self.exchange.state()["effects"]
        return [effect["subject"] for effect in effects if effect["operation"] == operation]

    def _call(self, request: httpx.Request) -> httpx.Response:
        reply = self.exchange.reply(
            request.method, request.url.path, dict(request.headers), request.content
        )
        if reply.broken:
            raise httpx.RemoteProtocolError("closed without an answer")
        return httpx.Response(reply.status, content=reply.body, headers=dict(reply.headers))

    def _page(self, request: httpx.Request) -> httpx.Response:
        if self.alarm_status == 200:
            self.alarms.append(msgspec.json.decode(request.content))
        return httpx.Response(self.alarm_status)
