import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka.errors import KafkaTimeoutError

from models.alerts.envelope import AlertType
from streams.dashboard.desk import Desk
from streams.dashboard.records import Record
from streams.dashboard.screen import Screen
from streams.freeze.actions import Act, Mode, Outcome
from streams.lifecycle import entries as lifecycle
from streams.settings import Settings
from tests.streams.dashboard.client import Client
from tests.streams.dashboard.samples import (
    HOSTILE,
    KEY,
    NAMES,
    NOW,
    alert,
    alert_record,
)
from tests.streams.freeze.entries import chain, entry

ONE, LEAK, THIEF = (
    alert(1, key=KEY),
    alert(2, type=AlertType.APP_LEAK, keys=[KEY]),
    alert(3, type=AlertType.PROFITEER, from_keys=[KEY]),
)
NASTY = [alert(10 + n, app=name, symbol=name, account=name) for n, name in enumerate(HOSTILE)]
READS = (
    "/api/me", "/api/pulse", "/api/alerts", "/api/alerts.csv", f"/api/alerts/{ONE.id}",
    f"/api/alerts/{LEAK.id}", f"/api/alerts/{THIEF.id}", "/api/apps", "/api/app?name=app-1",
    "/api/profiteers", "/api/inactive", "/api/freezes", "/api/openapi.json",
)  # fmt: skip
PAGES = ("/", f"/alerts/{ONE.id}", "/apps", "/freezes", "/health", "/api", "/enter")


def story() -> list[Record]:
    frozen = entry(
        Outcome.PENDING, api_key=KEY, alert_id=ONE.id, case="case-1", needs=1, why=f"of {KEY}",
        mode=Mode.APPROVE, until=9 * NOW,
    )  # fmt: skip
    stopped = entry(Outcome.ON, Act.KILL_SWITCH, api_key=None, account=None, app=None, case="")
    notice = lifecycle.Entry(
        id="1", kind=lifecycle.Kind.NOTICE, ts=NOW, mode="enforce", text="masked",
        reason=lifecycle.Reason.INACTIVE, policy="binance", api_key=KEY, removal_due=NOW,
    )  # fmt: skip
    freezes = [each.encode() for each in chain(frozen, stopped)]
    return [
        *(alert_record(each, place) for place, each in enumerate([ONE, LEAK, THIEF, *NASTY])),
        *(Record(NAMES.freezes, 0, place, NOW, value) for place, value in enumerate(freezes)),
        Record(NAMES.lifecycle, 0, 0, NOW, msgspec.json.encode(notice)),
    ]


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    folder = tmp_path_factory.mktemp("dashboard")
    made = Screen.of(Settings(brokers="127.0.0.1:9", dashboard_data=folder))
    with made.model.writing() as db:
        made.feed._intake.take(db, story())
    yield made
    made.model.close()


@pytest.fixture(scope="module")
def client(screen: Screen) -> Client:
    return Client(screen)


