from pathlib import Path
from typing import Any

import pytest

from streams.exchange.wire import Operation
from streams.freeze.actions import Act, Mode, Outcome, Rule
from streams.freeze.cases import State, cases_of
from streams.freeze.requests import Ask
from tests.streams.freeze.stand import NOW, Stand, leak

ALWAYS = {"count": -1}


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def test_attempts_are_made_after_0_1_2_5_15_and_30_seconds_then_people_are_paged(
    stand: Stand,
) -> None:
    stand.fail(kind="status", status=503, **ALWAYS)
    stand.hear(leak())
    attempts = [stand.exchange.attempts]
    for wait in (1, 2, 5, 15, 30):
        stand.settle(wait - 0.01)
        attempts.append(stand.exchange.attempts)
        assert stand.alarms == []
        stand.settle(0.01)
        attempts.append(stand.exchange.attempts)
    assert attempts == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    assert [alarm["type"] for alarm in stand.alarms] == ["freeze.failed"]
    assert stand.alarms[0]["data"]["subject"] == "k…1"
    assert (stand.last.outcome, stand.last.attempts) == (Outcome.FAILED, 6)


def test_after_paging_it_goes_on_trying_for_a_while(tmp_path: Path) -> None:
    stand = Stand(tmp_path, calls={"again_every_s": 60, "give_up_after_s": 300})
    stand.fail(kind="drop", **ALWAYS)
    stand.hear(leak())
    for wait in (1, 2, 5, 15, 30):
        stand.settle(wait)
    stand.exchange.faults = []
    stand.settle(60)
    assert stand.keys == {"key-1": "frozen"}
    assert stand.story() == [Outcome.INTENDED, Outcome.FAILED, Outcome.DONE]


def test_it_gives_up_at_last_and_a_person_may_have_it_tried_again(tmp_path: Path) -> None:
    stand = Stand(tmp_path, calls={"retry_at_s": [0], "again_every_s": 60, "give_up_after_s": 100})
    stand.fail(kind="drop", **ALWAYS)
    stand.hear(leak())
    for _ in range(5):
        stand.settle(60)
    made = stand.exchange.attempts
    stand.settle(6000)
    assert stand.exchange.attempts == made == 3
    stand.exchange.faults = []
    stand.ask(Ask.APPROVE, stand.last.case, reason="the exchange is back")
    assert stand.keys == {"key-1": "frozen"}


def test_what_was_given_up_is_tried_again_when_the_key_is_accused_again(tmp_path: Path) -> None:
    stand = Stand(tmp_path, calls={"retry_at_s": [0], "give_up_after_s": 0})
    stand.fail(kind="drop", **ALWAYS)
    stand.hear(leak(1))
    stand.exchange.faults = []
    stand.hear(leak(2))
    assert stand.keys == {"key-1": "frozen"}
    states = sorted(case.state for case in cases_of(stand.entries()).values())
    assert states == [State.CANCELLED, State.FROZEN]


def test_what_a_person_approves_after_a_failure_is_another_call(stand: Stand) -> None:
    stand.fail(kind="lost")  # the exchange acts, and remembers the call
    stand.hear(leak())
    stand.fail(kind="status", status=404)
    stand.settle(1)
    stand.fail(kind="status", status=404)
    stand.ask(Ask.APPROVE, stand.last.case, reason="the owner called")
    assert stand.story().count(Outcome.FAILED) == 2
    assert [alarm["type"] for alarm in stand.alarms] == ["freeze.failed"] * 2
    stand.ask(Ask.APPROVE, stand.last.case, reason="the exchange knows it by now")
    assert stand.last.outcome == Outcome.DONE
    assert len(call_ids(stand)) == 2


