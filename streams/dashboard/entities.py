"""Pages about keys, apps, profiteers, and keys that nobody uses."""

import json
import sqlite3
from typing import Final

from streams.dashboard.alert_views import (
    Json,
    alert_views,
    key_view,
    masked_body,
    select_alerts,
)
from streams.dashboard.freeze_page import entry_view
from streams.dashboard.handles import Handles, key_of
from streams.dashboard.standing import hook_standing, key_freeze

MOST_ROWS: Final = 500
MOST_ALERTS: Final = 200
LIFECYCLE: Final = (
    "ts", "kind", "reason", "mode", "text", "account", "phase", "idle_since", "last_use",
    "notified_at", "removal_due", "actor",
)  # fmt: skip


def key_page(db: sqlite3.Connection, handle: str, handles: Handles, now: int) -> Json | None:
    """Give a key's history; None for a handle that is nobody's."""
    api_key = key_of(db, handle)
    if api_key is None:
        return None
    alerts = select_alerts(
        db,
        "WHERE api_key = ?1 OR n IN (SELECT alert FROM alert_keys WHERE api_key = ?1)"
        " ORDER BY n DESC LIMIT ?2",
        (api_key, MOST_ALERTS),
    )
    freezes = db.execute(
        "SELECT * FROM freezes WHERE api_key = ? ORDER BY seq DESC LIMIT ?", (api_key, MOST_ALERTS)
    )
    lifecycle = db.execute(
        "SELECT * FROM lifecycle WHERE api_key = ? ORDER BY n DESC LIMIT ?", (api_key, MOST_ALERTS)
    ).fetchall()
    own = [row for row in alerts if row["api_key"] == api_key]
    frozen = key_freeze(db, api_key)
    return {
        "key": key_view(handles, api_key),
        "account": next((row["account"] for row in [*own, *lifecycle] if row["account"]), None),
        "apps": sorted({row["app"] for row in own if row["app"]}),
        "freeze": frozen["state"] if frozen else None,
        "case": frozen,
        "hook": hook_standing(db),
        "phase": lifecycle[0]["phase"] if lifecycle else None,
        "alerts": alert_views(alerts, handles, now),
        "freezes": [entry_view(row, handles) for row in freezes],
        "lifecycle": [_lifecycle_view(row, handles) for row in lifecycle],
    }


def app_list(db: sqlite3.Connection) -> list[Json]:
    """Give the apps whose keys were alerted, those said to leak first."""
    rows = db.execute(
        "SELECT app, count(DISTINCT api_key) AS alerted, max(severity) AS severity,"
        " sum(kind = 'app_leak') AS leaks, max(raised_ts) AS last_ts,"
        " sum(kind = 'leaked_key' AND verdict = 'confirmed') AS confirmed,"
        " sum(kind = 'leaked_key' AND verdict = 'false_alarm') AS false_alarms"
        " FROM alerts WHERE app IS NOT NULL GROUP BY app"
        " ORDER BY leaks > 0 DESC, alerted DESC, last_ts DESC LIMIT ?",
        (MOST_ROWS,),
    ).fetchall()
    return [_app_row(db, row) for row in rows]


def _app_row(db: sqlite3.Connection, row: sqlite3.Row) -> Json:
    leak = db.execute(
        "SELECT id, body, freeze, verdict FROM alerts WHERE app = ? AND kind = 'app_leak'"
        " ORDER BY n DESC LIMIT 1",
        (row["app"],),
    ).fetchone()
    money = db.execute(
        "SELECT total(most) FROM (SELECT max(money) AS most FROM alerts WHERE app = ?"
        " AND kind = 'leaked_key' GROUP BY api_key)",
        (row["app"],),
    ).fetchone()[0]
    return {
        "app": row["app"],
        "alerted": row["alerted"],
        "confirmed": row["confirmed"],
        "false_alarms": row["false_alarms"],
        "last_ts": row["last_ts"],
        "money": money,
        "leak": _leak(leak) if leak else None,
    }


