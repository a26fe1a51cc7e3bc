"""What lies on `freeze.actions`: one entry for every decision, in a chain that shows tampering.

Each entry is one JSON object with its fields in the order of their names. `hash` is the SHA-256, in
hexadecimal, of the same object without `hash`; `previous` is the `hash` of the entry before, and of
the first one `GENESIS`. `seq` counts 1, 2, 3 without gaps. One topic holds one chain, written by
one hook; an entry that lies there twice, byte for byte, is a repeated delivery and means nothing.

A *case* is what is done about one incident of one key, account or app. Its entries share `case`,
and tell its story: pending → approved → intended → done, for example.
"""

from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

import msgspec

from models.unreadable import UNREADABLE

GENESIS: Final = "0" * 64
POLICY: Final = "policy"  # `who` of what no person decided


class Mode(StrEnum):
    """How far the hook may go by itself."""

    OFF = "off"  # refuses everything
    DRY_RUN = "dry-run"  # decides and tells, calls nobody
    APPROVE = "approve"  # asks a person about every freeze
    AUTO = "auto"  # freezes by itself, within the policy


class Act(StrEnum):
    """What an entry is about."""

    FREEZE_KEY = "freeze_key"
    UNFREEZE_KEY = "unfreeze_key"
    FREEZE_APP = "freeze_app"  # all keys that an alert names; each then has a case of its own
    HOLD_WITHDRAWALS = "hold_withdrawals"
    RELEASE_WITHDRAWALS = "release_withdrawals"
    BREAKER = "breaker"  # `on`: the hook fell back from auto to approve
    KILL_SWITCH = "kill_switch"  # `on`: nothing is frozen any more
    REVIEW = "review"  # an alert that asks for no action, or cannot be read


class Outcome(StrEnum):
    """What became of it."""

    REFUSED = "refused"  # `rule` says by which rule
    WOULD = "would"  # dry-run: in earnest it would have been intended or pending
    PENDING = "pending"  # waits for `needs` approvers until `until`
    APPROVED = "approved"  # by `who`; `approvers` are all so far
    REJECTED = "rejected"  # by `who`
    EXPIRED = "expired"  # nobody approved in time
    INTENDED = "intended"  # decided; the exchange is being told
    DONE = "done"  # the exchange confirmed
    FAILED = "failed"  # the exchange did not; people are being paged
    CANCELLED = "cancelled"  # was intended or pending, but must not be any more
    ON = "on"
    OFF = "off"


class Rule(StrEnum):
    """Which rule of the policy decided."""

    MALFORMED = "malformed"
    ALERT_TYPE = "alert_type"
    RECOMMENDATION = "recommendation"
    MODE = "mode"
    KILL_SWITCH = "kill_switch"
    EVENT_AGE = "event_age"
    ALLOW_LIST = "allow_list"
    SEVERITY = "severity"
    SCORE = "score"
    CORROBORATION = "corroboration"
    OPEN_CASE = "open_case"  # the same incident: already frozen, or being decided
    COOL_DOWN = "cool_down"
    BUDGET = "budget"
    BREAKER = "breaker"
    APPROVERS = "approvers"  # people must decide, or this person may not
    PENDING_LIMIT = "pending_limit"
    EXCHANGE = "exchange"  # what the exchange answered
    TIME_TO_LIVE = "time_to_live"  # a freeze that ends by itself
    NO_CASE = "no_case"  # a request names what is not there
    REQUEST = "request"  # a person asked for it
    BY_HAND = "by_hand"  # a person asked for it, whatever the policy makes of alerts


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One decision; the fields that do not apply are empty, zero or null.

    `api_key` is the full id, as in alerts: mask it on screens and in logs.
    """

    seq: int  # 1, 2, 3 …
    ts: int  # when it was decided, ms
    act: Act
    outcome: Outcome
    rule: Rule | None  # what decided
    why: str  # in words; of a person's decision, the reason given
    who: str  # POLICY, or the person
    mode: Mode  # in force at that time; a breaker that is open makes auto approve
    case: str  # id of the case; empty where none was opened
    api_key: str | None = None
    account: str | None = None
    app: str | None = None
    keys: list[str] = msgspec.field(default_factory=list)  # of an app-wide freeze
    symbol: str | None = None
    alert_id: str | None = None
    incident: str | None = None  # id of the alert that began the incident
    severity: str | None = None
    score: float | None = None
    event_ts: int | None = None  # of the order that raised the alert, ms
    needs: int = 0  # approvers still missing
    approvers: list[str] = msgspec.field(default_factory=list)  # who proposed it, too
    until: int | None = None  # ms; when an approval expires, or a freeze ends by itself
    attempts: int = 0  # calls to the exchange so far
    request: str | None = None  # id of the request that this answers
    policy: str = ""  # id of the policy in force
    previous: str = GENESIS
    hash: str = ""

    def encode(self) -> bytes:
        """Give the entry as it lies on the topic."""
        return msgspec.json.encode(self, order="sorted")


def sealed(entry: Entry, seq: int, previous: str) -> Entry:
    """Give the entry its place in the chain, behind the entry whose hash is `previous`."""
    placed = msgspec.structs.replace(entry, seq=seq, previous=previous, hash="")
    return msgspec.structs.replace(placed, hash=hash_of(msgspec.to_builtins(placed)))


def hash_of(fields: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of an entry's fields, `hash` left out.

    Canonical: UTF-8, fields sorted by name, no white space. Fields that this version does not know
    count too, so that the chain of a newer version can be verified.
    """
    rest = {name: value for name, value in fields.items() if name != "hash"}
    return sha256(msgspec.json.encode(rest, order="sorted")).hexdigest()


decode_entry: Final = msgspec.json.Decoder(Entry).decode


def read_entry(value: bytes | None) -> Entry | None:
    """Read a record of the topic; None where it is no entry of ours, of which `verify` tells."""
    try:
        return decode_entry(value or b"")
    except UNREADABLE:
        return None