@pytest.mark.parametrize("reason", ["because", "now in earnest"])
def test_a_second_unfreeze_is_another_call(reason: str, tmp_path: Path) -> None:
    stand = Stand(tmp_path, calls={"retry_at_s": [0], "give_up_after_s": 0})
    stand.hear(leak())
    stand.fail(kind="lost", operation=Operation.UNFREEZE_KEY)
    stand.ask(Ask.UNFREEZE, "key-1")
    assert stand.last.outcome == Outcome.FAILED
    stand.ask(Ask.UNFREEZE, "key-1", reason=reason)
    assert (stand.last.act, stand.last.outcome) == (Act.UNFREEZE_KEY, Outcome.DONE)
    assert stand.effects("key.unfreeze") == ["key-1", "key-1"]
    assert len(call_ids(stand)) == 3


def call_ids(stand: Stand) -> set[str]:
    return {effect["id"] for effect in stand.exchange.state()["effects"]}


def test_an_unfreeze_that_was_given_up_keeps_no_later_alert_from_freezing(tmp_path: Path) -> None:
    policy: dict[str, Any] = {"retry_at_s": [0], "give_up_after_s": 0}
    stand = Stand(tmp_path, calls=policy, cool_down_s=60)
    stand.hear(leak(1))
    stand.fail(kind="drop", operation=Operation.UNFREEZE_KEY, **ALWAYS)
    stand.ask(Ask.UNFREEZE, "key-1")
    assert (stand.last.act, stand.last.outcome) == (Act.UNFREEZE_KEY, Outcome.FAILED)
    stand.hear(leak(2))
    assert stand.last.rule == Rule.COOL_DOWN  # somebody has decided that it may trade
    stand.settle(61)
    stand.hear(leak(3))
    assert stand.effects() == ["key-1", "key-1"]
    states = sorted(case.state for case in cases_of(stand.entries()).values())
    assert states == [State.CANCELLED, State.FROZEN]


def test_the_exchange_may_ask_for_patience(stand: Stand) -> None:
    stand.fail(kind="status", status=429, retry_after="9")
    stand.hear(leak())
    stand.settle(8.9)
    assert stand.keys == {}
    stand.settle(0.1)
    assert stand.keys == {"key-1": "frozen"}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "lost"},
        {"kind": "drop"},
        {"kind": "garbage"},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 408},
    ],
)
def test_what_goes_wrong_once_is_made_good_and_never_done_twice(
    fault: dict[str, Any], stand: Stand
) -> None:
    stand.fail(**fault)
    stand.hear(leak())
    stand.settle(1)
    assert stand.effects() == ["key-1"]
    assert stand.story() == [Outcome.INTENDED, Outcome.DONE]
    assert stand.last.attempts == 2


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404])
def test_a_refusal_is_not_asked_again_but_people_are(status: int, stand: Stand) -> None:
    stand.fail(kind="status", status=status, location="http://elsewhere/", **ALWAYS)
    stand.hear(leak())
    stand.settle(1000)
    assert stand.exchange.attempts == 1
    assert stand.last.outcome == Outcome.FAILED
    assert len(stand.alarms) == 1


def test_too_many_failures_open_the_breaker_and_it_says_so(tmp_path: Path) -> None:
    stand = Stand(tmp_path, breaker={"failures": 3, "within_s": 10})
    stand.fail(kind="status", status=500, **ALWAYS)
    stand.hear(leak(1, "a"), leak(2, "b"))
    assert stand.entries(Act.BREAKER) == []
    stand.settle(1)
    [opened] = stand.entries(Act.BREAKER)
    assert (opened.outcome, opened.rule) == (Outcome.ON, Rule.EXCHANGE)
    assert "freeze.breaker" in [alarm["type"] for alarm in stand.alarms]
    stand.exchange.faults = []
    stand.hear(leak(3, "c"))
    asked = stand.entries(Act.FREEZE_KEY)[-1]
    assert (asked.outcome, asked.rule, asked.mode) == (Outcome.PENDING, Rule.BREAKER, Mode.APPROVE)
    stand.ask(Ask.RESUME, reason="it was the network")
    stand.hear(leak(4, "d"))
    assert stand.keys["d"] == "frozen"


