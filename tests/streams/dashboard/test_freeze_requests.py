"""What the dashboard asks of the freeze hook, and what it tells of the answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.alerts.envelope import AlertType
from streams.dashboard.desk import Desk
from streams.dashboard.freeze_page import freeze_page
from streams.dashboard.records import Record
from streams.dashboard.screen import Screen
from streams.freeze.actions import Act, Entry, Outcome, Rule
from streams.settings import Settings
from tests.streams.dashboard.client import Client
from tests.streams.dashboard.samples import KEY, NAMES, NOW, alert, alert_record
from tests.streams.freeze.entries import chain, entry

ONE, LEAK, THIEF = (
    alert(1, key=KEY),
    alert(2, type=AlertType.APP_LEAK, keys=[KEY, "other"]),
    alert(3, type=AlertType.PROFITEER, from_keys=[KEY]),
)
Asked = list[tuple[Any, ...]]


class Stand:
    """A dashboard that has read some alerts, and what it asked."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.client = Client(screen)
        self.asked: Asked = []

    def hear(self, *entries: Entry) -> None:
        records = [
            Record(NAMES.freezes, 0, place, NOW, one.encode())
            for place, one in enumerate(chain(*entries))
        ]
        with self.screen.model.writing() as db:
            self.screen.feed._intake.take(db, records)

    def get(self, path: str) -> Any:
        return self.client.get(path).json()

    def ask(self, path: str, ask: str) -> int:
        headers = {"X-CSRF-Token": self.get("/api/me")["csrf"]}
        body = {"ask": ask, "reason": "the owner called"}
        return self.client.post(path, json=body, headers=headers).status_code


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    screen = Screen.of(Settings(brokers="127.0.0.1:9", dashboard_data=tmp_path))
    made = Stand(screen)

    def ask(_: Desk, asked: str, who: str, reason: str, subject: str, **about: Any) -> str:
        made.asked.append((str(asked), who, reason, subject, about))
        return "request-1"

    monkeypatch.setattr(Desk, "ask", ask)
    with screen.model.writing() as db:
        alerts = [alert_record(each, place) for place, each in enumerate([ONE, LEAK, THIEF])]
        screen.feed._intake.take(db, alerts)
    yield made
    screen.model.close()


def handle(stand: Stand, shown: str = ONE.id) -> str:
    key: str = stand.get(f"/api/alerts/{shown}")["key"]["handle"]
    return key


@pytest.mark.parametrize("ask", ["freeze", "propose"])
def test_a_key_without_a_case_is_frozen_by_its_alert(stand: Stand, ask: str) -> None:
    assert stand.ask(f"/api/alerts/{ONE.id}/freeze", ask) == 202
    about = {"account": "account-1", "app": "app-1", "symbol": "AXSUSDT", "alert_id": ONE.id}
    assert stand.asked == [(ask, "local", "the owner called", KEY, about)]


def test_a_key_is_frozen_from_its_page_also_where_it_was_never_alerted(stand: Stand) -> None:
    assert stand.ask(f"/api/keys/{handle(stand)}/freeze", "freeze") == 202
    other = stand.screen.handles.of("other")
    assert stand.ask(f"/api/keys/{other}/freeze", "freeze") == 202
    assert [(asked[3], asked[4].get("account")) for asked in stand.asked] == [
        (KEY, "account-1"),
        ("other", None),
    ]
    assert stand.ask("/api/keys/00/freeze", "freeze") == 404


def test_of_a_profiteer_the_withdrawals_are_held_and_an_app_has_no_freeze_by_hand(
    stand: Stand,
) -> None:
    assert stand.ask(f"/api/alerts/{THIEF.id}/freeze", "freeze") == 202
    *_, subject, about = stand.asked[-1]
    assert (subject, about["what"]) == ("account-3", "hold_withdrawals")
    assert stand.ask(f"/api/alerts/{LEAK.id}/freeze", "freeze") == 409


def test_approve_and_unfreeze_need_a_case_and_name_it(stand: Stand) -> None:
    path = f"/api/keys/{handle(stand)}/freeze"
    assert stand.ask(path, "unfreeze") == 409
    done = entry(Outcome.DONE, api_key=KEY, alert_id=ONE.id, case="case-1")
    would = entry(Outcome.WOULD, api_key=KEY, alert_id="later", case="case-2")
    stand.hear(done, would)
    assert stand.ask(path, "unfreeze") == 202
    assert stand.ask(f"/api/alerts/{ONE.id}/freeze", "unfreeze") == 202
    assert [asked[3] for asked in stand.asked] == ["case-1", "case-1"]