def _leak(row: sqlite3.Row) -> Json:
    """Say what the last alert of an app's leak claims.

    How many keys are active follows from how many would be falsely alerted by chance.
    """
    data = json.loads(row["body"])["data"]
    counted = next((r for r in data["reasons"] if r["feature"] == "misused_keys"), None)
    expected = counted["typical"] if counted else None
    chance = 1.0 - data["threshold"]
    return {
        "alert": row["id"],
        "since": data.get("since"),
        "keys": len(data.get("keys", ())),
        "expected": expected,
        "active": round(expected / chance) if expected and chance > 0 else None,
        "severity": data["severity"],
        "freeze": row["freeze"],
        "verdict": row["verdict"],
    }


def app_page(db: sqlite3.Connection, app: str, handles: Handles, now: int) -> Json | None:
    """Give an app with its alerts and its keys; None for one never alerted."""
    alerts = select_alerts(db, "WHERE app = ? ORDER BY n DESC LIMIT ?", (app, MOST_ALERTS))
    if not alerts:
        return None
    listed = next(row for row in app_list_of(db, app))
    keys: dict[str, Json] = {}
    for row in alerts:
        if row["api_key"] and row["api_key"] not in keys:
            keys[row["api_key"]] = {
                "key": key_view(handles, row["api_key"]),
                "account": row["account"],
                "money": row["money"],
                "freeze": row["freeze"],
                "last_ts": row["raised_ts"],
                "alert": row["id"],
            }
    return {
        **listed,
        "keys": list(keys.values()),
        "alerts": alert_views(alerts, handles, now),
    }


def app_list_of(db: sqlite3.Connection, app: str) -> list[Json]:
    """Give the row of one app."""
    rows = db.execute(
        "SELECT app, count(DISTINCT api_key) AS alerted, max(raised_ts) AS last_ts,"
        " sum(kind = 'leaked_key' AND verdict = 'confirmed') AS confirmed,"
        " sum(kind = 'leaked_key' AND verdict = 'false_alarm') AS false_alarms"
        " FROM alerts WHERE app = ? GROUP BY app",
        (app,),
    ).fetchall()
    return [_app_row(db, row) for row in rows]


def profiteers(db: sqlite3.Connection, handles: Handles, now: int) -> list[Json]:
    """Give the accounts that sold into what leaked keys bought, the richest first."""
    rows = db.execute(
        "SELECT *, count(*) AS times, max(money) AS received, max(n) AS last FROM alerts"
        " WHERE kind = 'profiteer' GROUP BY account ORDER BY received DESC LIMIT ?",
        (MOST_ROWS,),
    ).fetchall()
    shown = alert_views(rows, handles, now)
    for row, view in zip(rows, shown, strict=True):
        keys = db.execute("SELECT api_key FROM alert_keys WHERE alert = ?", (row["n"],))
        view["times"] = row["times"]
        view["from_keys"] = [key_view(handles, key["api_key"]) for key in keys]
        view["evidence"] = masked_body(row["body"])["data"]["evidence"]
    return shown


def inactive(db: sqlite3.Connection, handles: Handles) -> Json:
    """Give the keys about which the inactive-key policy said something, by its last word."""
    rows = db.execute(
        "SELECT * FROM lifecycle WHERE api_key IS NOT NULL AND n IN"
        " (SELECT max(n) FROM lifecycle GROUP BY api_key)"
        " ORDER BY ifnull(removal_due, 9e15), n DESC LIMIT ?",
        (MOST_ROWS,),
    )
    hold = db.execute(
        "SELECT kind, reason, ts, text, mode, actor FROM lifecycle"
        " WHERE kind IN ('hold', 'resume') ORDER BY n DESC LIMIT 1"
    ).fetchone()
    last = db.execute("SELECT mode FROM lifecycle ORDER BY n DESC LIMIT 1").fetchone()
    counts = db.execute(
        "SELECT ifnull(phase, kind) AS phase, count(*) AS many FROM lifecycle"
        " WHERE api_key IS NOT NULL AND n IN (SELECT max(n) FROM lifecycle GROUP BY api_key)"
        " GROUP BY 1 ORDER BY 2 DESC"
    )
    return {
        "mode": last["mode"] if last else None,
        "hold": dict(hold) if hold and hold["kind"] == "hold" else None,
        "counts": {row["phase"]: row["many"] for row in counts},
        "keys": [_lifecycle_view(row, handles) for row in rows],
    }


def _lifecycle_view(row: sqlite3.Row, handles: Handles) -> Json:
    key = key_view(handles, row["api_key"]) if row["api_key"] else None
    return {"key": key, **{name: row[name] for name in LIFECYCLE}}