def get(client: Client, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", [*READS, *PAGES])
def test_no_answer_holds_a_full_key(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert KEY not in answer.text
    assert KEY[:20] not in answer.text


@pytest.mark.parametrize("path", [*READS, *PAGES, "/nowhere", "/static/js/main.js"])
def test_every_answer_keeps_strangers_scripts_out(client: Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http:" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] in {"no-store", "no-cache"}


def test_a_key_has_a_page_under_its_handle_alone(client: Client) -> None:
    shown = get(client, f"/api/alerts/{ONE.id}")["key"]
    assert shown["shown"] == "abcd…6789"
    page = get(client, f"/api/keys/{shown['handle']}")
    assert {row["id"] for row in page["alerts"]} == {ONE.id, LEAK.id, THIEF.id}
    assert page["freezes"][0]["why"] == "of abcd…6789"
    assert client.get(f"/api/keys/{KEY}").status_code == 404


def test_an_alert_comes_with_its_surroundings(client: Client) -> None:
    page = get(client, f"/api/alerts/{ONE.id}")
    assert [step["what"] for step in page["timeline"]] == [
        "first_order", "alert_order", "freeze", "raised",
    ]  # fmt: skip
    assert page["places"]["events"] == [{"partition": 0, "offset": 1}]
    assert {row["id"] for row in page["incident"]} == {LEAK.id, THIEF.id}
    assert page["case"]["case_id"] == "case-1"
    assert page["freeze"] == "pending"
    assert page["record"]["cloudevent"]["data"]["api_key"] == "abcd…6789"


def test_the_freeze_page_tells_mode_switches_budgets_and_what_waits(client: Client) -> None:
    page = get(client, "/api/freezes")
    assert page["kill_switch"]["outcome"] == "on"
    assert [each["case"] for each in page["pending"]] == ["case-1"]
    assert [budget["span"] for budget in page["budgets"]] == ["minute", "hour", "day"]
    assert get(client, "/api/pulse")["summary"]["pending"] == 1


def test_apps_profiteers_and_inactive_keys_are_listed(client: Client) -> None:
    assert get(client, "/api/apps")[0]["app"] == "app-1"
    assert get(client, "/api/profiteers")[0]["account"] == "account-3"
    assert get(client, "/api/inactive")["counts"] == {"notice": 1}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_a_name_like_any_other(client: Client, name: str) -> None:
    page = client.get("/api/app", params={"name": name})
    assert page.json()["app"] == name
    found = client.get("/api/alerts", params={"q": name[:150]}).json()["alerts"]
    assert name in {row["app"] for row in found} or not name.strip()


def test_no_cell_of_the_csv_is_a_formula(client: Client) -> None:
    answer = client.get("/api/alerts.csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert not re.search(r'(^|[,\n])"?[=+@]', answer.text)
    assert "'=HYPERLINK" in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/alerts/none", 404), ("/api/keys/00", 404), ("/api/app?name=none", 404),
        ("/api/alerts?severity=dire", 400), ("/api/alerts?cursor=x", 400),
        ("/api/alerts?limit=0", 422), ("/api/alerts?cursor=1e999:x", 400),
    ],
)  # fmt: skip
def test_what_is_not_there_or_wrong_is_said_in_a_sentence(
    client: Client, path: str, status: int
) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.json()["detail"]


ACTIONS = (
    (f"/api/alerts/{ONE.id}/claim", {"step": "claimed"}),
    (f"/api/alerts/{ONE.id}/snooze", {"minutes": 15, "reason": "waiting for the owner"}),
    (f"/api/alerts/{ONE.id}/note", {"reason": "the owner is asleep"}),
    (f"/api/alerts/{ONE.id}/decision", {"outcome": "confirmed", "reason": "owner says no"}),
    (f"/api/alerts/{ONE.id}/freeze", {"ask": "approve", "reason": "pump under way"}),
    (f"/api/alerts/{ONE.id}/freeze", {"ask": "freeze", "reason": "pump under way"}),
    (f"/api/alerts/{ONE.id}/freeze", {"ask": "propose", "reason": "pump under way"}),
    ("/api/keys/00/freeze", {"ask": "freeze", "reason": "the owner called"}),
    ("/api/freezes/cases/case-1", {"ask": "reject", "reason": "owner confirmed"}),
    ("/api/freezes/switch", {"ask": "stop", "reason": "too many"}),
)


@pytest.mark.parametrize(("path", "body"), ACTIONS)
def test_nothing_is_changed_without_the_token_of_our_own_page(
    client: Client, path: str, body: dict[str, Any]
) -> None:
    assert client.post(path, json=body).status_code == 403


@pytest.mark.parametrize(("path", "body"), ACTIONS[1:])
@pytest.mark.parametrize("reason", [None, "", "  ", "x", "y" * 1001])
def test_every_action_takes_a_reason(
    client: Client, path: str, body: dict[str, Any], reason: str | None
) -> None:
    headers = {"X-CSRF-Token": get(client, "/api/me")["csrf"]}
    without = {k: v for k, v in body.items() if k != "reason"}
    sent = without | ({"reason": reason} if reason is not None else {})
    assert client.post(path, json=sent, headers=headers).status_code == 422


def test_without_brokers_an_action_says_that_nothing_was_recorded(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(**_: Any) -> None:
        raise KafkaTimeoutError

    monkeypatch.setattr("streams.dashboard.desk.KafkaProducer", nobody)
    headers = {"X-CSRF-Token": get(client, "/api/me")["csrf"]}
    path, body = ACTIONS[0]
    answer = client.post(path, json=body, headers=headers)
    assert (answer.status_code, "nothing was recorded" in answer.json()["detail"]) == (503, True)


def test_roles_bound_what_one_may_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Desk, "ask", lambda *_, **__: "asked")
    tokens = tmp_path / "tokens"
    names = {"viewer": "v" * 16, "analyst": "a" * 16, "approver": "b" * 16}
    tokens.write_text("".join(f"{role} {role} {token}\n" for role, token in names.items()))
    settings = Settings(
        brokers="127.0.0.1:9", dashboard_data=tmp_path / "2", dashboard_tokens=str(tokens)
    )
    guarded = Screen.of(settings)
    client = Client(guarded)
    assert client.get("/api/alerts").status_code == 401
    assert client.get("/").status_code == 200  # the shell says nothing
    for path, body in ACTIONS:
        needed = "analyst" if body.get("ask") in {None, "propose"} else "approver"
        allowed = [r for r in names if r == "approver" or (r == "analyst" and needed == "analyst")]
        for role, token in names.items():
            headers = {"Authorization": f"Bearer {token}"}
            status = client.post(path.replace(ONE.id, "none"), json=body, headers=headers)
            if role in allowed:
                assert status.status_code != 403, (path, role)
            else:
                assert status.status_code == 403, (path, role)
    guarded.model.close()


def test_a_token_is_shown_once_and_a_cookie_stands_for_it(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("anna analyst 0123456789abcdef\n")
    settings = Settings(
        brokers="127.0.0.1:9", dashboard_data=tmp_path, dashboard_tokens=str(tmp_path / "tokens")
    )
    screen = Screen.of(settings)
    client = Client(screen)
    assert client.post("/api/enter", json={"token": "wrong"}).status_code == 401
    entered = client.post("/api/enter", json={"token": "0123456789abcdef"})
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "0123456789abcdef" not in cookie
    assert get(client, "/api/me")["role"] == "analyst"
    client.post("/api/leave")
    assert client.get("/api/me").status_code == 401
    screen.model.close()


def test_the_description_names_every_path(client: Client) -> None:
    described = get(client, "/api/openapi.json")["paths"]
    assert {"/api/alerts", "/api/alerts/{alert_id}/decision", "/api/events"} <= described.keys()
    assert all(call.get("summary") for calls in described.values() for call in calls.values())
    assert json.dumps(described)
