from pathlib import Path
from typing import Any

import pytest

from streams.freeze.actions import GENESIS, POLICY, Act, Mode, Outcome, Rule, hash_of, sealed
from streams.freeze.requests import Ask, new_request
from tests.streams.freeze.stand import NOW, Stand, app_leak, leak, profiteer

ALLOW = {"until": "2100-01-01T00:00:00Z", "by": "eva", "reason": "market maker"}


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def stand_with(folder: Path, **policy: Any) -> Stand:
    return Stand(folder, **policy)


def approve_by_two(stand: Stand, case: str) -> None:
    for who in ("eva", "bo"):
        stand.ask(Ask.APPROVE, case, who)


def test_a_good_alert_freezes_its_key_and_the_audit_tells_it(stand: Stand) -> None:
    stand.hear(leak())
    assert stand.keys == {"key-1": "frozen"}
    intended, done = stand.entries()
    assert (intended.outcome, done.outcome) == (Outcome.INTENDED, Outcome.DONE)
    assert intended.who == POLICY
    assert (intended.api_key, intended.app, intended.alert_id) == ("key-1", "app-1", "alert-1")
    assert intended.why == "severity critical, score 0.99999, evidence: market, novelty"
    assert done.attempts == 1


def test_the_same_alert_again_changes_nothing(stand: Stand) -> None:
    stand.hear(leak(), leak())
    stand.hear(leak())
    assert stand.hook.repeated == 2
    assert stand.effects() == ["key-1"]
    assert len(stand.entries()) == 2


def test_a_second_alert_of_the_same_incident_freezes_no_second_time(stand: Stand) -> None:
    stand.hear(leak(1))
    stand.hear(leak(2))
    assert stand.effects() == ["key-1"]
    assert (stand.last.outcome, stand.last.rule) == (Outcome.REFUSED, Rule.OPEN_CASE)


@pytest.mark.parametrize(
    ("changes", "policy", "rule"),
    [
        ({"event_ts": round(1000 * NOW) - 121_000}, {}, Rule.EVENT_AGE),
        ({"event_ts": round(1000 * NOW) + 121_000}, {}, Rule.EVENT_AGE),
        ({"severity": "medium"}, {}, Rule.SEVERITY),
        ({"score": 0.99}, {}, Rule.SCORE),
        ({"recommended_action": "review"}, {}, Rule.RECOMMENDATION),
        ({"reasons": [{"feature": "push", "contribution": 1.0}]}, {}, Rule.CORROBORATION),
        (
            {"reasons": [{"feature": f, "contribution": 0.5} for f in ("push", "slippage")]},
            {},
            Rule.CORROBORATION,
        ),
        ({}, {"mode": Mode.OFF}, Rule.MODE),
        ({}, {"alert_types": ["roguekey.alert.profiteer.v1"]}, Rule.ALERT_TYPE),
        ({}, {"allow": [ALLOW | {"api_key": "key-1"}]}, Rule.ALLOW_LIST),
        ({}, {"allow": [ALLOW | {"account": "account of key-1"}]}, Rule.ALLOW_LIST),
        ({}, {"allow": [ALLOW | {"app": "app-1"}]}, Rule.ALLOW_LIST),
    ],
)
def test_what_the_policy_refuses_is_told_with_its_rule(
    changes: dict[str, Any], policy: dict[str, Any], rule: Rule, tmp_path: Path
) -> None:
    stand = stand_with(tmp_path, **policy)
    stand.hear(leak(**changes))
    assert [(entry.outcome, entry.rule) for entry in stand.entries()] == [(Outcome.REFUSED, rule)]
    assert stand.exchange.attempts == 0


