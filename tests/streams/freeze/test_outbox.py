import contextlib
import sqlite3
from pathlib import Path

import pytest

from streams.freeze.actions import GENESIS, Act, Outcome, Rule
from streams.freeze.cases import State, cases_of
from streams.freeze.outbox import (
    BREAKER,
    FILE,
    STOP_FILE,
    STOP_MESSAGE,
    CallBody,
    Outbox,
    OutboxError,
    OutgoingCall,
)
from tests.streams.freeze.entries import chain, entry


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    call = OutgoingCall("c", "freeze_key", 1, 2.0, 1.0, b"body")
    with Outbox(tmp_path) as outbox, outbox.transaction():
        outbox.append(entry(Outcome.INTENDED, alert_id="a"))
        outbox.append(entry(Outcome.REFUSED, case="", request="r"))
        outbox.put_call(call)
    with Outbox(tmp_path) as outbox:
        assert outbox.head[0] == 2
        assert outbox.due_calls(2.0, 9) == [call] == outbox.calls_of_kind("freeze_key")
        assert outbox.due_calls(1.9, 9) == []
        assert outbox.knows_alert("a")
        assert outbox.knows_request("r")
        assert not outbox.knows_alert("b")


def test_the_id_of_a_call_names_its_case_what_it_does_and_the_entry_that_says_so() -> None:
    call = OutgoingCall("c", "freeze_key", 1, 2.0, 1.0, b"")
    assert CallBody("key-1", "w", None, "0123456789abcdef" * 4).call_id(call) == (
        "c-freeze_key-0123456789abcdef"
    )


def test_a_transaction_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with Outbox(tmp_path) as outbox:
        with contextlib.suppress(ZeroDivisionError), outbox.transaction():
            outbox.append(entry(Outcome.INTENDED))
            _ = 1 / 0
        assert outbox.head == (0, GENESIS)
        with outbox.transaction():
            assert outbox.append(entry(Outcome.INTENDED)).previous == GENESIS


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with Outbox(tmp_path), pytest.raises(OutboxError, match="another freeze hook"):
        Outbox(tmp_path)


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutboxError, match="file"):
        Outbox(tmp_path / "file")


def test_all_of_it_follows_from_the_entries(tmp_path: Path) -> None:
    story = chain(
        entry(Outcome.INTENDED, case="a", ts=10),
        entry(Outcome.DONE, case="a", ts=11),
        entry(Outcome.PENDING, case="b", api_key="key-2", ts=12, until=20, needs=1),
        entry(Outcome.WOULD, case="d", api_key="key-3", ts=13),
        entry(Outcome.ON, Act.BREAKER, case="", ts=14),
        entry(Outcome.ON, Act.KILL_SWITCH, case="", rule=Rule.KILL_SWITCH),
    )
    with Outbox(tmp_path) as outbox:
        with outbox.transaction():
            outbox.adopt(story)
        assert outbox.entries_after(0, 99) == story
        assert {case.id: case for case in outbox.cases_in(*State)} == cases_of(story)
        assert [case.id for case in outbox.due_cases(State.PENDING, 20, 9)] == ["b"]
        assert outbox.due_cases(State.PENDING, 19, 9) == []
        assert (outbox.spent(9, dry=False), outbox.spent(10, dry=False)) == (1, 0)
        assert outbox.spent(0, dry=True) == 1
        assert outbox.is_on(BREAKER)
        assert outbox.is_on(STOP_FILE)
        assert not outbox.is_on(STOP_MESSAGE)


def test_entries_that_do_not_follow_are_not_taken_over(tmp_path: Path) -> None:
    story = chain(*(entry(Outcome.REFUSED, case="", ts=ts) for ts in range(3)))
    with (
        Outbox(tmp_path) as outbox,
        pytest.raises(OutboxError, match="entry 3 of the audit does not follow entry 1"),
        outbox.transaction(),
    ):
        outbox.adopt([story[0], story[2]])


def test_the_account_of_a_key_is_what_the_last_entry_says_refused_ones_too(tmp_path: Path) -> None:
    with Outbox(tmp_path) as outbox, outbox.transaction():
        outbox.append(entry(Outcome.REFUSED, case="", account="an older one"))
        outbox.append(entry(Outcome.REFUSED, case=""))
    with Outbox(tmp_path) as outbox:
        assert outbox.account_of("key-1") == "account-1"
        assert outbox.account_of("key-2") is None


def test_an_outbox_of_another_version_is_refused(tmp_path: Path) -> None:
    Outbox(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(OutboxError, match="has version 9; must have 1"):
        Outbox(tmp_path)
