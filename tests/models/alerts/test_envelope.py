import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.alerts.envelope import (
    Action,
    Alert,
    AlertData,
    AlertType,
    Evidence,
    Place,
    Reason,
    alert_id,
    decode_alert,
    rfc3339,
)
from tests.factories import TS, names

# CONTRACT: what every alert's `data` holds, and what each type holds besides.
EVERY = [
    *("event_id", "event_ts", "severity", "score", "threshold", "model", "config", "symbol"),
    *("venue", "reasons", "recommended_action", "evidence"),
]
BESIDES: dict[AlertType, dict[str, Any]] = {
    AlertType.LEAKED_KEY: {
        "api_key": "k43545",
        "account": "a-1",
        "app": "signalbot",
        "notional": 330.25,
        "impact_bps": 61.5,
    },
    AlertType.APP_LEAK: {"app": "signalbot", "keys": ["k1", "k2"], "since": TS - 60_000},
    AlertType.PROFITEER: {"account": "a-9", "received_notional": 12.5, "from_keys": ["k1"]},
}


def alert(kind: AlertType = AlertType.LEAKED_KEY, **changes: Any) -> Alert:
    data = AlertData(
        event_id="e-7",
        event_ts=TS,
        severity="critical",
        score=0.9993,
        threshold=0.99,
        model="m-1",
        config="c-1",
        symbol="AXSUSDT",
        venue="binance",
        reasons=[Reason("size", 330.25, 12.5, 0.75, "It bought 26 times its usual size.")],
        recommended_action=Action.FREEZE_KEY,
        evidence=Evidence(TS - 5, TS, ["e-7", "e-6"]),
        **(BESIDES[kind] | changes),
    )
    return Alert(alert_id(kind, "k43545", "e-7"), kind, "k43545", data, [Place(3, 41)])


def test_an_alert_is_written_byte_for_byte_as_the_contract_shows() -> None:
    assert alert().encode().decode() == (
        '{"specversion":"1.0","id":"' + alert().id + '","source":"roguekey",'
        '"type":"roguekey.alert.leaked_key.v1","subject":"k43545",'
        '"time":"2022-12-09T05:10:11.123Z","datacontenttype":"application/json","data":{'
        '"event_id":"e-7","event_ts":1670562611123,"severity":"critical","score":0.9993,'
        '"threshold":0.99,"model":"m-1","config":"c-1","symbol":"AXSUSDT","venue":"binance",'
        '"reasons":[{"feature":"size","value":330.25,"typical":12.5,"contribution":0.75,'
        '"text":"It bought 26 times its usual size."}],"recommended_action":"freeze_key",'
        '"evidence":{"from_ts":1670562611118,"to_ts":1670562611123,"event_ids":["e-7","e-6"]},'
        '"api_key":"k43545","account":"a-1","app":"signalbot","notional":330.25,"impact_bps":61.5}}'
    )


@pytest.mark.parametrize("kind", AlertType)
def test_each_type_has_its_own_fields_and_no_others(kind: AlertType) -> None:
    data = json.loads(alert(kind).encode())["data"]
    assert list(data)[: len(EVERY)] == EVERY
    assert {field: data[field] for field in list(data)[len(EVERY) :]} == BESIDES[kind]


def test_the_app_of_a_users_own_program_is_written_as_null() -> None:
    assert json.loads(alert(app=None).encode())["data"]["app"] is None


@pytest.mark.parametrize("kind", AlertType)
def test_an_alert_is_read_as_it_was_written_whatever_others_add(kind: AlertType) -> None:
    written = alert(kind)
    raw = json.loads(written.encode())
    raw |= {"traceparent": "00-1-2-00"}
    raw["data"] |= {"new_field": [1]}
    read = decode_alert(json.dumps(raw))
    assert (read.id, read.type, read.subject) == (written.id, kind, written.subject)
    assert (read.time, read.data) == (rfc3339(TS), written.data)


def test_the_keys_that_an_alert_names_are_its_own_and_those_of_its_data() -> None:
    leak, app, profiteer = (decode_alert(alert(kind).encode()) for kind in AlertType)
    assert (leak.api_key, leak.named_keys()) == ("k43545", ["k43545"])
    assert (app.api_key, app.named_keys()) == (None, ["k1", "k2"])
    assert (profiteer.api_key, profiteer.named_keys()) == (None, ["k1"])


def test_where_the_events_lie_is_not_in_the_body() -> None:
    elsewhere = msgspec.structs.replace(alert(), places=[Place(0, 7)])
    assert elsewhere.encode() == alert().encode()


@pytest.mark.parametrize("separator", ["\n", "\r", "\u2028", '"', "\\"])
def test_an_alert_is_one_line_whatever_the_names_hold(separator: str) -> None:
    subject = f"a{separator}b"
    line = msgspec.structs.replace(alert(), subject=subject).encode()
    assert not {b"\n", b"\r"} & {line[i : i + 1] for i in range(len(line))}
    assert json.loads(line)["subject"] == subject


@given(names, names)
def test_an_id_is_32_hexadecimal_digits_and_a_function_of_the_input(
    subject: str, event_id: str
) -> None:
    ids = {alert_id(kind, subject, event_id) for kind in AlertType}
    assert ids == {alert_id(kind, subject, event_id) for kind in AlertType}
    assert len(ids) == len(AlertType)
    assert all(len(id_) == 32 and set(id_) <= set("0123456789abcdef") for id_ in ids)


@given(
    st.lists(
        st.tuples(*[st.text(st.sampled_from('ab",\\[]'), max_size=3)] * 2),
        min_size=2,
        max_size=2,
        unique=True,
    )
)
def test_different_inputs_never_share_an_id_however_the_names_are_cut(
    inputs: list[tuple[str, str]],
) -> None:
    one, other = (alert_id(AlertType.LEAKED_KEY, *parts) for parts in inputs)
    assert one != other


def test_ids_stay_the_same_from_release_to_release() -> None:
    # Consumers drop repeated alerts by id: a changed id would raise every old incident again.
    found = alert_id(AlertType.LEAKED_KEY, "k43545", "e-7")
    assert found == "929241d1e61c31152394a62f1d5768f0"


@given(st.datetimes(datetime(2009, 1, 3), datetime(9999, 12, 31)))  # noqa: DTZ001 - made UTC below
def test_the_time_is_rfc_3339_in_utc_to_the_millisecond(moment: datetime) -> None:
    moment = in_milliseconds(moment)
    ms = int(moment.timestamp()) * 1000 + moment.microsecond // 1000
    written = rfc3339(ms)
    assert len(written) == len("2022-12-09T05:10:11.123Z")
    assert datetime.fromisoformat(written) == moment


def in_milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
