"""One decision for all the alerts that it settles."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.alerts.envelope import AlertType
from streams.dashboard.desk import Desk, DeskError
from streams.dashboard.screen import Screen
from streams.dispositions import Outcome
from streams.settings import Settings
from tests.streams.dashboard.client import Client
from tests.streams.dashboard.samples import KEY, NOW, alert, alert_record, decision_record

ONE, AGAIN, OTHER = (
    alert(1, key=KEY),
    alert(2, key=KEY),
    alert(3, key="other"),
)
DECIDED = alert(4, key=KEY)
ELSEWHERE = alert(5, key="elsewhere", symbol="OTHER")
LATER = alert(6, key="later", event_ts=NOW + 7_200_000)
LEAK = alert(7, type=AlertType.APP_LEAK, keys=[KEY, "elsewhere"], symbol="THIRD")
THIEF = alert(8, type=AlertType.PROFITEER, from_keys=[KEY], symbol="FOURTH")
ALL = [ONE, AGAIN, OTHER, DECIDED, ELSEWHERE, LATER, LEAK, THIEF]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    screen = Screen.of(Settings(brokers="127.0.0.1:9", dashboard_data=tmp_path))
    records = [alert_record(each, place) for place, each in enumerate(ALL)]
    with screen.model.writing() as db:
        decided = decision_record(DECIDED, Outcome.FALSE_ALARM, 0)
        screen.feed._intake.take(db, [*records, decided])
    yield Client(screen)
    screen.model.close()


def related(client: Client, alert_id: str) -> Any:
    return client.get(f"/api/alerts/{alert_id}").json()["related"]


def decide(client: Client, *also: str) -> Any:
    headers = {"X-CSRF-Token": client.get("/api/me").json()["csrf"]}
    body = {"outcome": "confirmed", "reason": "owner says no", "also": list(also)}
    return client.post(f"/api/alerts/{ONE.id}/decision", json=body, headers=headers)


def test_undecided_alerts_of_the_key_and_of_its_incident_are_named(client: Client) -> None:
    assert related(client, ONE.id) == {
        "subject": [AGAIN.id],
        "incident": [OTHER.id],
        "keys": 1,
    }


def test_of_an_app_the_alerts_of_the_keys_that_it_names_are_its_incident(client: Client) -> None:
    found = related(client, LEAK.id)
    assert (found["subject"], found["keys"]) == ([], 2)
    assert set(found["incident"]) == {ONE.id, AGAIN.id, ELSEWHERE.id}


def test_a_profiteer_of_another_market_has_nobody_beside_it(client: Client) -> None:
    assert related(client, THIEF.id) == {"subject": [], "incident": [], "keys": 0}


def test_one_decision_settles_all_that_it_names(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bytes] = []

    def note(_: Desk, body: bytes, *__: Any) -> None:
        told.append(body)

    monkeypatch.setattr(Desk, "decide", note)
    assert decide(client, AGAIN.id, AGAIN.id, OTHER.id).json() == {"recorded": 3}
    assert told == [ONE.encode(), AGAIN.encode(), OTHER.encode()]


def test_where_one_of_them_is_unknown_none_is_decided(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Desk, "decide", lambda *_: pytest.fail("decided"))
    assert decide(client, "none").status_code == 404


def test_when_brokers_go_in_between_it_is_said_how_many_were_decided(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [None]

    def fail(*_: Any) -> None:
        if not left:
            raise DeskError("The brokers cannot be reached.")
        left.pop()

    monkeypatch.setattr(Desk, "decide", fail)
    answer = decide(client, AGAIN.id, OTHER.id)
    assert answer.status_code == 503
    assert "1 of 3 alerts were dealt with before" in answer.json()["detail"]