def test_neither_the_log_nor_a_page_shows_a_full_key(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    key = "a-key-that-must-not-be-shown"
    stand.hear(leak(1, key, account="someone"), b"{")
    stand.ask(Ask.UNFREEZE, key)
    stand.ask(Ask.UNFREEZE, key)
    stand.fail(kind="status", status=404, reason=f"{key} is not here")
    stand.settle(4000)
    stand.hear(leak(2, key, account="someone", event_ts=round(1000 * stand.now)))
    assert stand.last.outcome == Outcome.FAILED
    assert key in stand.last.why
    assert key not in caplog.text
    assert key not in str(stand.alarms)


def test_a_page_that_gets_lost_is_sent_again(stand: Stand) -> None:
    stand.alarm_status = 500
    stand.fail(kind="status", status=404)
    stand.hear(leak())
    assert stand.alarms == []
    stand.alarm_status = 200
    stand.settle(1)
    assert len(stand.alarms) == 1


def test_an_unfreeze_is_tried_as_hard_as_a_freeze(stand: Stand) -> None:
    stand.hear(leak())
    stand.fail(kind="lost", operation=Operation.UNFREEZE_KEY)
    stand.ask(Ask.UNFREEZE, "key-1")
    stand.settle(1)
    assert stand.keys == {"key-1": "active"}
    assert stand.effects("key.unfreeze") == ["key-1"]


def test_a_freeze_of_unknown_outcome_can_be_undone(stand: Stand) -> None:
    stand.fail(kind="lost", operation=Operation.FREEZE_KEY, count=-1)
    stand.hear(leak())
    assert stand.keys == {"key-1": "frozen"}  # which the hook does not know
    stand.ask(Ask.UNFREEZE, "key-1")
    stand.settle(100)
    assert stand.keys == {"key-1": "active"}


def test_a_freeze_that_was_cancelled_too_late_can_be_undone(stand: Stand) -> None:
    stand.fail(kind="lost", **ALWAYS)
    stand.hear(leak())
    stand.ask(Ask.STOP)
    stand.exchange.faults = []
    assert (stand.last.outcome, stand.keys) == (Outcome.CANCELLED, {"key-1": "frozen"})
    assert stand.last.why.endswith("the exchange was called 1 times before, and may have acted")
    stand.ask(Ask.UNFREEZE, "key-1")
    assert stand.keys == {"key-1": "active"}


def test_what_was_intended_is_done_by_the_next_life(stand: Stand) -> None:
    stand.fail(kind="drop", **ALWAYS)
    stand.hear(leak())
    stand.exchange.faults = []
    stand.now = NOW + 3600  # the decision was made in time; it is not made anew
    stand.again()
    stand.settle()
    assert stand.effects() == ["key-1"]


def test_what_would_have_been_given_up_by_now_is_not_done_by_the_next_life(stand: Stand) -> None:
    stand.fail(kind="drop", **ALWAYS)
    stand.hear(leak())
    stand.ask(Ask.FREEZE, "by-hand")
    stand.exchange.faults = []
    stand.now = NOW + 3601
    stand.again()
    late = stand.last
    assert (late.outcome, late.rule, late.api_key) == (
        Outcome.CANCELLED,
        Rule.EVENT_AGE,
        "key-1",
    )
    assert late.why.endswith("the exchange was called 1 times before, and may have acted")
    stand.settle()
    assert stand.keys == {"by-hand": "frozen"}


@pytest.mark.parametrize("name", ["api_key", "account", "app"])
def test_who_is_on_the_allow_list_by_now_is_not_frozen_by_the_next_life(
    name: str, stand: Stand
) -> None:
    stand.fail(kind="drop", **ALWAYS)
    stand.hear(leak())
    stand.exchange.faults = []
    line = {"until": "2100-01-01T00:00:00Z", "by": "eva", "reason": "market maker"}
    whom = {"api_key": "key-1", "account": "account of key-1", "app": "app-1"}
    stand.again(allow=[line | {name: whom[name]}])
    stand.settle(60)
    assert stand.keys == {}
    assert (stand.last.outcome, stand.last.rule) == (Outcome.CANCELLED, Rule.ALLOW_LIST)
    assert stand.last.why.startswith("on the allow list, by eva: market maker; the exchange was")


def test_a_call_that_a_stop_spared_is_not_made_again_by_the_next_life(stand: Stand) -> None:
    stand.hold(leak())
    stand.kill_file.touch()
    stand.hook.turn()
    assert stand.story(Act.FREEZE_KEY) == [Outcome.INTENDED]  # the call is on its way
    stand.again()
    stand.settle(60)
    assert stand.keys == {}
    assert (stand.last.outcome, stand.last.rule) == (Outcome.CANCELLED, Rule.KILL_SWITCH)
    assert stand.last.why.endswith("the exchange was called 1 times before, and may have acted")


@pytest.mark.parametrize(
    ("mode", "outcome"),
    [
        (Mode.OFF, Outcome.CANCELLED),
        (Mode.DRY_RUN, Outcome.CANCELLED),
        (Mode.APPROVE, Outcome.PENDING),
    ],
)
def test_what_was_intended_is_not_done_when_the_mode_forbids_it_now(
    mode: Mode, outcome: Outcome, stand: Stand
) -> None:
    stand.fail(kind="drop", **ALWAYS)
    stand.hear(leak())
    stand.exchange.faults = []
    stand.again(mode=mode)
    stand.settle(60)
    assert stand.keys == {}
    assert stand.last.outcome == outcome


def test_the_kill_file_stops_what_is_under_way_and_what_comes(stand: Stand) -> None:
    stand.fail(kind="drop", **ALWAYS)
    stand.hear(leak(1, "a"))
    stand.exchange.faults = []
    stand.kill_file.touch()
    stand.hear(leak(2, "b"))
    stand.settle(60)
    assert stand.keys == {}
    [on] = stand.entries(Act.KILL_SWITCH)
    assert (on.outcome, on.why) == (Outcome.ON, "the kill file STOP is there")
    told = [(entry.outcome, entry.rule) for entry in stand.entries(Act.FREEZE_KEY)]
    assert told[1:] == [
        (Outcome.CANCELLED, Rule.KILL_SWITCH),
        (Outcome.REFUSED, Rule.KILL_SWITCH),
    ]
    stand.kill_file.unlink()
    stand.hear(leak(3, "c", event_ts=round(1000 * stand.now)))
    assert stand.keys == {"c": "frozen"}
    assert stand.story(Act.KILL_SWITCH) == [Outcome.ON, Outcome.OFF]


def test_a_stop_by_message_lasts_over_a_restart_and_lets_people_unfreeze(stand: Stand) -> None:
    stand.hear(leak(1, "a"))
    stand.ask(Ask.STOP, reason="something is wrong")
    stand.again()
    stand.hear(leak(2, "b"))
    assert stand.keys == {"a": "frozen"}
    stand.ask(Ask.UNFREEZE, "a")
    assert stand.keys == {"a": "active"}
    stand.ask(Ask.RESUME)
    stand.hear(leak(3, "c"))
    assert stand.keys["c"] == "frozen"


def test_a_kill_file_that_goes_away_does_not_take_back_a_message(stand: Stand) -> None:
    stand.kill_file.touch()
    stand.settle()
    stand.ask(Ask.STOP)
    stand.kill_file.unlink()
    stand.hear(leak())
    assert stand.keys == {}


def test_a_case_that_failed_or_waits_can_be_rejected_but_not_one_that_may_be_done(
    stand: Stand,
) -> None:
    stand.fail(kind="drop", **ALWAYS)
    stand.hear(leak())
    answer = stand.ask(Ask.REJECT, stand.last.case)
    assert (answer.outcome, answer.rule) == (Outcome.REFUSED, Rule.EXCHANGE)
