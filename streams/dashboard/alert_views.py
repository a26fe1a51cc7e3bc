"""Alerts as the API shows them: keys masked, beside a handle; never a full key."""

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from models.alerts.envelope import Severity
from models.alerts.masking import masked
from streams.dashboard.handles import Handles

LIST_COLUMNS: Final = (
    "n, change, id, kind, severity, api_key, account, app, symbol, venue, score, threshold, money,"
    " impact_bps, event_ts, raised_ts, action, reasons, assignee, snoozed_until, verdict,"
    " verdict_by, verdict_ts, freeze, freeze_ts"
)

Json = dict[str, Any]


def select_alerts(db: sqlite3.Connection, rest: str, values: Any) -> list[sqlite3.Row]:
    """Select what lists show of alerts; `rest` of the statement is fixed text, values are bound."""
    query = f"SELECT {LIST_COLUMNS} FROM alerts {rest}"  # noqa: S608 - no value is in the text
    return db.execute(query, values).fetchall()


def key_view(handles: Handles, api_key: str) -> Json:
    """Show a key: its ends, and the handle of its page."""
    return {"shown": masked(api_key), "handle": handles.of(api_key)}


def status_of(row: sqlite3.Row, now: int) -> str:
    """Say how far an alert is: open, claimed, snoozed, confirmed or false_alarm."""
    if row["verdict"]:
        return str(row["verdict"])
    if row["snoozed_until"] > now:
        return "snoozed"
    return "claimed" if row["assignee"] else "open"


def alert_view(row: sqlite3.Row, handles: Handles, now: int) -> Json:
    """Show an alert as a row of the list."""
    return {
        "n": row["n"],
        "id": row["id"],
        "kind": row["kind"],
        "severity": Severity(row["severity"]).name.lower(),
        "key": key_view(handles, row["api_key"]) if row["api_key"] else None,
        "account": row["account"],
        "app": row["app"],
        "symbol": row["symbol"],
        "venue": row["venue"],
        "score": row["score"],
        "threshold": row["threshold"],
        "money": row["money"],
        "impact_bps": row["impact_bps"],
        "event_ts": row["event_ts"],
        "raised_ts": row["raised_ts"],
        "action": row["action"],
        "reasons": json.loads(row["reasons"]),
        "status": status_of(row, now),
        "assignee": row["assignee"],
        "snoozed_until": row["snoozed_until"],
        "decided_by": row["verdict_by"],
        "decided_ts": row["verdict_ts"],
        "freeze": row["freeze"],
        "freeze_ts": row["freeze_ts"],
    }


def alert_views(rows: Iterable[sqlite3.Row], handles: Handles, now: int) -> list[Json]:
    """Show alerts as rows of the list."""
    return [alert_view(row, handles, now) for row in rows]


def masked_body(body: bytes) -> Json:
    """Give the CloudEvent itself, its keys masked."""
    event: Json = json.loads(body)
    data = event["data"]
    if data.get("api_key"):
        data["api_key"] = masked(data["api_key"])
        event["subject"] = masked(event["subject"])
    for name in ("keys", "from_keys"):
        if name in data:
            data[name] = [masked(key) for key in data[name]]
    return event
