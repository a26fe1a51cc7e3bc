"""The freeze page: the mode in force, what waits for approval, and the audit."""

import sqlite3
from typing import Final

from models.alerts.envelope import Severity
from streams.dashboard.alert_views import Json, key_view
from streams.dashboard.handles import Handles
from streams.dashboard.standing import WAITS, kill_switch
from streams.freeze.book import without
from streams.freeze.judge import DAY_MS, HOUR_MS, MINUTE_MS
from streams.freeze.policy import Policy

MOST_ENTRIES: Final = 200
MOST_APPS: Final = 50  # whose budgets are shown

# What counts against a budget, in the mode in which the hook last was: see `Outbox.spent`.
_SPENT: Final = (
    "act = 'freeze_key' AND who = 'policy' AND CASE"
    " (SELECT mode FROM freezes ORDER BY seq DESC LIMIT 1) WHEN 'dry-run'"
    " THEN outcome = 'would' AND rule IS NULL ELSE outcome = 'intended' END"
)


def freeze_page(
    db: sqlite3.Connection, handles: Handles, policy: Policy, now: int, before: int = 0
) -> Json:
    """Give what the freeze hook's audit says, and what the policy leaves."""
    return {
        "mode": _mode(db),
        "breaker": _breaker(db),
        "kill_switch": kill_switch(db),
        "budgets": _budgets(db, policy, now),
        "app_budgets": _app_budgets(db, policy, now),
        "per_app_hour": policy.budget.per_app_hour,
        "policy": {"here": policy.id, "in_use": _policy_in_use(db)},
        "pending": pending_cases(db, handles, now),
        "audit": audit(db, handles, before),
        "entries": db.execute("SELECT ifnull(max(seq), 0) FROM freezes").fetchone()[0],
    }


def freeze_entries(db: sqlite3.Connection, alert_id: str, api_key: str | None) -> list[sqlite3.Row]:
    """Give the entries about an alert, and those about its key."""
    return db.execute(
        "SELECT * FROM freezes WHERE alert_id = ?1 OR (?2 IS NOT NULL AND api_key = ?2"
        " AND (outcome NOT IN ('refused', 'would') OR request IS NOT NULL)) ORDER BY seq LIMIT ?3",
        (alert_id, api_key, MOST_ENTRIES),
    ).fetchall()


def entry_view(row: sqlite3.Row, handles: Handles) -> Json:
    """Show an entry, its key masked."""
    return {
        "seq": row["seq"],
        "ts": row["ts"],
        "act": row["act"],
        "outcome": row["outcome"],
        "rule": row["rule"],
        "why": without(row["api_key"] or "", row["why"]),
        "who": row["who"],
        "mode": row["mode"],
        "case": row["case_id"],
        "key": key_view(handles, row["api_key"]) if row["api_key"] else None,
        "account": row["account"],
        "app": row["app"],
        "alert": row["alert_id"],
        "needs": row["needs"],
        "until": row["until"],
    }


def audit(db: sqlite3.Connection, handles: Handles, before: int = 0) -> list[Json]:
    """Give the newest entries, or those before one."""
    rows = db.execute(
        "SELECT * FROM freezes WHERE ?1 = 0 OR seq < ?1 ORDER BY seq DESC LIMIT ?2",
        (before, MOST_ENTRIES),
    )
    return [entry_view(row, handles) for row in rows]


def pending_cases(db: sqlite3.Connection, handles: Handles, now: int) -> list[Json]:
    """Give the cases that wait for somebody, the most urgent first."""
    rows = db.execute(
        "SELECT f.*, a.severity AS level, a.money, a.symbol FROM freezes f"  # noqa: S608 - fixed text
        f" LEFT JOIN alerts a ON a.id = f.alert_id WHERE {WAITS}"
        " ORDER BY a.severity DESC, f.until, f.seq LIMIT ?2",
        (now, MOST_ENTRIES),
    )
    return [
        {
            **entry_view(row, handles),
            "severity": Severity(row["level"]).name.lower() if row["level"] else None,
            "money": row["money"],
            "symbol": row["symbol"],
        }
        for row in rows
    ]


def _mode(db: sqlite3.Connection) -> str | None:
    """Give the mode of the last entry; None before the first."""
    row = db.execute("SELECT mode FROM freezes ORDER BY seq DESC LIMIT 1").fetchone()
    return row["mode"] if row else None


def _breaker(db: sqlite3.Connection) -> Json | None:
    row = db.execute(
        "SELECT outcome, ts, who, why FROM freezes WHERE act = 'breaker' ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return dict(row) if row else None


def _budgets(db: sqlite3.Connection, policy: Policy, now: int) -> list[Json]:
    """Count what the hook froze by itself, beside what it may."""
    spans = (
        ("minute", MINUTE_MS, policy.budget.per_minute),
        ("hour", HOUR_MS, policy.budget.per_hour),
        ("day", DAY_MS, policy.budget.per_day),
    )
    return [
        {
            "span": name,
            "most": most,
            "spent": db.execute(
                f"SELECT count(DISTINCT case_id) FROM freezes WHERE {_SPENT} AND ts > ?",  # noqa: S608 - fixed text
                (now - length,),
            ).fetchone()[0],
        }
        for name, length, most in spans
    ]


def _app_budgets(db: sqlite3.Connection, policy: Policy, now: int) -> list[Json]:
    """Count the same by app within the hour, of the apps that used up most."""
    rows = db.execute(
        f"SELECT app, count(DISTINCT case_id) AS spent FROM freezes WHERE {_SPENT}"  # noqa: S608 - fixed text
        " AND app != '' AND ts > ? GROUP BY app ORDER BY spent DESC, app LIMIT ?",
        (now - HOUR_MS, MOST_APPS),
    )
    most = policy.budget.per_app_hour
    return [{"app": row["app"], "spent": row["spent"], "most": most} for row in rows]


def _policy_in_use(db: sqlite3.Connection) -> str | None:
    """Give the id of the policy under which the last entry was made."""
    row = db.execute(
        "SELECT json_extract(CAST(body AS TEXT), '$.policy') FROM freezes ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return str(row[0]) if row and row[0] else None


def answer_to(db: sqlite3.Connection, request: str) -> Json:
    """Tell what the hook answered to a request, and how its case stands; null: nothing yet."""
    entry = db.execute(
        "SELECT act, outcome, rule, why, case_id, needs, api_key FROM freezes WHERE request = ?"
        " ORDER BY seq DESC LIMIT 1",
        (request,),
    ).fetchone()
    if entry is None:
        return {"answer": None, "now": None}
    names = ("act", "outcome", "rule", "needs")
    why = without(entry["api_key"] or "", entry["why"])
    shown = {**{name: entry[name] for name in names}, "case": entry["case_id"], "why": why}
    last = db.execute(
        "SELECT outcome FROM freezes WHERE case_id = ? AND case_id != '' AND outcome != 'refused'"
        " ORDER BY seq DESC LIMIT 1",
        (entry["case_id"],),
    ).fetchone()
    return {"answer": shown, "now": last["outcome"] if last else entry["outcome"]}
