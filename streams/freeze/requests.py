"""What people ask of the hook: freeze, propose, approve, reject, unfreeze, stop, resume.

Requests travel on a topic of their own, so that only the hook holds the exchange's secret and only
the hook writes the audit. Its answer is the entry on `freeze.actions` that names the request.
Whoever may write to that topic may ask: give the right to write to nobody else.
"""

import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from typing_extensions import override

from streams.clock import now_ms
from streams.closing import Closing
from streams.freeze.actions import Act, Entry, Outcome, read_entry
from streams.kafka.clients import connect
from streams.settings import TopicNames

CONNECT_MS: Final = 5000
LOOK_S: Final = 0.05  # between two looks for the answer


class Ask(StrEnum):
    """What can be asked."""

    FREEZE = "freeze"  # a key, or the withdrawals of an account, without an alert's case
    PROPOSE = "propose"  # the same, but somebody else has to approve it
    APPROVE = "approve"  # a case that waits, or one that failed
    REJECT = "reject"  # a case that waits, or that the exchange has not confirmed
    UNFREEZE = "unfreeze"  # also ends a hold of withdrawals
    STOP = "stop"  # the kill switch: freeze nothing any more
    RESUME = "resume"  # takes back a stop, and closes the breaker


Who: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"\S")]
Why: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=r"\S")]


Name: TypeAlias = Annotated[str, msgspec.Meta(max_length=512)]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request; made by `new_request`."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    ask: Ask
    who: Who
    reason: Why
    ts: int  # ms
    subject: Name = ""  # case; to unfreeze also key, account; to freeze the one or the other
    what: Literal["freeze_key", "hold_withdrawals"] = "freeze_key"  # to freeze: which of them
    account: Name | None = None  # of a key that is to be frozen, as far as it is known
    app: Name | None = None
    symbol: Name | None = None
    alert_id: Name | None = None  # alert that the person saw

    @property
    def act(self) -> Act:
        """What a freeze by hand is to be."""
        return Act(self.what)

    def encode(self) -> bytes:
        """Give the request as it lies on the topic."""
        return msgspec.json.encode(self)


decode_request: Final = msgspec.json.Decoder(Request).decode


def new_request(ask: Ask, *, who: str, reason: str, subject: str = "", **about: Any) -> Request:
    """Make a request, `about` its further fields; `ValueError` names what is wrong with it."""
    for field, value in (("who", who), ("reason", reason)):
        if not value.strip():
            raise ValueError(f"{field} is {value!r}; must not be empty")
    if ask not in {Ask.STOP, Ask.RESUME} and not subject:
        raise ValueError(f"subject is empty; {ask} needs one")
    made = Request(
        id=secrets.token_hex(8),
        ask=ask,
        who=who.strip(),
        reason=reason.strip(),
        ts=now_ms(),
        subject=subject,
        **about,
    )
    try:
        return decode_request(made.encode())
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


class Desk(Closing):
    """Puts requests on their topic and waits for the hook's answers; not thread-safe."""

    def __init__(
        self, brokers: list[str], names: TopicNames, client: Mapping[str, Any] | None = None
    ) -> None:
        common = {
            "bootstrap_servers": brokers,
            "bootstrap_timeout_ms": CONNECT_MS,
            **(client or {}),
        }
        self._topic = names.requests
        self._place = TopicPartition(names.freezes, 0)
        self._consumer = connect(KafkaConsumer, **common, group_id=None, enable_auto_commit=False)
        self._producer = KafkaProducer(**common)
        self._consumer.assign([self._place])
        self._new: deque[bytes | None] = deque()  # entries that came and were not looked at

    def send(self, request: Request) -> None:
        """Put a request on its topic; returns when the brokers have it."""
        self._producer.send(self._topic, request.encode()).get(timeout=CONNECT_MS / 1000)

    def ask(self, request: Request, timeout_s: float) -> Entry | None:
        """Send a request and give the hook's answer; None where none came in time."""
        self._consumer.seek(self._place, self._consumer.end_offsets([self._place])[self._place])
        self.send(request)
        return self._wait(lambda entry: entry.request == request.id, timeout_s)

    def outcome(self, answer: Entry, timeout_s: float) -> Entry | None:
        """Give what the exchange said to the case of an answer; None where that takes longer."""
        ends = {Outcome.DONE, Outcome.FAILED}
        return self._wait(lambda e: e.case == answer.case and e.outcome in ends, timeout_s)

    def _wait(self, wanted: Callable[[Entry], bool], timeout_s: float) -> Entry | None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            while self._new:
                entry = read_entry(self._new.popleft())
                if entry is not None and wanted(entry):
                    return entry
            polled = self._consumer.poll(timeout_ms=0).get(self._place, ())
            self._new.extend(record.value for record in polled)
            if not self._new:
                time.sleep(LOOK_S)
        return None

    @override
    def close(self) -> None:
        """Leave the brokers."""
        self._consumer.close()
        self._producer.close()