def test_a_key_page_says_how_the_freeze_stands_and_what_stops_the_hook(stand: Stand) -> None:
    by_hand = entry(Outcome.INTENDED, api_key=KEY, rule=Rule.BY_HAND, who="eva", request="r")
    stopped = entry(Outcome.ON, Act.KILL_SWITCH, api_key=None, rule=Rule.REQUEST, case="")
    stand.hear(by_hand, entry(Outcome.DONE, api_key=KEY), stopped)
    page = stand.get(f"/api/keys/{handle(stand)}")
    assert (page["freeze"], page["hook"]["stopped"]) == ("frozen", True)
    assert stand.get(f"/api/alerts/{ONE.id}")["freeze"] == "frozen"


def test_a_stop_by_file_outlasts_the_end_of_a_stop_by_message(stand: Stand) -> None:
    def stop(outcome: Outcome, rule: Rule) -> Entry:
        return entry(outcome, Act.KILL_SWITCH, api_key=None, rule=rule, case="")

    stand.hear(
        stop(Outcome.ON, Rule.KILL_SWITCH),
        stop(Outcome.ON, Rule.REQUEST),
        stop(Outcome.OFF, Rule.REQUEST),
    )
    assert stand.get("/api/freezes")["kill_switch"]["outcome"] == "on"


def test_the_answer_to_a_request_is_told_as_it_comes(stand: Stand) -> None:
    path = "/api/freezes/requests/r"
    assert stand.get(path) == {"answer": None, "now": None}
    intended = entry(Outcome.INTENDED, api_key=KEY, case="case-1", request="r", why=f"of {KEY}")
    done = entry(Outcome.DONE, api_key=KEY, case="case-1")
    stand.hear(intended, done)
    told = stand.get(path)
    assert (told["answer"]["outcome"], told["now"]) == ("intended", "done")
    assert KEY not in str(told)


def test_what_a_person_was_refused_stands_on_the_alert_and_changes_no_state(stand: Stand) -> None:
    done = entry(Outcome.DONE, api_key=KEY, alert_id=ONE.id, case="case-1")
    refused = entry(
        Outcome.REFUSED, api_key=KEY, alert_id=ONE.id, case="case-1", rule=Rule.NO_CASE,
        who="ben", request="r", why="approve: the case is frozen",
    )  # fmt: skip
    stand.hear(done, refused)
    page = stand.get(f"/api/alerts/{ONE.id}")
    assert page["freeze"] == "frozen"
    assert [step["who"] for step in page["timeline"] if step["what"] == "freeze"][-1] == "ben"


def test_an_older_alert_of_an_app_no_longer_waits_when_a_newer_takes_its_place(
    stand: Stand,
) -> None:
    waits = entry(Outcome.PENDING, Act.FREEZE_APP, app="app-1", alert_id=LEAK.id, needs=2)
    over = entry(Outcome.CANCELLED, Act.FREEZE_APP, app="app-1", alert_id=LEAK.id,
                 rule=Rule.OPEN_CASE)  # fmt: skip
    stand.hear(waits, over)
    assert stand.get(f"/api/alerts/{LEAK.id}")["freeze"] == "replaced"


def test_budgets_left_are_told_of_the_hook_and_of_each_app(stand: Stand) -> None:
    def frozen(number: int, app: str, **changes: Any) -> Entry:
        key = f"key-{number}"
        usual: dict[str, Any] = {"api_key": key, "app": app, "case": f"case-{number}", "ts": NOW}
        return entry(Outcome.INTENDED, **(usual | changes))

    stand.hear(
        frozen(1, "app-1"),
        frozen(2, "app-1"),
        frozen(3, "app-2"),
        frozen(4, "app-1", who="eva", rule=Rule.BY_HAND),
        frozen(5, "app-3", ts=NOW - 7_200_000),
    )
    with stand.screen.model.reading() as db:
        page = freeze_page(db, stand.screen.handles, stand.screen.policy, NOW + 1)
    assert [budget["spent"] for budget in page["budgets"]] == [3, 3, 4]
    assert [(one["app"], one["spent"], one["most"]) for one in page["app_budgets"]] == [
        ("app-1", 2, 20),
        ("app-2", 1, 20),
    ]
