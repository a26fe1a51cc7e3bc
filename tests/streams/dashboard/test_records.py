from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.alerts.envelope import AlertType
from streams.dashboard.read_model import ReadModel
from streams.dashboard.records import Record
from streams.dashboard.triage import Step
from streams.dispositions import Outcome
from streams.freeze import actions as freeze
from streams.lifecycle.entries import Entry, Kind, Reason
from tests.factories import NESTED
from tests.streams.dashboard.samples import (
    KEY,
    NAMES,
    NOW,
    alert,
    alert_record,
    decision_record,
    filled,
    intake,
    triage_record,
)
from tests.streams.freeze.entries import chain, entry

ONE = alert(1, key=KEY)


def freezes(*entries: freeze.Entry) -> list[Record]:
    return [
        Record(NAMES.freezes, 0, number, NOW, each.encode())
        for number, each in enumerate(chain(*entries))
    ]


def row(model: ReadModel, alert_id: str = ONE.id) -> dict[str, Any]:
    with model.reading() as db:
        return dict(db.execute("SELECT * FROM alerts WHERE id = ?", (alert_id,)).fetchone())


def test_an_alert_delivered_twice_is_one_alert(tmp_path: Path) -> None:
    model = filled(tmp_path / "m", [alert_record(ONE, 1), alert_record(ONE, 2)])
    with model.reading() as db:
        assert db.execute("SELECT count(*) FROM alerts").fetchone()[0] == 1
    model.close()


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        NESTED,
        ONE.encode().replace(b'"high"', b'"dreadful"'),
        ONE.encode().replace(b"leaked_key", b"unheard_of"),
        ONE.encode().replace(b'"AXSUSDT"', b'"' + b"x" * 5000 + b'"'),
    ],
)
def test_what_is_no_alert_is_counted_and_stops_nothing(tmp_path: Path, value: bytes) -> None:
    bad = Record(NAMES.alerts, 0, 1, NOW, value)
    model = ReadModel(tmp_path / "m")
    with model.writing() as db:
        taken = intake().take(db, [bad, alert_record(ONE, 2)])
    assert (taken.unreadable, len(taken.alerts)) == (1, 1)
    assert model.offsets() == {(NAMES.alerts, 0): 3}
    model.close()


@pytest.mark.parametrize(
    "topic", [NAMES.dispositions, NAMES.freezes, NAMES.lifecycle, NAMES.triage]
)
def test_records_of_other_topics_may_be_broken_too(tmp_path: Path, topic: str) -> None:
    model = ReadModel(tmp_path / "m")
    broken = [Record(topic, 0, n, NOW, value) for n, value in enumerate([b'{"a":', NESTED])]
    with model.writing() as db:
        assert intake().take(db, broken).unreadable == len(broken)
    model.close()


def test_a_number_that_no_table_can_hold_is_counted_and_stops_nothing(tmp_path: Path) -> None:
    sane = [alert_record(ONE, 1), triage_record(ONE, Step.CLAIMED, 2)]
    decided = decision_record(ONE, Outcome.CONFIRMED, 3)
    far = str(2**63).encode()
    bad = [
        replace(sane[1], value=sane[1].value.replace(str(NOW).encode(), far)),
        replace(decided, value=decided.value.replace(str(NOW + 3).encode(), far)),
    ]
    model = ReadModel(tmp_path / "m")
    with model.writing() as db:
        taken = intake().take(db, [*sane, *bad])
    assert (taken.unreadable, len(taken.alerts)) == (2, 1)
    model.close()


def test_the_last_decision_counts_and_a_withdrawn_one_leaves_it_open(tmp_path: Path) -> None:
    decisions = [Outcome.CONFIRMED, Outcome.FALSE_ALARM, Outcome.WITHDRAWN]
    told = []
    model = filled(tmp_path / "m", [alert_record(ONE, 1)])
    for place, outcome in enumerate(decisions):
        with model.writing() as db:
            intake().take(db, [decision_record(ONE, outcome, place)])
        told.append(row(model)["verdict"])
    assert told == ["confirmed", "false_alarm", None]
    model.close()


def test_a_claim_lasts_until_it_is_given_back(tmp_path: Path) -> None:
    model = filled(tmp_path / "m", [alert_record(ONE, 1), triage_record(ONE, Step.CLAIMED, 0)])
    assert row(model)["assignee"] == "anna"
    with model.writing() as db:
        intake().take(db, [triage_record(ONE, Step.RELEASED, 1)])
    assert row(model)["assignee"] is None
    model.close()


def test_a_note_changes_neither_who_has_it_nor_its_sleep(tmp_path: Path) -> None:
    steps = [(Step.CLAIMED, 0), (Step.SNOOZED, NOW + 1), (Step.NOTED, 0)]
    story = [triage_record(ONE, step, place, until) for place, (step, until) in enumerate(steps)]
    model = filled(tmp_path / "m", [alert_record(ONE, 1), *story])
    assert (row(model)["assignee"], row(model)["snoozed_until"]) == ("anna", NOW + 1)
    model.close()


def test_an_alert_tells_what_became_of_the_freeze_of_its_key(tmp_path: Path) -> None:
    pending, intended, done = (
        entry(outcome, api_key=KEY, alert_id=ONE.id)
        for outcome in (freeze.Outcome.PENDING, freeze.Outcome.INTENDED, freeze.Outcome.DONE)
    )
    undone = entry(freeze.Outcome.DONE, freeze.Act.UNFREEZE_KEY, api_key=KEY)
    story = freezes(pending, intended, done, undone)
    told = []
    model = filled(tmp_path / "m", [alert_record(ONE, 1)])
    for record in story:
        with model.writing() as db:
            intake().take(db, [record])
        told.append(row(model)["freeze"])
    assert told == ["pending", "intended", "frozen", "unfrozen"]
    model.close()


def test_a_second_alert_of_a_frozen_key_says_so_although_its_own_freeze_was_refused(
    tmp_path: Path,
) -> None:
    second = alert(2, key=KEY)
    done = entry(freeze.Outcome.DONE, api_key=KEY, alert_id=ONE.id)
    refused = entry(
        freeze.Outcome.REFUSED, rule=freeze.Rule.OPEN_CASE, api_key=KEY, alert_id=second.id
    )
    story = [*freezes(done, refused), alert_record(ONE, 1), alert_record(second, 2)]
    model = filled(tmp_path / "m", story)
    assert [row(model, each.id)["freeze"] for each in (ONE, second)] == ["frozen", "frozen"]
    model.close()


def test_the_money_of_an_app_is_that_of_its_keys(tmp_path: Path) -> None:
    ones = [alert(number, key=f"{KEY}{number}") for number in (1, 2)]
    leak = alert(3, type=AlertType.APP_LEAK, keys=[f"{KEY}1", f"{KEY}2", "never-seen"])
    model = filled(tmp_path / "m", [alert_record(each, n) for n, each in enumerate([*ones, leak])])
    assert row(model, leak.id)["money"] == 300.0
    model.close()


def test_a_lifecycle_entry_delivered_twice_is_one_entry(tmp_path: Path) -> None:
    notice = Entry(
        id="1", kind=Kind.NOTICE, ts=NOW, mode="enforce", text="t", reason=Reason.INACTIVE,
        policy="binance", api_key=KEY,
    )  # fmt: skip
    value = msgspec.json.encode(notice)
    model = filled(
        tmp_path / "m", [Record(NAMES.lifecycle, 0, place, NOW, value) for place in (0, 1)]
    )
    with model.reading() as db:
        assert db.execute("SELECT count(*) FROM lifecycle").fetchone()[0] == 1
    model.close()
