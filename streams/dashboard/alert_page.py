"""The alert page: everything that is known about one alert, in one answer."""

import json
import sqlite3
from typing import Any, Final

from models.alerts.incidents import QUIET_MS
from models.alerts.reasons import KINDS
from streams.dashboard.alert_views import (
    Json,
    alert_view,
    alert_views,
    key_view,
    masked_body,
    select_alerts,
)
from streams.dashboard.freeze_page import freeze_entries
from streams.dashboard.handles import Handles
from streams.dashboard.read_model import DAY_MS
from streams.dashboard.related import related
from streams.dashboard.standing import hook_standing
from streams.freeze.actions import Outcome, Rule
from streams.freeze.book import without

MOST_OTHERS: Final = 50


def alert_page(db: sqlite3.Connection, alert_id: str, handles: Handles, now: int) -> Json | None:
    """Give all about an alert; None where there is none of this id."""
    row = db.execute("SELECT * FROM alerts WHERE id = ?", (alert_id,)).fetchone()
    if row is None:
        return None
    event = masked_body(row["body"])
    data = event["data"]
    return {
        **alert_view(row, handles, now),
        "reasons": [_reason(reason) for reason in data["reasons"]],
        "evidence": data["evidence"],
        "model": data["model"],
        "config": data["config"],
        "since": data.get("since"),
        "keys": _named_keys(db, row, handles),
        "incident": _same_market(db, row, handles, now),
        "fellows": _same_app(db, row, handles, now),
        "timeline": timeline(db, row, data),
        "places": _places(row),
        "record": {"offset": row["at"], "cloudevent": event},
        "lifecycle": _phase(db, row["api_key"]),
        "case": _open_case(db, row),
        "hook": hook_standing(db),
        "related": related(db, row),
    }


def _reason(reason: Json) -> Json:
    return {**reason, "kind": KINDS.get(reason["feature"], "other")}


def _named_keys(db: sqlite3.Connection, row: sqlite3.Row, handles: Handles) -> list[Json]:
    """Give the keys that an app's or a profiteer's alert names, with their last alerts."""
    if row["kind"] == "leaked_key":
        return []
    named = db.execute(
        "SELECT k.api_key, max(a.n) AS last, a.id, a.severity, a.money, a.freeze, a.symbol"
        " FROM alert_keys k LEFT JOIN alerts a ON a.api_key = k.api_key"
        " WHERE k.alert = ? GROUP BY k.api_key ORDER BY a.severity DESC, a.money DESC",
        (row["n"],),
    )
    return [
        {
            "key": key_view(handles, each["api_key"]),
            "alert": each["id"],
            "money": each["money"],
            "freeze": each["freeze"],
            "symbol": each["symbol"],
        }
        for each in named
    ]


def _same_market(
    db: sqlite3.Connection, row: sqlite3.Row, handles: Handles, now: int
) -> list[Json]:
    """Give the other alerts of this market within half an hour."""
    rows = select_alerts(
        db,
        "WHERE symbol = ? AND venue = ?"
        " AND event_ts BETWEEN ? AND ? AND n != ? ORDER BY event_ts, n LIMIT ?",
        (
            row["symbol"],
            row["venue"],
            row["event_ts"] - QUIET_MS,
            row["event_ts"] + QUIET_MS,
            row["n"],
            MOST_OTHERS,
        ),
    )
    return alert_views(rows, handles, now)


def _same_app(db: sqlite3.Connection, row: sqlite3.Row, handles: Handles, now: int) -> list[Json]:
    """Give the other alerts of this app within a day."""
    if not row["app"]:
        return []
    rows = select_alerts(
        db,
        "WHERE app = ? AND n != ? AND event_ts BETWEEN ? AND ? ORDER BY n DESC LIMIT ?",
        (row["app"], row["n"], row["event_ts"] - DAY_MS, row["event_ts"] + DAY_MS, MOST_OTHERS),
    )
    return alert_views(rows, handles, now)


def timeline(db: sqlite3.Connection, row: sqlite3.Row, data: Json) -> list[Json]:
    """Give what happened, in order: from the first suspect order to the last decision.

    Orders have the exchange's time; everything since the alert was raised, the wall clock's.
    """
    evidence = data["evidence"]
    steps: list[Json] = [
        {"ts": row["event_ts"], "what": "alert_order", "clock": "event"},
        {"ts": row["raised_ts"], "what": "raised", "clock": "wall"},
    ]
    first = min(evidence["from_ts"], data.get("since") or evidence["from_ts"])
    if first < row["event_ts"]:
        steps.append({"ts": first, "what": "first_order", "clock": "event"})
    triage = db.execute("SELECT * FROM triage WHERE alert_id = ?", (row["id"],))
    steps += [_step(step, step["what"]) | {"until": step["until"]} for step in triage]
    decisions = db.execute("SELECT * FROM decisions WHERE alert_id = ?", (row["id"],))
    steps += [_step(step, step["what"]) for step in decisions]
    entries = freeze_entries(db, row["id"], row["api_key"])
    steps += [_freeze_step(entry) for entry in entries if not _is_known(entry)]
    return sorted(steps, key=lambda step: (step["clock"] == "wall", step["ts"]))


def _step(row: sqlite3.Row, what: str) -> Json:
    return {
        "ts": row["ts"],
        "what": what,
        "clock": "wall",
        "who": row["who"],
        "note": row["note"],
    }


def _is_known(entry: sqlite3.Row) -> bool:
    """Whether the hook merely said that the incident has a case already."""
    refused = (entry["outcome"], entry["rule"]) == (Outcome.REFUSED, Rule.OPEN_CASE)
    return refused and entry["request"] is None


def _freeze_step(entry: sqlite3.Row) -> Json:
    names = ("ts", "act", "outcome", "rule", "who")
    shown = {name: entry[name] for name in names}
    note = without(entry["api_key"] or "", entry["why"])
    return shown | {"what": "freeze", "clock": "wall", "note": note}


def _places(row: sqlite3.Row) -> Json | None:
    """Say where the evidence lies on the orders topic."""
    try:
        places: Any = json.loads(row["places"] or b"null")
    except ValueError:
        return None
    return places if isinstance(places, dict) else None


def _phase(db: sqlite3.Connection, api_key: str | None) -> Json | None:
    """Say what the inactive-key policy last said about a key."""
    if api_key is None:
        return None
    row = db.execute(
        "SELECT kind, phase, ts, text FROM lifecycle WHERE api_key = ? ORDER BY n DESC LIMIT 1",
        (api_key,),
    ).fetchone()
    return dict(row) if row else None


def _open_case(db: sqlite3.Connection, row: sqlite3.Row) -> Json | None:
    """Give the freeze case of the alert's subject that was touched last."""
    found = db.execute(
        "SELECT case_id, act, outcome, needs, until, mode FROM freezes WHERE case_id != ''"
        " AND (alert_id = ?1 OR (?2 IS NOT NULL AND api_key = ?2)) ORDER BY seq DESC LIMIT 1",
        (row["id"], row["api_key"]),
    ).fetchone()
    return dict(found) if found else None
