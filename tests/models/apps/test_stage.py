from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from models.alerts.envelope import Alert, AlertType, Place, alert_id
from models.alerts.incidents import Incident, Sighting
from models.apps.leaks import WINDOW_MS
from models.apps.stage import MANY, AppStage
from models.orders.batch import NONE
from tests.factories import TS, Event
from tests.models.alerts.suspects import MINUTE, plain_model, rows_of, suspect, taken_out

RANK = 5.0
COMMON = {
    *("event_id", "event_ts", "severity", "score", "threshold", "model", "config", "symbol"),
    *("venue", "reasons", "recommended_action", "evidence"),
}


def honest(app: str, number: int) -> Event:
    """A notable fill that raises no alert, through its key's usual app."""
    return suspect(number, api_key=f"honest-{app}-{number}", app=app)


def misused(number: int, **changes: Any) -> Event:
    """A fill of a key of `signalbot` that raises an alert, placed through a tool of the thief's."""
    usual = {"api_key": f"k{number}", "app": "thieftool", "home": "signalbot"}
    return suspect(number, **(usual | {"surprises": {"turnover": 3.0, "rate": 2.0}} | changes))


def alerts_of(fills: Sequence[Event], rank: float = RANK) -> list[Alert]:
    """Alerts where some keys of two apps are known and each of `fills` raised an alert."""
    stage = AppStage(plain_model())
    known = [honest(app, n) for app in ("signalbot", "thieftool") for n in range(3)]
    stage.begin(rows_of(known))
    stage.end()
    rows, alerts = rows_of(fills), []
    stage.begin(rows)
    for row, fill in enumerate(fills):
        incident, place = Incident(), Place(0, row)
        early = Sighting(rank, fill["ts"] - MINUTE, f"early-{fill['event_id']}", place)
        raising = Sighting(rank, fill["ts"], fill["event_id"], place)
        for sighting in (early, raising):
            incident.add(sighting, sighting.ts, 100.0, 0.0)
        one = taken_out(rows, row, rank)
        alerts += stage.misused(rows, row, one, incident)
    return alerts


def data_of(alert: Alert) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.json.decode(alert.encode())["data"]
    return data


def test_the_alert_has_the_fields_of_the_contract_and_no_others() -> None:
    (alert,) = alerts_of([misused(0), misused(1)])
    body = msgspec.json.decode(alert.encode())
    data = body["data"]
    assert (body["type"], body["subject"]) == ("roguekey.alert.app_leak.v1", "signalbot")
    assert data.keys() == COMMON | {"app", "keys", "since"}
    assert (data["event_id"], data["event_ts"]) == ("e-1", TS + MINUTE)
    assert (data["symbol"], data["venue"]) == ("AXSUSDT", "binance")
    assert (data["model"], data["config"]) == ("m-1", plain_model().config)
    assert (data["severity"], data["recommended_action"]) == ("high", "freeze_app")
    assert data["threshold"] < data["score"] <= 1.0
    assert alert.id == alert_id(AlertType.APP_LEAK, "signalbot", "e-1")


def test_it_names_the_keys_and_since_when_they_are_misused() -> None:
    data = data_of(alerts_of([misused(0), misused(1)])[0])
    assert data["keys"] == ["k0", "k1"]
    assert data["since"] == TS - MINUTE  # the earliest suspect fill of any of them


def test_the_evidence_is_that_of_the_key_that_raised_it_and_the_places_fit() -> None:
    (alert,) = alerts_of([misused(0), misused(1)])
    evidence = alert.data.evidence
    assert sorted(evidence.event_ids) == ["e-1", "early-e-1"]
    assert (evidence.from_ts, evidence.to_ts) == (TS, TS + MINUTE)
    assert alert.places == [Place(0, 1)] * 2


def test_reasons_are_two_strongest_first_and_share_the_score() -> None:
    for alert in alerts_of([misused(n) for n in range(12)]):
        shares = [reason.contribution for reason in alert.data.reasons]
        assert len(shares) == 2
        assert shares == sorted(shares, reverse=True)
        assert all(0.0 <= share <= 1.0 for share in shares)
        assert sum(shares) == pytest.approx(1.0, abs=1e-4)
        assert f"{len(data_of(alert)['keys'])} keys of signalbot" in alert.data.reasons[0].text


def test_the_app_is_the_one_that_the_keys_usually_use_not_the_one_used_now() -> None:
    alerts = alerts_of([misused(n, app=("thieftool", None)[n % 2]) for n in range(4)])
    assert alerts
    assert {alert.subject for alert in alerts} == {"signalbot"}
    assert {alert.data.app for alert in alerts} == {"signalbot"}


def test_keys_of_different_apps_misused_through_one_tool_do_not_add_up() -> None:
    assert alerts_of([misused(0), misused(1, home="thieftool")]) == []


def test_keys_of_no_app_accuse_none() -> None:
    fills = [misused(n, app=None, home=None) for n in range(10)]
    assert all(code == NONE for code in rows_of(fills).orders.app)
    assert alerts_of(fills) == []


def test_one_key_alerted_again_and_again_accuses_no_app() -> None:
    assert alerts_of([misused(n, api_key="k0") for n in range(10)]) == []


def test_followers_who_do_as_they_used_to_accuse_no_app() -> None:
    fills = [misused(n, surprises={"surge": 4.0, "pay_up": 4.0}) for n in range(10)]
    assert alerts_of(fills) == []


@pytest.mark.parametrize("spent", ["size", "accumulation", "sweep_breadth"])
def test_whatever_is_unusual_for_its_keys_speaks_against_the_app(spent: str) -> None:
    assert alerts_of([misused(n, surprises={spent: 4.0}) for n in range(2)])


def test_it_is_told_again_as_it_grows_by_half_and_turns_critical() -> None:
    alerts = alerts_of([misused(n) for n in range(8)])
    told = [(len(data_of(alert)["keys"]), alert.data.severity) for alert in alerts]
    assert told == [(2, "high"), (3, "high"), (MANY, "critical"), (8, "critical")]
    assert len({alert.id for alert in alerts}) == len(alerts)


def test_keys_misused_days_apart_accuse_no_app() -> None:
    apart = WINDOW_MS // MINUTE + 1
    assert alerts_of([misused(n * apart) for n in range(6)]) == []


def test_the_same_fills_give_the_same_bytes_again() -> None:
    fills = [misused(n) for n in range(8)]
    assert [a.encode() for a in alerts_of(fills)] == [a.encode() for a in alerts_of(fills)]
