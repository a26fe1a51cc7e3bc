"""Alerts as the hook reads them, with what it needs checked; what cannot be read is named."""

from hashlib import blake2b
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from models.alerts.envelope import Action, AlertType, Severity
from models.alerts.reasons import kinds_of
from models.unreadable import UNREADABLE
from streams.freeze.actions import Act

MOST_KEYS: Final = 100_000

Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Score: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1)]
Ms: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class MalformedAlert(ValueError):  # noqa: N818 - it is the alert that is malformed
    """A record of the alerts topic that is no alert; says which field and why."""


class _Reason(msgspec.Struct, frozen=True):
    feature: str
    contribution: float = 0.0


class _Data(msgspec.Struct, frozen=True):
    event_ts: Ms
    severity: Literal["low", "medium", "high", "critical"]
    score: Score
    recommended_action: Action
    reasons: list[_Reason]
    symbol: Name | None = None
    api_key: Name | None = None
    account: Name | None = None
    app: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    keys: Annotated[list[Name], msgspec.Meta(max_length=MOST_KEYS)] = []


class HeardAlert(msgspec.Struct, frozen=True):
    """An alert that was read and fits what it says of itself."""

    id: Name
    type: str
    subject: Name
    data: _Data

    @property
    def act(self) -> Act:
        """What it asks for, whoever may decide on it."""
        return _ACTS[self.type]

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return Severity[self.data.severity.upper()]

    @property
    def families(self) -> set[str]:
        """Kinds of evidence that carry weight; two reasons of one kind do not corroborate."""
        return kinds_of(self.data.reasons)


_ACTS: Final[dict[str, Act]] = {
    AlertType.LEAKED_KEY: Act.FREEZE_KEY,
    AlertType.APP_LEAK: Act.FREEZE_APP,
    AlertType.PROFITEER: Act.HOLD_WITHDRAWALS,
}
_decode: Final = msgspec.json.Decoder(HeardAlert).decode


def read_alert(value: bytes | None) -> HeardAlert:
    """Read an alert; `MalformedAlert` says what is wrong."""
    try:
        alert = _decode(value or b"")
    except UNREADABLE as error:
        raise MalformedAlert(str(error)) from None
    if alert.type not in _ACTS:
        raise MalformedAlert(f"type {alert.type[:100]!r} is not known")
    named = {
        Act.FREEZE_KEY: alert.data.api_key,
        Act.FREEZE_APP: alert.data.app,
        Act.HOLD_WITHDRAWALS: alert.data.account,
    }[alert.act]
    if named != alert.subject:
        raise MalformedAlert(f"subject is not whom `data` names for {alert.type}")
    return alert


def stand_in_id(value: bytes | None) -> str:
    """Id under which a record that cannot be read is remembered.

    >>> stand_in_id(b"{") == stand_in_id(b"{"), stand_in_id(None)[:10]
    (True, 'malformed:')
    """
    return f"malformed:{blake2b(value or b'', digest_size=16).hexdigest()}"
