"""The entries of what happens to keys, in the words that their owners read."""

from datetime import UTC, datetime
from typing import Final

from models.alerts.masking import masked
from models.lifecycle.machine import KeyState, Mode, Phase, Spared, Step
from models.lifecycle.policy import DAY_MS, Policy
from streams.lifecycle.entries import Entry, Kind, Reason, entry_id

DONE: Final = {
    Step.NOTICE: Kind.NOTICE,
    Step.CONFIRMATION: Kind.CONFIRMATION,
    Step.REMOVAL: Kind.REMOVAL,
}
FAILED: Final = {
    Step.NOTICE: Kind.NOTICE_FAILED,
    Step.CONFIRMATION: Kind.NOTICE_FAILED,
    Step.REMOVAL: Kind.REMOVAL_FAILED,
}
_WHY: Final = {
    Spared.USED: "it was used",
    Spared.IP_BOUND: "it is bound to addresses",
    Spared.EXEMPT: "it is exempt",
    Spared.DELETED: "its owner deleted it",
    Spared.CREATED: "it was created again",
    Spared.NOT_OBSERVED: "uses of it may have been missed, so that its days are counted anew",
    Spared.USED_AFTER_REMOVAL: "it was used after its removal: the exchange still accepts it",
}


class Teller:
    """Makes entries under one policy and mode."""

    def __init__(self, policy: Policy, mode: Mode) -> None:
        self._policy = policy
        self._mode = mode

    def done(self, key: KeyState, step: Step, at: int) -> Entry:
        """Say that a step succeeded; `key` is as it is after it."""
        return self._of_key(key, DONE[step], Reason.INACTIVE, at, self._text(key, step))

    def failed(self, key: KeyState, step: Step, at: int, detail: str) -> Entry:
        """Say that a step did not succeed, and will be tried again."""
        what = "could not be removed" if step is Step.REMOVAL else "has an owner who was not told"
        text = f"Key {masked(key.api_key)} {what}: {detail}. It is tried again."
        return self._of_key(key, FAILED[step], Reason.INACTIVE, at, text)

    def spared(self, before: KeyState, key: KeyState, why: Spared, at: int, note: str) -> Entry:
        """Say why a key stays, or that it should have; `note` is a further sentence, or empty."""
        late = before.phase is Phase.REMOVED and before.mode is Mode.ENFORCE
        if late and key.phase is Phase.REMOVED:
            text = (
                f"Key {masked(key.api_key)} was used at {moment(key.last_use)} and removed at"
                f" {moment(key.removed_at)}, before that use was read: restore it."
            )
        else:
            text = f"Key {masked(key.api_key)} stays: {_WHY[why]}."
        is_late_use = late and why is not Spared.CREATED
        kind = Kind.LATE_USE if is_late_use else Kind.RESCUE
        return self._of_key(key, kind, Reason(why), at, f"{text} {note}".strip())

    def of_policy(self, kind: Kind, reason: Reason, at: int, text: str) -> Entry:
        """Say what concerns all keys."""
        return Entry(
            id=entry_id(kind, "", reason, at),
            kind=kind,
            ts=at,
            mode=self._mode,
            text=text,
            reason=reason,
            policy=self._policy.name,
        )

    def _of_key(self, key: KeyState, kind: Kind, reason: Reason, at: int, text: str) -> Entry:
        return Entry(
            id=entry_id(kind, key.api_key, reason, key.basis, at),
            kind=kind,
            ts=at,
            mode=self._mode,
            text=text,
            reason=reason,
            policy=self._policy.name,
            api_key=key.api_key,
            account=key.account,
            phase=key.phase,
            idle_since=key.basis or key.renewed,
            last_use=key.last_use or None,
            notified_at=key.notified_at or None,
            removal_due=key.removal_due or None,
        )

    def _text(self, key: KeyState, step: Step) -> str:
        name = masked(key.api_key)
        if step is Step.REMOVAL:
            return f"Key {name} was removed: unused since {moment(key.basis)}."
        days = (key.removal_due - key.notified_at) / DAY_MS
        if step is Step.CONFIRMATION:
            return f"Key {name} is being removed: not used since its notice {days:.0f} days ago."
        return (
            f"Key {name} was not used since {moment(key.basis)}, for {self._policy.idle_days} days"
            f" or more. It will be removed at {moment(key.removal_due)}, unless it is used or bound"
            " to an address before."
        )


def moment(ms: int) -> str:
    """Time for people, in UTC.

    >>> moment(1670562611123)
    '2022-12-09 05:10 UTC'
    """
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%d %H:%M} UTC"
