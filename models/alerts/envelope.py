"""The alert as others read it: CloudEvents 1.0 in JSON, a pure function of the input.

The same events give the same bytes in a live run, after a crash and in a replay; so nothing that
depends on the clock, the machine or the run may stand in here.
"""

from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from hashlib import blake2b
from typing import Final

import msgspec

SOURCE: Final = "roguekey"
MAX_EVIDENCE: Final = 20  # events named in an alert, at most
PLACES_HEADER: Final = "roguekey-places"  # beside an alert: where the events lie that weighed most


class AlertType(StrEnum):
    """What is alleged, and of whom."""

    LEAKED_KEY = "roguekey.alert.leaked_key.v1"
    APP_LEAK = "roguekey.alert.app_leak.v1"
    PROFITEER = "roguekey.alert.profiteer.v1"

    @property
    def short(self) -> str:
        """Its name among the others.

        >>> [kind.short for kind in AlertType]
        ['leaked_key', 'app_leak', 'profiteer']
        """
        return self.split(".")[2]


class Severity(IntEnum):
    """How bad it is; written in lower case."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class Action(StrEnum):
    """What the system would do."""

    FREEZE_KEY = "freeze_key"
    FREEZE_APP = "freeze_app"
    HOLD_WITHDRAWALS = "hold_withdrawals"
    REVIEW = "review"


class Reason(msgspec.Struct, frozen=True):
    """One thing that is unusual, in numbers and in words."""

    feature: str
    value: float
    typical: float
    contribution: float  # share of the score, 0..1
    text: str


class Evidence(msgspec.Struct, frozen=True):
    """The events that weighed most, strongest first."""

    from_ts: int  # ms
    to_ts: int  # ms
    event_ids: list[str]


class AlertData(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """`data` of an alert; the fields of the other types are left out."""

    event_id: str
    event_ts: int
    severity: str
    score: float
    threshold: float
    model: str
    config: str
    symbol: str
    venue: str
    reasons: list[Reason]
    recommended_action: Action
    evidence: Evidence
    api_key: str | msgspec.UnsetType = msgspec.UNSET
    account: str | msgspec.UnsetType = msgspec.UNSET
    app: str | msgspec.UnsetType | None = msgspec.UNSET
    notional: float | msgspec.UnsetType = msgspec.UNSET
    impact_bps: float | msgspec.UnsetType = msgspec.UNSET
    keys: list[str] | msgspec.UnsetType = msgspec.UNSET
    since: int | msgspec.UnsetType = msgspec.UNSET
    received_notional: float | msgspec.UnsetType = msgspec.UNSET
    from_keys: list[str] | msgspec.UnsetType = msgspec.UNSET


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as it is written, and as it is read; what others may add is ignored."""

    specversion: str = "1.0"
    id: str
    source: str = SOURCE
    type: AlertType
    subject: str
    time: str
    datacontenttype: str = "application/json"
    data: AlertData

    @property
    def api_key(self) -> str | None:
        """The accused key; None where the alert is about an app or an account."""
        return self.subject if self.type is AlertType.LEAKED_KEY else None

    def named_keys(self) -> list[str]:
        """Give all keys that it names."""
        data = self.data
        named = data.from_keys if self.type is AlertType.PROFITEER else data.keys
        own = [self.subject] if self.type is AlertType.LEAKED_KEY else []
        return list(dict.fromkeys([*own, *(named if isinstance(named, list) else [])]))


decode_alert: Final = msgspec.json.Decoder(Envelope).decode


class Place(msgspec.Struct, frozen=True):
    """Where an event lies: travels beside the alert, never in it."""

    partition: int
    offset: int


class Alert(msgspec.Struct, frozen=True):
    """An alert, ready to be written."""

    id: str
    type: AlertType
    subject: str
    data: AlertData
    places: list[Place]  # of evidence.event_ids, in the same order

    def encode(self) -> bytes:
        """Give the CloudEvent as JSON, without a newline."""
        return msgspec.json.encode(
            Envelope(
                id=self.id,
                type=self.type,
                subject=self.subject,
                time=rfc3339(self.data.event_ts),
                data=self.data,
            )
        )


def alert_id(kind: AlertType, subject: str, event_id: str) -> str:
    """Id of the alert that this event raises: 32 hexadecimal digits, a function of the input."""
    parts = msgspec.json.encode([kind, subject, event_id])
    return blake2b(parts, digest_size=16).hexdigest()


def rfc3339(ms: int) -> str:
    """Event time as CloudEvents wants it.

    >>> rfc3339(1670562611123)
    '2022-12-09T05:10:11.123Z'
    """
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def as_score(rank: float) -> float:
    """Score of an alert, 0..1: the chance that a benign key-day stays below.

    >>> as_score(3.0)
    0.999
    """
    return round(1.0 - float(10.0**-rank), 10)


def digits(value: float) -> float:
    """Six significant digits: what a reader can use, the same on every machine."""
    return float(f"{value:.6g}")
