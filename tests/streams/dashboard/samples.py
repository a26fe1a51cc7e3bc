"""Records for tests of the dashboard: alerts, decisions, freezes and what attackers name things."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from models.alerts.envelope import (
    Action,
    Alert,
    AlertData,
    AlertType,
    Evidence,
    Place,
    Reason,
    alert_id,
)
from streams.dashboard.handles import Handles
from streams.dashboard.read_model import ReadModel
from streams.dashboard.records import Intake, Record
from streams.dashboard.triage import Step, Triage
from streams.dispositions import Disposition, Outcome
from streams.settings import Settings

NAMES = Settings().topics
SECRET = b"s" * 32
NOW = 1_800_000_000_000
KEY = "abcdefghijklmnopqrstuvwxyz0123456789"

HOSTILE = (
    '<img src=x onerror="window.pwned=1">',
    "<script>window.pwned=1</script>",
    "\u202egnp.exe\u202d",
    "a\nb\r\nc\td",
    "x" * 3000,
    "javascript:window.pwned=1",
    "'\"><svg/onload=window.pwned=1>",
    "=HYPERLINK('http://x')",
    "\u200b\u200b\ufeff",
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319",
    "../../etc/passwd?x=1#y",
    "{{7*7}}${7*7}",
    "\U0001f680\U0001f4b0 to the moon \U0001f468\u200d\U0001f469\u200d\U0001f467" * 9,
    "\u2067\u05de\u05d7\u05d9\u05e8 \u0645\u0631\u062d\u0628\u0627",
)


def alert(number: int = 1, **changes: Any) -> Alert:
    """An alert of a leaked key; `key`, `app`, `symbol` and fields of its data may be changed."""
    key = changes.pop("key", f"{KEY}{number}")
    kind = changes.pop("type", AlertType.LEAKED_KEY)
    event_id = changes.pop("event_id", f"e{number}")
    ts = changes.pop("event_ts", NOW + 1000 * number)
    data: dict[str, Any] = {
        "event_id": event_id,
        "event_ts": ts,
        "severity": "high",
        "score": 0.99995,
        "threshold": 0.999,
        "model": "model-1",
        "config": "config-1",
        "symbol": "AXSUSDT",
        "venue": "binance",
        "reasons": [
            Reason("push", 9.0, 1.0, 0.6, "The fill moved the price 9.0 times as far."),
            Reason("size", 9000.0, 40.0, 0.4, "An order of 9,000 USD, where 40 are usual."),
        ],
        "recommended_action": Action.FREEZE_KEY,
        "evidence": Evidence(ts - 5000, ts, [event_id]),
        "account": f"account-{number}",
        "app": "app-1",
    }
    if kind is AlertType.LEAKED_KEY:
        data |= {"api_key": key, "notional": 100.0 * number, "impact_bps": 12.5}
        subject = key
    elif kind is AlertType.APP_LEAK:
        data |= {"keys": [key], "since": ts - 60_000, "recommended_action": Action.FREEZE_APP}
        subject = str(data["app"])
    else:
        data |= {"received_notional": 5000.0, "from_keys": [key]}
        data["recommended_action"] = Action.HOLD_WITHDRAWALS
        subject = str(data["account"])
    made = AlertData(**(data | changes))
    if kind is AlertType.APP_LEAK:
        subject = str(made.app)
    if kind is AlertType.PROFITEER:
        subject = str(made.account)
    identity = alert_id(kind, subject, event_id)
    return Alert(identity, kind, subject, made, [Place(0, number)])


def places(made: Alert) -> bytes:
    return msgspec.json.encode({"topic": "orders", "events": made.places})


def alert_record(made: Alert, offset: int) -> Record:
    headers = {"roguekey-places": places(made)}
    return Record(NAMES.alerts, 0, offset, NOW + offset, made.encode(), headers)


def decision_record(
    made: Alert, outcome: Outcome, offset: int, who: str = "anna", note: str = "n"
) -> Record:
    value = Disposition(
        alert_id=made.id,
        subject=made.subject,
        disposition=outcome,
        decided_ts=NOW + offset,
        analyst=who,
        note=note,
    )
    return Record(NAMES.dispositions, 0, offset, NOW, value.encode())


def triage_record(made: Alert, step: Step, offset: int, until: int = 0) -> Record:
    value = Triage(alert_id=made.id, step=step, analyst="anna", ts=NOW, until=until)
    return Record(NAMES.triage, 0, offset, NOW, value.encode())


def intake() -> Intake:
    return Intake(NAMES, Handles(SECRET))


def filled(path: Path, records: Iterable[Record]) -> ReadModel:
    """A read model that has taken these records."""
    model = ReadModel(path)
    with model.writing() as db:
        intake().take(db, list(records))
    return model


def dump(model: ReadModel) -> dict[str, list[dict[str, Any]]]:
    """All rows of a read model that the topics determine; numbers of changes are its own."""
    tables = ("offsets", "alerts", "alert_keys", "keys", "decisions", "triage", "freezes")
    with model.reading() as db:
        rows: dict[str, list[dict[str, Any]]] = {}
        for table in (*tables, "lifecycle"):
            found = [dict(row) for row in db.execute(f"SELECT * FROM {table}")]  # noqa: S608 - fixed
            rows[table] = [{k: v for k, v in row.items() if k != "change"} for row in found]
        return rows
