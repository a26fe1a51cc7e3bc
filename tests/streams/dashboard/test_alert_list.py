from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.alerts.envelope import AlertType
from streams.dashboard.alert_list import Filter, FilterError, changed_since, list_alerts
from streams.dashboard.handles import Handles
from streams.dashboard.read_model import ReadModel
from streams.dashboard.triage import Step
from streams.dispositions import Outcome
from tests.streams.dashboard.samples import (
    NOW,
    SECRET,
    alert,
    alert_record,
    decision_record,
    filled,
    intake,
    triage_record,
)

HANDLES = Handles(SECRET)
MANY = [
    alert(
        number,
        severity=("low", "medium", "high", "critical")[number % 4],
        symbol="AXSUSDT" if number % 2 else "VIABTC",
        app=f"app-{number % 3}",
        notional=float(number % 7),
    )
    for number in range(1, 31)
]


def pages(model: ReadModel, chosen: Filter, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    with model.reading() as db:
        while True:
            page = list_alerts(db, chosen, HANDLES, NOW, limit, cursor)
            found += page["alerts"]
            cursor = page["next"]
            if not cursor:
                assert page["total"] == len(found)
                return found


@settings(max_examples=8)
@given(limit=st.integers(1, 40), sort=st.sampled_from(["newest", "severity", "money"]))
def test_pages_of_any_size_hold_every_alert_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, limit: int, sort: str
) -> None:
    path = tmp_path_factory.mktemp("list") / "m"
    model = filled(path, [alert_record(one, place) for place, one in enumerate(MANY)])
    found = pages(model, Filter(sort=sort), limit)
    assert sorted(row["id"] for row in found) == sorted(one.id for one in MANY)
    rank = {"low": 1, "medium": 2, "high": 3, "critical": 4}
    values = {"newest": "n", "severity": "severity", "money": "money"}
    order = [(rank.get(row[values[sort]], row[values[sort]]), row["n"]) for row in found]
    assert order == sorted(order, reverse=True)
    model.close()


@pytest.mark.parametrize(
    ("chosen", "how_many"),
    [
        (Filter(severity=("critical",)), 7),
        (Filter(severity=("critical", "low")), 14),
        (Filter(kind=("app_leak",)), 0),
        (Filter(text="viabtc"), 15),
        (Filter(text="APP-1"), 10),
        (Filter(text="%"), 0),
        (Filter(text="account-30"), 1),
        (Filter(text="abcd…8930"), 1),
        (Filter(status=("open",)), 27),
        (Filter(status=("claimed",)), 1),
        (Filter(status=("snoozed",)), 1),
        (Filter(status=("confirmed", "false_alarm")), 1),
        (Filter(assignee="anna"), 1),
        (Filter(assignee="bert"), 0),
    ],
)
def test_filters_choose(tmp_path: Path, chosen: Filter, how_many: int) -> None:
    story = [alert_record(one, place) for place, one in enumerate(MANY)]
    story += [
        triage_record(MANY[0], Step.CLAIMED, 0),
        triage_record(MANY[1], Step.SNOOZED, 1, until=NOW + 1),
        decision_record(MANY[2], Outcome.CONFIRMED, 0),
    ]
    model = filled(tmp_path / "m", story)
    found = pages(model, chosen, 100)
    assert len(found) == how_many
    model.close()


@pytest.mark.parametrize("wrong", [{"severity": ("dire",)}, {"sort": "luck"}, {"kind": ("'",)}])
def test_a_filter_that_names_what_is_not_there_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(FilterError, match="must be one of"):
        Filter(**wrong)


def test_who_knows_a_change_gets_all_after_it_and_nothing_twice(tmp_path: Path) -> None:
    model = filled(tmp_path / "m", [alert_record(one, n) for n, one in enumerate(MANY[:10])])
    with model.reading() as db:
        _, known = changed_since(db, HANDLES, NOW, 0, 1000)
    with model.writing() as db:
        intake().take(db, [alert_record(MANY[10], 10), triage_record(MANY[3], Step.CLAIMED, 0)])
    with model.reading() as db:
        rows, last = changed_since(db, HANDLES, NOW, known, 1000)
        nothing, same = changed_since(db, HANDLES, NOW, last, 1000)
    assert [row["id"] for row in rows] == [MANY[10].id, MANY[3].id]
    assert rows[1]["assignee"] == "anna"
    assert (nothing, same) == ([], last)
    model.close()


def test_kinds_have_the_subject_of_their_kind(tmp_path: Path) -> None:
    kinds = [AlertType.LEAKED_KEY, AlertType.APP_LEAK, AlertType.PROFITEER]
    story = [alert_record(alert(n, type=kind), n) for n, kind in enumerate(kinds)]
    model = filled(tmp_path / "m", story)
    found = pages(model, Filter(), 10)
    assert [row["kind"] for row in found] == ["profiteer", "app_leak", "leaked_key"]
    assert [bool(row["key"]) for row in found] == [False, False, True]
    assert found[0]["account"] == "account-2"
    model.close()
