"""Every table of the read model has a bound, and what open alerts need stays."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.dashboard import pruning
from streams.dashboard.pruning import prune, prune_audit, prune_lifecycle
from streams.dashboard.read_model import DAY_MS, ReadModel
from streams.dashboard.records import Record
from streams.dashboard.standing import key_freeze, kill_switch
from streams.dashboard.triage import Step
from streams.dispositions import Outcome
from streams.freeze import actions as freeze
from streams.lifecycle.entries import Entry, Kind, Reason
from tests.streams.dashboard.samples import (
    KEY,
    NAMES,
    NOW,
    alert,
    alert_record,
    decision_record,
    dump,
    filled,
    triage_record,
)
from tests.streams.freeze.entries import chain, entry

DONE, REFUSED = freeze.Outcome.DONE, freeze.Outcome.REFUSED


def count(model: ReadModel, table: str) -> int:
    return len(dump(model)[table])


def freezes(*entries: freeze.Entry) -> list[Record]:
    return [
        Record(NAMES.freezes, 0, place, NOW, one.encode())
        for place, one in enumerate(chain(*entries))
    ]


def notice(number: int, kind: Kind = Kind.NOTICE, key: str | None = None) -> Record:
    said = Entry(
        id=str(number), kind=kind, ts=NOW, mode="enforce", text="t", reason=Reason.INACTIVE,
        policy="binance", api_key=key or f"idle-{number}",
    )  # fmt: skip
    return Record(NAMES.lifecycle, 0, number, NOW, msgspec.json.encode(said))


def test_old_alerts_and_more_than_the_most_are_dropped(tmp_path: Path) -> None:
    old = alert_record(alert(1), 1)
    fresh = [alert_record(alert(number), 2 * DAY_MS + number) for number in range(2, 6)]
    model = filled(tmp_path / "m.sqlite", [old, *fresh])
    with model.writing() as db:
        prune(db, keep_days=1)
        assert db.execute("SELECT count(*) FROM alerts").fetchone()[0] == 4
        prune(db, keep_days=1, most=2)
        assert db.execute("SELECT count(*) FROM alerts").fetchone()[0] == 2
        assert db.execute("SELECT count(*) FROM alert_keys").fetchone()[0] == 2
    model.close()


def test_what_was_done_about_an_alert_goes_with_it(tmp_path: Path) -> None:
    old, new = alert(1), alert(2)
    records = [alert_record(old, 1), alert_record(new, 2 * DAY_MS)]
    for one in (old, new):
        records += [triage_record(one, Step.CLAIMED, 0), decision_record(one, Outcome.CONFIRMED, 0)]
    model = filled(tmp_path / "m", records)
    with model.writing() as db:
        prune(db, keep_days=1)
    kept = dump(model)
    assert {row["alert_id"] for row in kept["decisions"] + kept["triage"]} == {new.id}
    assert [row["api_key"] for row in kept["keys"]] == [new.subject]
    model.close()


def test_a_decision_that_came_before_its_alert_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "KEPT_STRAYS", 3)
    early = [decision_record(alert(n), Outcome.CONFIRMED, n) for n in range(10)]
    here = [alert_record(alert(99), 1), decision_record(alert(99), Outcome.CONFIRMED, 99)]
    model = filled(tmp_path / "m", [*here, *early])
    with model.writing() as db:
        prune(db, keep_days=1)
    kept = {row["alert_id"] for row in dump(model)["decisions"]}
    assert kept == {alert(99).id, *(alert(n).id for n in (7, 8, 9))}
    model.close()


def test_however_often_an_alert_is_put_off_who_has_it_is_known(tmp_path: Path) -> None:
    one = alert(1)
    snoozes = [triage_record(one, Step.SNOOZED, n, until=NOW + n) for n in range(1, 500)]
    story = [alert_record(one, 1), triage_record(one, Step.CLAIMED, 0), *snoozes]
    model = filled(tmp_path / "m", story)
    assert count(model, "triage") == pruning.KEPT_STEPS + 1
    row = dump(model)["alerts"][0]
    assert (row["assignee"], row["snoozed_until"]) == ("anna", NOW + 499)
    model.close()


def test_of_a_long_audit_that_stays_which_open_alerts_cases_and_switches_need(
    tmp_path: Path,
) -> None:
    def one(number: int, outcome: freeze.Outcome, **fields: Any) -> freeze.Entry:
        usual: dict[str, Any] = {"api_key": f"key-{number}", "case": f"case-{number}"}
        return entry(outcome, **(usual | fields))

    unfrozen = freeze.Act.UNFREEZE_KEY
    story = [
        one(1, DONE, api_key=KEY),  # of a key that has an alert
        one(2, REFUSED, alert_id=alert(5, key=KEY).id, case=""),  # of that alert
        one(3, freeze.Outcome.INTENDED),
        one(3, DONE),  # frozen to this day
        one(4, DONE),
        one(4, DONE, act=unfrozen),  # over
        one(5, freeze.Outcome.ON, act=freeze.Act.KILL_SWITCH, api_key=None, case=""),
        one(6, freeze.Outcome.EXPIRED),
        *(one(100 + n, REFUSED, case="") for n in range(50)),
    ]
    model = filled(tmp_path / "m", [alert_record(alert(5, key=KEY), 1), *freezes(*story)])
    with model.writing() as db:
        prune_audit(db, most=10)
    assert [row["seq"] for row in dump(model)["freezes"]] == [1, 2, 4, 7, *range(49, 59)]
    with model.reading() as db:
        frozen = key_freeze(db, "key-3")
        assert frozen
        assert frozen["state"] == "frozen"
        assert kill_switch(db)
    model.close()


def test_of_a_long_lifecycle_the_last_word_on_keys_under_way_stays(tmp_path: Path) -> None:
    story = [
        notice(1),
        notice(2),
        notice(3, Kind.RESCUE, "idle-2"),  # in use again
        *(notice(10 + n, Kind.REMOVAL) for n in range(20)),
    ]
    model = filled(tmp_path / "m", story)
    with model.writing() as db:
        prune_lifecycle(db, most=5)
        prune(db, keep_days=1)
    kept = dump(model)
    assert [row["api_key"] for row in kept["lifecycle"]] == [
        "idle-1",
        *(f"idle-{10 + n}" for n in range(15, 20)),
    ]
    assert len(kept["keys"]) == 6
    model.close()
