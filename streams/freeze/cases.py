"""Cases: what is being done, or was, about one incident of one key, account or app.

A case is what its entries say, taken in order; nothing else is known of it, so that it can be told
from the audit alone.
"""

from collections.abc import Iterable
from enum import StrEnum
from hashlib import blake2b
from typing import Final

import msgspec

from streams.freeze.actions import Act, Entry, Outcome, Rule


class State(StrEnum):
    """Where a case stands."""

    PENDING = "pending"  # waits for approval
    FREEZING = "freezing"  # the exchange is being told; of an account: to hold its withdrawals
    FROZEN = "frozen"
    FAILED = "failed"  # the exchange did not confirm; people were paged
    UNFREEZING = "unfreezing"
    UNFROZEN = "unfrozen"
    UNFREEZE_FAILED = "unfreeze failed"
    WOULD = "would"  # dry-run
    APPROVED = "approved"  # an app-wide freeze; its keys have cases of their own
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


OPEN: Final = frozenset(
    {
        State.PENDING,
        State.FREEZING,
        State.FROZEN,
        State.FAILED,
        State.UNFREEZING,
        State.UNFREEZE_FAILED,
    }
)
FAILURES: Final = frozenset({State.FAILED, State.UNFREEZE_FAILED})
UNDOING: Final = frozenset({Act.UNFREEZE_KEY, Act.RELEASE_WITHDRAWALS})

_AFTER: Final = {
    Outcome.WOULD: State.WOULD,
    Outcome.PENDING: State.PENDING,
    Outcome.REJECTED: State.REJECTED,
    Outcome.EXPIRED: State.EXPIRED,
    Outcome.INTENDED: State.FREEZING,
    Outcome.DONE: State.FROZEN,
    Outcome.FAILED: State.FAILED,
    Outcome.CANCELLED: State.CANCELLED,
}
_AFTER_UNDOING: Final = {
    Outcome.INTENDED: State.UNFREEZING,
    Outcome.DONE: State.UNFROZEN,
    Outcome.FAILED: State.UNFREEZE_FAILED,
}


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One case as it stands after its last entry."""

    id: str
    act: Act  # that opened it
    state: State
    subject: str  # API key, account or app
    opened_ts: int  # ms
    changed_ts: int  # ms
    intended_ts: int = 0  # when the exchange was last to be told something new, ms
    intention: str = ""  # hash of the entry that says so
    api_key: str | None = None
    account: str | None = None
    app: str | None = None
    keys: list[str] = msgspec.field(default_factory=list)
    symbol: str | None = None
    alert_id: str | None = None
    incident: str | None = None
    severity: str | None = None
    score: float | None = None
    event_ts: int | None = None
    needs: int = 0
    approvers: list[str] = msgspec.field(default_factory=list)
    until: int | None = None
    why: str = ""
    attempts: int = 0  # calls to the exchange, as far as an entry tells of them
    by_hand: bool = False  # a person asked for it, whatever the policy makes of alerts

    @property
    def is_automatic(self) -> bool:
        """Whether no person approved it."""
        return not self.approvers

    @property
    def may_be_done(self) -> bool:
        """Whether the exchange was called and may have acted, whatever it said."""
        return self.attempts > 0 or self.state in FAILURES


def subject_of(entry: Entry) -> str:
    """Whom an entry is about: key, account or app."""
    if entry.act == Act.FREEZE_APP:
        return entry.app or ""
    if entry.act in {Act.HOLD_WITHDRAWALS, Act.RELEASE_WITHDRAWALS}:
        return entry.account or ""
    return entry.api_key or ""


def case_id(act: Act, subject: str, alert_id: str) -> str:
    """Id of the case that this alert opens: the same for the same input, 16 hexadecimal digits."""
    parts = msgspec.json.encode([act, subject, alert_id])
    return blake2b(parts, digest_size=8).hexdigest()


def state_after(case: Case | None, entry: Entry) -> State | None:
    """State of a case after an entry; None where the entry changes none."""
    if entry.act in UNDOING:
        return _AFTER_UNDOING.get(entry.outcome)
    if entry.outcome == Outcome.APPROVED:
        if entry.needs or case is None:
            return case.state if case else None
        return State.APPROVED if entry.act == Act.FREEZE_APP else case.state
    return _AFTER.get(entry.outcome)


def case_after(case: Case | None, entry: Entry) -> Case | None:
    """Give the case as it stands after one more of its entries; None while there is none."""
    state = state_after(case, entry)
    if state is None:
        return case
    if case is None:
        case = Case(
            id=entry.case,
            act=entry.act,
            state=state,
            subject=subject_of(entry),
            opened_ts=entry.ts,
            changed_ts=entry.ts,
            api_key=entry.api_key,
            account=entry.account,
            app=entry.app,
            keys=entry.keys,
            symbol=entry.symbol,
            alert_id=entry.alert_id,
            incident=entry.incident,
            severity=entry.severity,
            score=entry.score,
            event_ts=entry.event_ts,
        )
    is_intended = entry.outcome == Outcome.INTENDED
    return msgspec.structs.replace(
        case,
        state=state,
        changed_ts=entry.ts,
        intended_ts=entry.ts if is_intended else case.intended_ts,
        intention=entry.hash if is_intended else case.intention,
        needs=entry.needs,
        approvers=entry.approvers or case.approvers,
        until=entry.until,
        why=entry.why,
        attempts=max(case.attempts, entry.attempts),
        by_hand=case.by_hand or entry.rule == Rule.BY_HAND,
    )


def cases_of(entries: Iterable[Entry]) -> dict[str, Case]:
    """Give all cases by id, as they stand after these entries."""
    cases: dict[str, Case] = {}
    for entry in entries:
        case = case_after(cases.get(entry.case), entry) if entry.case else None
        if case is not None:
            cases[entry.case] = case
    return cases