def test_an_expired_line_of_the_allow_list_protects_nobody(tmp_path: Path) -> None:
    stand = stand_with(tmp_path, allow=[ALLOW | {"app": "app-1", "until": "2020-01-01T00:00:00Z"}])
    stand.hear(leak())
    assert stand.keys == {"key-1": "frozen"}


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b"[]", b"\xff", leak(event_ts="soon"), leak(score=2), leak(api_key="other"), None],
)
def test_what_cannot_be_read_is_refused_once_and_stops_nothing(
    value: bytes, stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    stand.hear(value, leak(2, "key-2"), value)
    assert stand.keys == {"key-2": "frozen"}
    refused = [entry for entry in stand.entries() if entry.rule == Rule.MALFORMED]
    assert len(refused) == 1
    assert len([line for line in caplog.messages if "cannot be read" in line]) == 1


def test_a_dry_run_tells_what_it_would_do_and_calls_nobody(tmp_path: Path) -> None:
    stand = stand_with(tmp_path, mode=Mode.DRY_RUN, budget={"per_minute": 2})
    stand.hear(*(leak(n, f"key-{n}") for n in range(3)), leak(9, "key-0"), app_leak(["a"]))
    assert stand.exchange.attempts == 0
    assert stand.story(Act.FREEZE_KEY) == [Outcome.WOULD] * 3 + [Outcome.REFUSED]
    whys = [entry.why for entry in stand.entries()]
    assert whys[0].startswith("dry run: would freeze; severity critical")
    assert whys[2] == "dry run: would ask; the budget of 2 freezes a minute is used up"
    assert whys[4] == "dry run: would ask; an app-wide freeze needs 2 different approvers"


def test_a_dry_run_stands_in_no_ones_way_when_it_becomes_earnest(tmp_path: Path) -> None:
    stand = stand_with(tmp_path, mode=Mode.DRY_RUN)
    stand.hear(leak(1))
    stand.again(mode=Mode.AUTO)
    stand.hear(leak(1), leak(2))
    assert stand.keys == {"key-1": "frozen"}


def test_in_approve_mode_a_person_decides(tmp_path: Path) -> None:
    stand = stand_with(tmp_path, mode=Mode.APPROVE)
    stand.hear(leak())
    assert stand.exchange.attempts == 0
    assert [alarm["type"] for alarm in stand.alarms] == ["freeze.approval"]
    stand.ask(Ask.APPROVE, stand.last.case, reason="the user confirms")
    assert stand.keys == {"key-1": "frozen"}
    assert stand.story() == [Outcome.PENDING, Outcome.APPROVED, Outcome.INTENDED, Outcome.DONE]
    approved = stand.entries()[1]
    assert (approved.who, approved.why) == ("eva", "the user confirms")
    assert stand.last.approvers == ["eva"]


def test_an_approval_that_nobody_gave_in_time_expires(tmp_path: Path) -> None:
    stand = stand_with(tmp_path, mode=Mode.APPROVE, approval_expires_s=600)
    stand.hear(leak())
    case = stand.last.case
    stand.settle(599)
    assert stand.story() == [Outcome.PENDING]
    stand.settle(1)
    assert stand.story() == [Outcome.PENDING, Outcome.EXPIRED]
    assert stand.ask(Ask.APPROVE, case).outcome == Outcome.REFUSED
    assert stand.exchange.attempts == 0


def test_an_app_wide_freeze_needs_two_different_approvers_even_in_auto(stand: Stand) -> None:
    stand.hear(app_leak(["a", "b", "b"]))
    assert (stand.last.outcome, stand.last.needs) == (Outcome.PENDING, 2)
    case = stand.last.case
    assert stand.ask(Ask.APPROVE, case, "eva").needs == 1
    again = stand.ask(Ask.APPROVE, case, "Eva")
    assert (again.outcome, again.rule) == (Outcome.REFUSED, Rule.APPROVERS)
    assert stand.keys == {}
    stand.ask(Ask.APPROVE, case, "bo")
    assert stand.keys == {"a": "frozen", "b": "frozen"}
    assert sorted(stand.effects()) == ["a", "b"]


def test_an_app_wide_freeze_spares_who_is_allowed_and_who_is_frozen(tmp_path: Path) -> None:
    stand = stand_with(tmp_path, allow=[ALLOW | {"api_key": "b"}])
    stand.hear(leak(1, "a"))
    stand.hear(app_leak(["a", "b", "c"]))
    approve_by_two(stand, stand.last.case)
    assert stand.effects() == ["a", "c"]


def test_an_app_wide_freeze_takes_the_place_of_what_waits_or_was_given_up(tmp_path: Path) -> None:
    policy: dict[str, Any] = {"calls": {"retry_at_s": [0], "give_up_after_s": 0}}
    stand = stand_with(tmp_path, **policy)
    stand.fail(kind="status", status=404)
    stand.hear(leak(1, "failed"))
    stand.again(mode=Mode.APPROVE, **policy)
    stand.hear(leak(2, "waits"))
    stand.ask(Ask.PROPOSE, "proposed")
    stand.hear(app_leak(["failed", "waits", "proposed", "new"]))
    approve_by_two(stand, stand.last.case)
    keys = ("failed", "waits", "proposed", "new")
    assert stand.keys == dict.fromkeys(keys, "frozen")
    cancelled = [entry for entry in stand.entries() if entry.outcome == Outcome.CANCELLED]
    assert [entry.api_key for entry in cancelled] == ["failed", "waits", "proposed"]
    assert {(entry.rule, entry.who) for entry in cancelled} == {(Rule.OPEN_CASE, "bo")}
    for key in keys:
        stand.ask(Ask.UNFREEZE, key)
    assert stand.keys == dict.fromkeys(keys, "active")


def test_an_app_wide_freeze_spares_an_account_that_is_allowed_or_not_known(tmp_path: Path) -> None:
    stand = stand_with(tmp_path, allow=[ALLOW | {"account": "alice"}])
    stand.hear(leak(1, "hers", account="alice"), leak(2, "his", account="bob", score=0.5))
    assert stand.story() == [Outcome.REFUSED] * 2  # which is all that is known of the accounts
    stand.hear(app_leak(["hers", "his", "unknown"]))
    approve_by_two(stand, stand.last.case)
    assert stand.effects() == ["his"]
    told = {e.api_key: e for e in stand.entries(Act.FREEZE_KEY) if e.who == "bo"}
    assert told["his"].account == "bob"
    assert (told["hers"].outcome, told["hers"].rule) == (Outcome.REFUSED, Rule.ALLOW_LIST)
    assert (told["unknown"].outcome, told["unknown"].rule) == (Outcome.REFUSED, Rule.ALLOW_LIST)
    assert "its account is not known" in told["unknown"].why


def test_an_app_wide_freeze_tells_which_keys_it_leaves(stand: Stand) -> None:
    stand.hear(leak(1, "frozen"), leak(2, "unfreezing"))
    stand.fail(kind="drop", count=-1)
    stand.ask(Ask.UNFREEZE, "unfreezing")
    stand.hear(leak(3, "freezing"), app_leak(["frozen", "unfreezing", "freezing"]))
    approve_by_two(stand, stand.last.case)
    left = stand.entries()[-3:]
    assert [(entry.outcome, entry.rule) for entry in left] == [
        (Outcome.REFUSED, Rule.OPEN_CASE)
    ] * 3
    assert [entry.why.split(" is ")[1] for entry in left] == [
        f"{entry.api_key} already" for entry in left
    ]


def test_a_newer_alert_of_an_app_replaces_a_case_until_somebody_has_approved(stand: Stand) -> None:
    stand.hear(app_leak(["a", "b"], 1))
    first = stand.last.case
    stand.hear(app_leak(["b"], 2))
    assert stand.last.rule == Rule.OPEN_CASE
    stand.hear(app_leak(["a", "b", "c"], 3))
    second = stand.last.case
    assert stand.ask(Ask.APPROVE, first).outcome == Outcome.REFUSED
    stand.ask(Ask.APPROVE, second, "eva")
    stand.hear(app_leak(["a", "b", "c", "d"], 4))
    assert (stand.last.outcome, stand.last.rule) == (Outcome.REFUSED, Rule.OPEN_CASE)
    stand.ask(Ask.APPROVE, second, "bo")
    assert stand.keys == dict.fromkeys("abc", "frozen")
    stand.hear(app_leak(["a", "b", "c", "d"], 5))
    assert (stand.last.outcome, stand.last.keys) == (Outcome.PENDING, ["a", "b", "c", "d"])


def test_an_app_wide_freeze_is_ended_in_one_step(stand: Stand) -> None:
    stand.hear(app_leak(["a", "b"]))
    case = stand.last.case
    for who in ("eva", "bo"):
        stand.ask(Ask.APPROVE, case, who)
    stand.ask(Ask.UNFREEZE, case)
    assert stand.keys == {"a": "active", "b": "active"}


def test_a_hold_of_withdrawals_needs_an_approver_even_in_auto(stand: Stand) -> None:
    stand.hear(profiteer())
    assert (stand.last.outcome, stand.last.needs) == (Outcome.PENDING, 1)
    stand.ask(Ask.APPROVE, stand.last.case)
    assert stand.exchange.state()["accounts"] == {"thief": "held"}
    stand.ask(Ask.UNFREEZE, "thief")
    assert stand.exchange.state()["accounts"] == {"thief": "active"}


def test_a_freeze_is_ended_in_one_step_by_key_or_by_case(stand: Stand) -> None:
    stand.hear(leak(1, "a"), leak(2, "b"))
    case = stand.entries()[1].case
    stand.ask(Ask.UNFREEZE, "a", reason="the user called")
    stand.ask(Ask.UNFREEZE, case)
    assert stand.keys == {"a": "active", "b": "active"}
    undone = stand.entries(Act.UNFREEZE_KEY)
    assert (undone[0].who, undone[0].why) == ("eva", "the user called")


def test_after_an_unfreeze_the_key_is_left_alone_for_a_while(tmp_path: Path) -> None:
    stand = stand_with(tmp_path, cool_down_s=60)
    stand.hear(leak(1))
    stand.ask(Ask.UNFREEZE, "key-1")
    stand.hear(leak(2))
    assert (stand.last.outcome, stand.last.rule) == (Outcome.REFUSED, Rule.COOL_DOWN)
    stand.settle(61)
    stand.hear(leak(3))
    assert stand.effects() == ["key-1", "key-1"]


def test_what_was_rejected_is_not_frozen_and_left_alone_for_a_while(tmp_path: Path) -> None:
    stand = stand_with(tmp_path, mode=Mode.APPROVE)
    stand.hear(leak(1))
    stand.ask(Ask.REJECT, stand.last.case, reason="a market maker")
    assert stand.last.outcome == Outcome.REJECTED
    stand.hear(leak(2))
    assert stand.last.rule == Rule.COOL_DOWN
    assert stand.exchange.attempts == 0


def test_a_freeze_ends_by_itself_where_the_policy_says_so(tmp_path: Path) -> None:
    stand = stand_with(tmp_path, unfreeze_after_s=3600)
    stand.hear(leak())
    stand.settle(3599)
    assert stand.keys == {"key-1": "frozen"}
    stand.settle(1)
    assert stand.keys == {"key-1": "active"}
    assert stand.entries(Act.UNFREEZE_KEY)[0].rule == Rule.TIME_TO_LIVE


@pytest.mark.parametrize(
    ("what", "subject"),
    [(Ask.APPROVE, "nothing"), (Ask.REJECT, "nothing"), (Ask.UNFREEZE, "key-7"), (Ask.RESUME, "")],
)
def test_a_request_about_nothing_is_refused_and_told(what: Ask, subject: str, stand: Stand) -> None:
    answer = stand.ask(what, subject)
    assert (answer.outcome, answer.rule, answer.who) == (Outcome.REFUSED, Rule.NO_CASE, "eva")


def test_a_request_that_arrives_twice_is_done_once(stand: Stand) -> None:
    stand.hear(leak())
    request = new_request(Ask.UNFREEZE, who="eva", reason="r", subject="key-1").encode()
    stand.hook.obey([request, request])
    stand.settle()
    assert stand.effects("key.unfreeze") == ["key-1"]


def test_a_request_that_cannot_be_read_is_refused_and_told(stand: Stand) -> None:
    stand.hook.obey([b"{", b'{"ask":"approve"}', None, b"{"])
    rules = [(entry.outcome, entry.rule) for entry in stand.entries()]
    assert rules == [(Outcome.REFUSED, Rule.MALFORMED)] * 3


def test_the_chain_goes_on_over_a_restart(stand: Stand) -> None:
    stand.hear(leak(1, "a"))
    stand.again()
    stand.hear(leak(2, "b"))
    entries = stand.entries()
    assert [entry.seq for entry in entries] == [1, 2, 3, 4]
    for before, entry in zip([None, *entries], entries, strict=False):
        assert entry.previous == (before.hash if before else GENESIS)
        assert entry == sealed(entry, entry.seq, entry.previous)
    assert hash_of({"seq": 1}) != entries[0].hash
