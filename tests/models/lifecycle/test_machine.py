from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from models.lifecycle.machine import (
    KeyState,
    Mode,
    Phase,
    Spared,
    Step,
    done,
    flagged,
    next_step,
    rescue,
)
from models.lifecycle.policy import DAY_MS, policy
from tests.models.lifecycle.policies import BINANCE, ms

USED = ms("2026-01-29 10:00")
FLAGGED = ms("2026-02-28 10:00")  # thirty days later, a Saturday
KEY = KeyState("k1", account="a1", last_use=USED, renewed=USED)
IDLE = flagged(KEY, 0, Mode.ENFORCE)
NOTIFIED = done(IDLE, Step.NOTICE, FLAGGED, BINANCE)
CONFIRMED = done(NOTIFIED, Step.CONFIRMATION, NOTIFIED.removal_due, BINANCE)
REMOVED = done(CONFIRMED, Step.REMOVAL, NOTIFIED.removal_due, BINANCE)


def used(key: KeyState, at: int) -> KeyState:
    return replace(key, last_use=max(key.last_use, at), renewed=max(key.renewed, at))


def test_a_key_goes_from_active_to_removed_step_by_step() -> None:
    assert next_step(KEY, BINANCE, 0) == (Step.NOTICE, FLAGGED)
    assert next_step(IDLE, BINANCE, 0) == (Step.NOTICE, FLAGGED)
    assert next_step(NOTIFIED, BINANCE, 0) == (Step.CONFIRMATION, ms("2026-03-04"))
    assert next_step(CONFIRMED, BINANCE, 0) == (Step.REMOVAL, ms("2026-03-04"))
    assert next_step(REMOVED, BINANCE, 0) is None


def test_days_count_from_when_uses_are_known_completely() -> None:
    assert next_step(KEY, BINANCE, USED + 5) == (Step.NOTICE, FLAGGED + 5)


def test_a_key_that_was_never_used_counts_from_its_creation() -> None:
    key = KeyState("k1", created=USED, renewed=USED)
    assert next_step(key, BINANCE, 0) == (Step.NOTICE, FLAGGED)


@pytest.mark.parametrize("key", [IDLE, NOTIFIED, CONFIRMED])
def test_any_use_rescues(key: KeyState) -> None:
    assert rescue(used(key, USED), BINANCE, 0) is None  # heard of before
    found = rescue(used(key, USED + 1), BINANCE, 0)
    assert found is not None
    assert (found[0].phase, found[1]) == (Phase.ACTIVE, Spared.USED)


@pytest.mark.parametrize("key", [IDLE, NOTIFIED, CONFIRMED])
@pytest.mark.parametrize(
    ("heard", "why"),
    [
        ({"ip_bound": True}, Spared.IP_BOUND),
        ({"renewed": FLAGGED, "bound_changed": FLAGGED}, Spared.IP_BOUND),  # bound and lifted
        ({"deleted": FLAGGED}, Spared.DELETED),
        ({"created": FLAGGED, "renewed": FLAGGED}, Spared.CREATED),
    ],
)
def test_a_key_is_spared_for_what_its_owner_did(
    key: KeyState, heard: dict[str, int], why: Spared
) -> None:
    found = rescue(replace(key, **heard), BINANCE, 0)  # type: ignore[arg-type]  # its own fields
    assert found is not None
    assert (found[0].phase, found[1]) == (Phase.ACTIVE, why)


@pytest.mark.parametrize("exempt", ["k1", "account:a1"])
def test_who_is_exempt_is_neither_notified_nor_kept_on_the_way(exempt: str) -> None:
    sparing = policy("binance", BINANCE.calendar, exempt=(exempt,))
    assert next_step(KEY, sparing, 0) is None
    found = rescue(NOTIFIED, sparing, 0)
    assert found is not None
    assert found[1] is Spared.EXEMPT


def test_an_ip_bound_or_deleted_key_has_no_next_step() -> None:
    assert next_step(replace(KEY, ip_bound=True), BINANCE, 0) is None
    assert next_step(replace(KEY, deleted=USED), BINANCE, 0) is None
    assert next_step(replace(KEY, deleted=USED - 1), BINANCE, 0) is not None  # used since


def test_a_clock_that_started_before_uses_were_lost_starts_anew() -> None:
    found = rescue(NOTIFIED, BINANCE, USED + 1)
    assert found is not None
    assert found[1] is Spared.NOT_OBSERVED
    assert next_step(found[0], BINANCE, USED + 1) == (Step.NOTICE, FLAGGED + 1)


