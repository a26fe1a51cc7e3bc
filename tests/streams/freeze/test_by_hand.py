"""A person freezes a key of which the policy made nothing."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.freeze.actions import Act, Mode, Outcome, Rule
from streams.freeze.cases import State
from streams.freeze.requests import Ask
from tests.streams.freeze.stand import NOW, Stand, leak, profiteer

LEAVES_IT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a dry run": ({"mode": Mode.DRY_RUN}, {}),
    "a low severity": ({}, {"severity": "low"}),
    "a watch-only alert": ({}, {"recommended_action": "review"}),
    "an old order": ({}, {"event_ts": 1}),
}


@pytest.mark.parametrize("why", LEAVES_IT)
def test_a_person_freezes_what_the_policy_leaves(tmp_path: Path, why: str) -> None:
    policy, changes = LEAVES_IT[why]
    stand = Stand(tmp_path, **policy)
    stand.hear(leak(**changes))
    assert stand.keys == {}
    answer = stand.ask(Ask.FREEZE, "key-1", who="eva", reason="the owner called")
    assert (answer.outcome, answer.rule, answer.who) == (Outcome.INTENDED, Rule.BY_HAND, "eva")
    assert (answer.why, answer.approvers, answer.api_key) == ("the owner called", ["eva"], "key-1")
    assert stand.keys == {"key-1": "frozen"}
    assert (stand.last.outcome, stand.last.case) == (Outcome.DONE, answer.case)


def test_neither_budget_nor_breaker_nor_cool_down_hold_a_person_back(tmp_path: Path) -> None:
    budget = {"per_minute": 1, "per_hour": 1, "per_day": 1, "per_app_hour": 1}
    stand = Stand(tmp_path, budget=budget)
    stand.hear(leak(1, "a"), leak(2, "b"))  # b is one too many: the breaker is open
    stand.ask(Ask.UNFREEZE, "a")
    for key in ("a", "b", "c"):
        assert stand.ask(Ask.FREEZE, key).outcome in {Outcome.INTENDED, Outcome.APPROVED}
    assert stand.keys == dict.fromkeys("abc", "frozen")
    assert stand.outbox.spent(0, dry=False) == 1


def test_a_freeze_by_hand_leaves_the_budget_to_the_hook(tmp_path: Path) -> None:
    stand = Stand(tmp_path, budget={"per_minute": 1})
    stand.ask(Ask.FREEZE, "a")
    stand.hear(leak(1, "b"))
    assert stand.keys == {"a": "frozen", "b": "frozen"}


def test_kill_switch_mode_off_and_allow_list_hold_for_people_too(tmp_path: Path) -> None:
    line = {"account": "alice", "until": "2100-01-01T00:00:00Z", "by": "ops", "reason": "ours"}
    stand = Stand(tmp_path, allow=[line])
    answer = stand.ask_about(Ask.FREEZE, "a", account="alice")
    assert (answer.outcome, answer.rule, answer.api_key) == (Outcome.REFUSED, Rule.ALLOW_LIST, "a")
    stand.ask(Ask.STOP)
    assert stand.ask(Ask.FREEZE, "a").rule == Rule.KILL_SWITCH
    assert stand.ask(Ask.PROPOSE, "a").rule == Rule.KILL_SWITCH
    stand.ask(Ask.RESUME)
    stand.again(mode=Mode.OFF)
    assert stand.ask(Ask.FREEZE, "a").rule == Rule.MODE
    assert stand.keys == {}


def test_a_stop_cancels_what_a_person_asked_for_and_the_exchange_has_not_done(
    tmp_path: Path,
) -> None:
    stand = Stand(tmp_path, calls={"retry_at_s": [100]})
    assert stand.ask(Ask.FREEZE, "a").outcome == Outcome.INTENDED
    stand.ask(Ask.STOP)
    stand.settle(200)
    assert stand.keys == {}


def test_a_request_that_lay_too_long_freezes_nobody(tmp_path: Path) -> None:
    stand = Stand(tmp_path, approval_expires_s=60.0)
    request = stand.request(Ask.FREEZE, "a")
    old = msgspec.structs.replace(request, ts=round(1000 * NOW) - 61_000)
    stand.hook.obey([old.encode()])
    stand.settle()
    assert (stand.last.outcome, stand.last.rule) == (Outcome.REFUSED, Rule.EVENT_AGE)
    assert stand.keys == {}


@pytest.mark.parametrize("ask", [Ask.FREEZE, Ask.APPROVE])
def test_a_request_that_lay_too_long_has_no_failed_freeze_tried_again(
    tmp_path: Path, ask: Ask
) -> None:
    stand = Stand(tmp_path)
    stand.fail(kind="status", status=404)
    stand.hear(leak())
    request = stand.request(ask, "key-1" if ask == Ask.FREEZE else stand.last.case)
    stand.now += 3 * 86_400
    stand.hook.obey([request.encode()])
    stand.settle()
    assert (stand.last.outcome, stand.last.rule) == (Outcome.REFUSED, Rule.EVENT_AGE)
    assert stand.keys == {}
    assert stand.ask(ask, request.subject).outcome == Outcome.APPROVED
    assert stand.keys == {"key-1": "frozen"}


def test_without_an_exchange_a_person_is_told_so(tmp_path: Path) -> None:
    stand = Stand(tmp_path, exchange=False, mode=Mode.DRY_RUN)
    answer = stand.ask(Ask.FREEZE, "a")
    assert (answer.outcome, answer.rule) == (Outcome.REFUSED, Rule.EXCHANGE)
    assert "exchange_url is not set" in answer.why


def test_what_is_frozen_already_is_refused_and_what_waits_is_approved(tmp_path: Path) -> None:
    stand = Stand(tmp_path, mode=Mode.APPROVE)
    stand.hear(leak())
    waiting = stand.last.case
    answer = stand.ask(Ask.FREEZE, "key-1")
    assert (answer.outcome, answer.rule, answer.case) == (
        Outcome.APPROVED,
        Rule.BY_HAND,
        waiting,
    )
    again = stand.ask(Ask.FREEZE, "key-1")
    assert (again.outcome, again.rule) == (Outcome.REFUSED, Rule.OPEN_CASE)
    assert stand.effects() == ["key-1"]


def test_frozen_unfrozen_and_frozen_again_the_exchange_does_each(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    for _ in range(2):
        stand.ask(Ask.FREEZE, "a")
        assert stand.keys == {"a": "frozen"}
        stand.ask(Ask.UNFREEZE, "a")
    assert stand.effects() == ["a", "a"]


def test_who_may_not_freeze_proposes_and_somebody_else_approves(tmp_path: Path) -> None:
    stand = Stand(tmp_path, mode=Mode.DRY_RUN)
    proposed = stand.ask(Ask.PROPOSE, "a", who="ann")
    assert (proposed.outcome, proposed.needs, proposed.who) == (Outcome.PENDING, 1, "ann")
    assert stand.keys == {}
    assert [alarm["type"] for alarm in stand.alarms] == ["freeze.approval"]
    assert stand.ask(Ask.PROPOSE, "a", who="ben").rule == Rule.OPEN_CASE
    assert stand.ask(Ask.APPROVE, proposed.case, who="eva").outcome == Outcome.APPROVED
    assert stand.keys == {"a": "frozen"}


@pytest.mark.parametrize("ask", [Ask.APPROVE, Ask.FREEZE])
def test_nobody_approves_what_they_proposed_themselves(tmp_path: Path, ask: Ask) -> None:
    stand = Stand(tmp_path)
    case = stand.ask(Ask.PROPOSE, "a", who="ann").case
    own = stand.ask(ask, case if ask == Ask.APPROVE else "a", who="Ann")
    assert (own.outcome, own.rule, own.case) == (Outcome.REFUSED, Rule.APPROVERS, case)
    assert stand.keys == {}
    assert stand.ask(Ask.APPROVE, case, who="eva").approvers == ["ann", "eva"]
    assert stand.keys == {"a": "frozen"}


def test_a_proposal_expires_and_too_many_of_them_are_refused(tmp_path: Path) -> None:
    stand = Stand(tmp_path, most_pending=1, approval_expires_s=60.0)
    case = stand.ask(Ask.PROPOSE, "a").case
    assert stand.ask(Ask.PROPOSE, "b").rule == Rule.PENDING_LIMIT
    stand.settle(61)
    expired = stand.outbox.case(case)
    assert expired
    assert expired.state == State.EXPIRED


def test_withdrawals_are_held_by_hand_and_released(tmp_path: Path) -> None:
    stand = Stand(tmp_path, mode=Mode.DRY_RUN)
    stand.hear(profiteer())
    answer = stand.ask_about(Ask.FREEZE, "thief", what=Act.HOLD_WITHDRAWALS)
    assert (answer.act, answer.account, answer.api_key) == (Act.HOLD_WITHDRAWALS, "thief", None)
    assert stand.effects("withdrawals.hold") == ["thief"]
    stand.ask(Ask.UNFREEZE, "thief")
    assert stand.effects("withdrawals.release") == ["thief"]


@pytest.mark.parametrize("mode", [Mode.DRY_RUN, Mode.APPROVE, Mode.AUTO])
def test_a_freeze_by_hand_survives_a_restart_and_is_done_once(tmp_path: Path, mode: Mode) -> None:
    stand = Stand(tmp_path, mode=mode, calls={"retry_at_s": [1, 1, 1]})
    stand.fail(kind="lost", count=1)  # the exchange acts, and its answer is lost
    request = stand.request(Ask.FREEZE, "a").encode()
    stand.hook.obey([request])
    stand.settle(1)
    stand.again(mode=mode, calls={"retry_at_s": [1, 1, 1]})
    stand.hook.obey([request])  # delivered again: its offset was not committed
    stand.settle(1)
    stand.settle(1)
    assert stand.effects() == ["a"]
    assert stand.story(Act.FREEZE_KEY) == [Outcome.INTENDED, Outcome.DONE]


def test_an_alert_of_a_key_that_a_person_froze_changes_nothing(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    stand.ask(Ask.FREEZE, "key-1")
    stand.hear(leak())
    assert (stand.last.outcome, stand.last.rule) == (Outcome.REFUSED, Rule.OPEN_CASE)
    assert stand.effects() == ["key-1"]


def test_a_refused_person_does_not_keep_the_hook_from_the_alert(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    stand.ask(Ask.STOP)
    stand.ask_about(Ask.FREEZE, "key-1", alert_id="alert-1")
    stand.ask(Ask.RESUME)
    stand.hear(leak(event_ts=round(1000 * NOW)))
    assert stand.keys == {"key-1": "frozen"}


def test_a_proposal_that_names_an_alert_does_not_decide_on_it(tmp_path: Path) -> None:
    stand = Stand(tmp_path, approval_expires_s=60.0)
    stand.ask_about(Ask.PROPOSE, "key-1", alert_id="alert-1")
    stand.settle(61)
    assert stand.last.outcome == Outcome.EXPIRED
    stand.hear(leak())
    assert (stand.hook.repeated, stand.keys) == (0, {"key-1": "frozen"})


def test_a_proposal_does_not_keep_the_hook_from_freezing_by_itself(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    proposed = stand.ask_about(Ask.PROPOSE, "key-1", alert_id="alert-1").case
    stand.hear(leak())
    assert stand.keys == {"key-1": "frozen"}
    replaced = stand.outbox.case(proposed)
    assert replaced
    assert replaced.state == State.CANCELLED


def test_a_proposal_is_left_where_the_hook_would_only_ask_too(tmp_path: Path) -> None:
    stand = Stand(tmp_path, mode=Mode.APPROVE)
    proposed = stand.ask(Ask.PROPOSE, "key-1", who="ann").case
    stand.hear(leak())
    assert (stand.last.outcome, stand.last.rule) == (Outcome.REFUSED, Rule.OPEN_CASE)
    stand.ask(Ask.APPROVE, proposed)
    assert stand.keys == {"key-1": "frozen"}
