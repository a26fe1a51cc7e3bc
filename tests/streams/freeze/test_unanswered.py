"""Calls of which the hook has no answer: the exchange may have acted, and it can be undone."""

from pathlib import Path
from typing import Any

import pytest

from streams.exchange.wire import Operation
from streams.freeze.actions import Act, Mode, Outcome, Rule
from streams.freeze.outbox import Outbox
from streams.freeze.requests import Ask
from tests.streams.freeze.stand import AtOnce, Held, Stand, leak


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def test_an_attempt_is_counted_before_it_is_made(stand: Stand) -> None:
    held = stand.hold(leak())
    held.let_go()  # the exchange acts, and the hook dies before it reads the answer
    stand.again()
    answer = stand.ask(Ask.REJECT, stand.entries()[0].case)
    assert (answer.outcome, answer.rule) == (Outcome.REFUSED, Rule.EXCHANGE)
    stand.settle()
    assert (stand.last.outcome, stand.last.attempts) == (Outcome.DONE, 2)
    assert stand.effects() == ["key-1"]


def test_people_are_paged_when_the_last_scheduled_attempt_had_no_answer(tmp_path: Path) -> None:
    policy: dict[str, Any] = {"retry_at_s": [0, 1]}
    stand = Stand(tmp_path, calls=policy)
    stand.fail(kind="drop", count=-1)
    stand.hear(leak())
    stand.now += 1
    stand.hold()  # the hook dies with the second attempt on its way
    stand.again(calls=policy)
    assert not stand.hook.is_settled
    stand.settle()
    assert (stand.last.outcome, stand.last.attempts) == (Outcome.FAILED, 3)
    assert [alarm["type"] for alarm in stand.alarms] == ["freeze.failed"]


@pytest.mark.parametrize("approved_since", [False, True])
def test_a_freeze_that_was_given_up_can_be_unfrozen_but_not_rejected(
    tmp_path: Path, *, approved_since: bool
) -> None:
    stand = Stand(tmp_path, calls={"retry_at_s": [0], "give_up_after_s": 0})
    stand.fail(kind="lost", count=-1)
    stand.hear(leak())
    case = stand.last.case
    assert (stand.last.outcome, stand.outbox.call(case)) == (Outcome.FAILED, None)
    if approved_since:
        stand.ask(Ask.APPROVE, case)
    answer = stand.ask(Ask.REJECT, case)
    assert (answer.outcome, answer.rule) == (Outcome.REFUSED, Rule.EXCHANGE)
    stand.exchange.faults = []
    stand.ask(Ask.UNFREEZE, "key-1")
    assert stand.keys == {"key-1": "active"}


@pytest.mark.parametrize("expires", [False, True])
def test_a_freeze_about_which_the_hook_asks_again_can_be_undone_where_it_may_be_done(
    stand: Stand, *, expires: bool
) -> None:
    stand.fail(kind="lost", count=-1)
    stand.hear(leak())
    stand.exchange.faults = []
    stand.again(mode=Mode.APPROVE)
    asked = stand.last
    assert (asked.outcome, asked.attempts) == (Outcome.PENDING, 1)
    assert stand.ask(Ask.REJECT, asked.case).rule == Rule.EXCHANGE
    if expires:
        stand.settle(601)
        assert stand.last.outcome == Outcome.CANCELLED
        assert stand.last.why.startswith("nobody approved in time; the exchange was called 1")
    stand.ask(Ask.UNFREEZE, "key-1")
    assert stand.keys == {"key-1": "active"}


def test_an_accusation_anew_tells_that_the_freeze_given_up_may_be_done(tmp_path: Path) -> None:
    stand = Stand(tmp_path, calls={"retry_at_s": [0], "give_up_after_s": 0})
    stand.fail(kind="lost", count=-1)
    stand.hear(leak(1))
    stand.hear(leak(2))
    [cancelled] = [entry for entry in stand.entries() if entry.outcome == Outcome.CANCELLED]
    assert cancelled.why.endswith("the exchange was called 1 times before, and may have acted")


def test_a_call_that_is_made_anew_from_the_topic_is_the_same_call(tmp_path: Path) -> None:
    stand = Stand(tmp_path / "lost")
    stand.hear(leak())
    stand.fail(kind="lost", operation=Operation.UNFREEZE_KEY)
    stand.ask(Ask.UNFREEZE, "key-1")
    published, exchange = stand.entries(), stand.exchange
    stand.outbox.close()
    with Outbox(tmp_path / "anew") as outbox, outbox.transaction():
        outbox.adopt(published)
    stand = Stand(tmp_path / "anew")
    stand.exchange = exchange
    stand.settle(1)
    assert (stand.last.act, stand.last.outcome) == (Act.UNFREEZE_KEY, Outcome.DONE)
    assert stand.effects("key.unfreeze") == ["key-1"]


def approved_meanwhile(folder: Path, failures: int) -> tuple[Stand, Held]:
    """A freeze that failed so often and is under way once more when a person approves it."""
    stand = Stand(folder, calls={"retry_at_s": [0], "again_every_s": 60})
    stand.fail(kind="drop", count=failures)
    stand.hear(leak())
    stand.now += 60
    held = stand.hold()
    stand.hook.obey([stand.request(Ask.APPROVE, stand.last.case).encode()])
    return stand, held


def test_an_approval_while_an_older_attempt_is_under_way_is_tried_at_once(tmp_path: Path) -> None:
    stand, held = approved_meanwhile(tmp_path, failures=2)
    held.let_go()  # what was under way fails, too
    stand.hook._calls._executor = AtOnce()
    stand.settle()
    assert stand.keys == {"key-1": "frozen"}
    assert (stand.last.outcome, stand.last.attempts) == (Outcome.DONE, 1)


def test_what_an_older_attempt_has_done_need_not_be_done_again_for_an_approval(
    tmp_path: Path,
) -> None:
    stand, held = approved_meanwhile(tmp_path, failures=1)
    held.let_go()  # the exchange confirms what was under way
    stand.fail(kind="status", status=404)  # and knows of nothing more to do
    stand.hook._calls._executor = AtOnce()
    stand.settle()
    assert stand.last.outcome == Outcome.DONE
    assert stand.effects("key.freeze") == ["key-1"]