def test_a_removed_key_that_was_used_before_is_told_of_once_and_stays_removed() -> None:
    late = rescue(used(REMOVED, USED + 1), BINANCE, 0)
    assert late is not None
    assert (late[0].phase, late[1]) == (Phase.REMOVED, Spared.USED)
    assert rescue(late[0], BINANCE, 0) is None


def test_a_removed_key_that_still_works_or_was_made_again_is_active() -> None:
    after = REMOVED.removed_at + 1
    lives = rescue(used(REMOVED, after), BINANCE, 0)
    again = rescue(replace(REMOVED, created=after, renewed=after), BINANCE, 0)
    assert lives is not None
    assert again is not None
    assert (lives[0].phase, lives[1]) == (Phase.ACTIVE, Spared.USED_AFTER_REMOVAL)
    assert (again[0].phase, again[1]) == (Phase.ACTIVE, Spared.CREATED)


def test_a_removal_of_a_dry_run_is_undone_by_a_use() -> None:
    found = rescue(used(replace(REMOVED, mode=Mode.DRY_RUN), FLAGGED), BINANCE, 0)
    assert found is not None
    assert (found[0].phase, found[1]) == (Phase.ACTIVE, Spared.USED)


@pytest.mark.parametrize(
    ("key", "step"),
    [
        (KEY, Step.NOTICE),
        (IDLE, Step.REMOVAL),
        (NOTIFIED, Step.REMOVAL),
        (NOTIFIED, Step.NOTICE),
        (REMOVED, Step.REMOVAL),
    ],
)
def test_no_step_is_taken_out_of_turn(key: KeyState, step: Step) -> None:
    with pytest.raises(ValueError, match="must be that of its phase"):
        done(key, step, NOTIFIED.removal_due, BINANCE)


@pytest.mark.parametrize(
    ("key", "step"), [(NOTIFIED, Step.CONFIRMATION), (CONFIRMED, Step.REMOVAL)]
)
def test_no_step_is_taken_before_the_business_days_are_over(key: KeyState, step: Step) -> None:
    with pytest.raises(ValueError, match="must not come before"):
        done(key, step, key.removal_due - 1, BINANCE)


@given(st.integers(0, 400), st.integers(0, 5))
def test_whoever_looks_later_gives_no_less_time(late_days: int, notice_days: int) -> None:
    rule = policy("binance", BINANCE.calendar, notice_days=notice_days)
    told = done(IDLE, Step.NOTICE, FLAGGED + late_days * DAY_MS, rule)
    assert told.removal_due >= told.notified_at + notice_days * DAY_MS


class KeysWay(RuleBasedStateMachine):
    """A key, its owner, the policy and failing deliveries, in any order; the clock only goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = USED
        self.key = KEY
        self.delivered_notice: int | None = None  # since the last use or other rescue
        self.last_heard = USED

    @rule(hours=st.integers(1, 24 * 40))
    def time_goes_by(self, hours: int) -> None:
        self.now += hours * 3_600_000

    @rule(ago_hours=st.integers(0, 24))
    def the_owner_uses_it(self, ago_hours: int) -> None:
        if self.key.phase is Phase.REMOVED:
            return
        at = self.now - ago_hours * 3_600_000
        if at > self.key.renewed:
            self.delivered_notice = None
            self.last_heard = at
        self.key = used(self.key, at)

    @rule(bound=st.booleans())
    def the_owner_binds_it_to_an_address_or_frees_it(self, bound: bool) -> None:
        if self.key.phase is Phase.REMOVED or bound == self.key.ip_bound:
            return
        self.key = replace(self.key, ip_bound=bound, bound_changed=self.now)
        self.delivered_notice = None
        if not bound:
            self.key = replace(self.key, renewed=self.now)
            self.last_heard = self.now

    @rule(delivered=st.booleans())
    def the_policy_acts(self, delivered: bool) -> None:
        if found := rescue(self.key, BINANCE, 0):
            self.key = found[0]
        step = next_step(self.key, BINANCE, 0)
        if step is None or step[1] > self.now:
            return
        if self.key.phase is Phase.ACTIVE:
            self.key = flagged(self.key, 0, Mode.ENFORCE)
        if delivered:
            self.key = done(self.key, step[0], self.now, BINANCE)
            if step[0] is Step.NOTICE:
                self.delivered_notice = self.now

    @invariant()
    def it_was_removed_only_after_a_delivered_notice_and_two_business_days(self) -> None:
        if self.key.phase is Phase.REMOVED:
            assert self.delivered_notice is not None
            assert not self.key.ip_bound
            assert self.key.removed_at >= BINANCE.calendar.after(self.delivered_notice, 2)
            assert self.delivered_notice >= self.last_heard + 30 * DAY_MS


TestKeysWay = KeysWay.TestCase
