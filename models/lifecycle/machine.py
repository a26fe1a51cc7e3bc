"""One key's way: active, idle, notified, confirmed, removed; any use brings it back to active.

    active ──unused long enough──▶ idle ──notice delivered──▶ notified ──business days over,
    owner told──▶ confirmed ──exchange did it──▶ removed

Nothing here knows the time: it is handed in. Times are ms since the Unix epoch, UTC.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from models.lifecycle.policy import Policy


class Mode(StrEnum):
    """Whether anybody is told, and anything removed, in earnest."""

    DRY_RUN = "dry-run"
    ENFORCE = "enforce"


class Phase(StrEnum):
    """Where a key stands."""

    ACTIVE = "active"
    IDLE = "idle"  # unused for too long; the notice has not gone out
    NOTIFIED = "notified"  # the notice went out: the business days run
    CONFIRMED = "confirmed"  # they are over, the owner was told; the exchange is being asked
    REMOVED = "removed"


class Step(StrEnum):
    """What is done to a key; each takes effect when it has succeeded, and not before."""

    NOTICE = "notice"
    CONFIRMATION = "confirmation"
    REMOVAL = "removal"


class Spared(StrEnum):
    """Why a key on its way to removal stays, or why nothing is to be done about it."""

    USED = "used"
    IP_BOUND = "ip_bound"
    EXEMPT = "exempt"
    DELETED = "deleted"
    CREATED = "created"
    NOT_OBSERVED = "not_observed"
    USED_AFTER_REMOVAL = "used_after_removal"


STEP_OF = {
    Phase.ACTIVE: Step.NOTICE,
    Phase.IDLE: Step.NOTICE,
    Phase.NOTIFIED: Step.CONFIRMATION,
    Phase.CONFIRMED: Step.REMOVAL,
}


@dataclass(frozen=True, slots=True)
class KeyState:
    """What is known of one key. A time that never was is 0."""

    api_key: str
    account: str | None = None
    last_use: int = 0
    created: int = 0
    renewed: int = 0  # latest of its uses, its creation and the end of an IP restriction
    ip_bound: bool = False
    bound_changed: int = 0  # when its IP restriction was last set or lifted
    deleted: int = 0  # by its owner
    phase: Phase = Phase.ACTIVE
    mode: Mode = Mode.DRY_RUN  # in which it left `active`
    basis: int = 0  # idle_since when it left `active`
    notified_at: int = 0
    removal_due: int = 0
    removed_at: int = 0

    @property
    def is_deleted(self) -> bool:
        """Whether its owner deleted it, and nothing of it was heard since."""
        return self.deleted > 0 and self.deleted >= self.renewed


def idle_since(key: KeyState, observed_since: int) -> int:
    """Time from which days of inactivity count: uses before `observed_since` may be unknown."""
    return max(key.renewed, observed_since)


def shelter(key: KeyState, policy: Policy) -> Spared | None:
    """Why this key is not to be removed at all, however long it is idle; None: it may be."""
    if key.is_deleted:
        return Spared.DELETED
    if key.ip_bound:
        return Spared.IP_BOUND
    if key.api_key in policy.exempt_keys or key.account in policy.exempt_accounts:
        return Spared.EXEMPT
    return None


def next_step(key: KeyState, policy: Policy, observed_since: int) -> tuple[Step, int] | None:
    """Give the step that comes next if the key stays unused, and its earliest time; None: none."""
    step = STEP_OF.get(key.phase)
    if step is None or shelter(key, policy):
        return None
    if step is Step.NOTICE:
        return step, idle_since(key, observed_since) + policy.idle_ms
    return step, key.removal_due


def rescue(key: KeyState, policy: Policy, observed_since: int) -> tuple[KeyState, Spared] | None:
    """Give the key as it is after what was heard of it since it left `active`, and why.

    None where nothing that matters was heard. A removed key comes back only where the removal was
    not in earnest or where it lives on all the same; that an earnest removal was wrong is told,
    once, and the key stays removed.
    """
    if key.phase is Phase.ACTIVE:
        return None
    if key.phase is Phase.REMOVED and key.mode is Mode.ENFORCE:
        return _heard_of_removed(key)
    why = Spared.USED if key.last_use > key.basis else None
    if why is None and key.renewed > key.basis:
        why = Spared.CREATED if key.created > key.basis else Spared.IP_BOUND  # bound and lifted
    why = shelter(key, policy) or why
    if why is None and observed_since > key.basis and key.phase is not Phase.REMOVED:
        why = Spared.NOT_OBSERVED
    return (reactivated(key), why) if why else None


def _heard_of_removed(key: KeyState) -> tuple[KeyState, Spared] | None:
    if key.renewed <= key.basis:
        return None
    if key.created > key.removed_at:
        return reactivated(key), Spared.CREATED
    if key.last_use > key.removed_at:
        return reactivated(key), Spared.USED_AFTER_REMOVAL
    told = replace(key, basis=key.renewed)
    return (told, Spared.USED) if key.last_use > key.basis else None


def reactivated(key: KeyState) -> KeyState:
    """Give the key at the beginning of its way; the next notice begins a new clock."""
    return replace(key, phase=Phase.ACTIVE, basis=0, notified_at=0, removal_due=0, removed_at=0)


def flagged(key: KeyState, observed_since: int, mode: Mode) -> KeyState:
    """Give the key as idle: a notice is to go out."""
    basis = idle_since(key, observed_since)
    return replace(key, phase=Phase.IDLE, basis=basis, mode=mode)


def done(key: KeyState, step: Step, at: int, policy: Policy) -> KeyState:
    """Give the key after a step that succeeded at a time; `ValueError` if it is not its turn."""
    if STEP_OF.get(key.phase) is not step or key.phase is Phase.ACTIVE:
        raise ValueError(f"step {step} of a key that is {key.phase}; must be that of its phase")
    if step is Step.NOTICE:
        due = policy.removal_due(at)
        return replace(key, phase=Phase.NOTIFIED, notified_at=at, removal_due=due)
    if at < key.removal_due:
        raise ValueError(f"{step} at {at}; must not come before {key.removal_due}")
    if step is Step.CONFIRMATION:
        return replace(key, phase=Phase.CONFIRMED)
    return replace(key, phase=Phase.REMOVED, removed_at=at)
