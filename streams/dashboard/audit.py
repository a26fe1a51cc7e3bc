"""The freeze page: the mode in force, what waits for approval, and the audit."""

import sqlite3
from typing import Final

from models.alerts.envelope import Severity
from models.alerts.masking import masked
from streams.dashboard.alert_views import Json, key_view
from streams.dashboard.handles import Handles
from streams.freeze.policy import Policy

MOST_ENTRIES: Final = 200


def freeze_page(
    db: sqlite3.Connection, handles: Handles, policy: Policy, now: int, before: int = 0
) -> Json:
    """Give what the freeze hook's audit says, and what the policy leaves."""
    return {
        "mode": _mode(db),
        "breaker": _switch(db, "breaker"),
        "kill_switch": _switch(db, "kill_switch"),
        "budgets": _budgets(db, policy, now),
        "policy": {"here": policy.id, "in_use": _policy_in_use(db)},
        "pending": pending_cases(db, handles, now),
        "audit": audit(db, handles, before),
        "entries": db.execute("SELECT count(*) FROM freezes").fetchone()[0],
    }


def freeze_entries(db: sqlite3.Connection, alert_id: str, api_key: str | None) -> list[sqlite3.Row]:
    """Give the entries about an alert, and those about its key."""
    return db.execute(
        "SELECT * FROM freezes WHERE alert_id = ?1 OR (?2 IS NOT NULL AND api_key = ?2"
        " AND outcome NOT IN ('refused', 'would')) ORDER BY seq LIMIT ?3",
        (alert_id, api_key, MOST_ENTRIES),
    ).fetchall()


def why(row: sqlite3.Row) -> str:
    """Give the reason of an entry, the key masked in it, too."""
    text, key = str(row["why"]), row["api_key"]
    return text.replace(key, masked(key)) if key else text


def entry_view(row: sqlite3.Row, handles: Handles) -> Json:
    """Show an entry, its key masked."""
    return {
        "seq": row["seq"],
        "ts": row["ts"],
        "act": row["act"],
        "outcome": row["outcome"],
        "rule": row["rule"],
        "why": why(row),
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
        "SELECT f.*, a.severity AS level, a.money, a.symbol FROM freezes f"
        " LEFT JOIN alerts a ON a.id = f.alert_id"
        " WHERE f.outcome IN ('pending', 'approved') AND f.needs > 0"
        " AND ifnull(f.until, ?1) >= ?1 AND NOT EXISTS"
        " (SELECT 1 FROM freezes g WHERE g.case_id = f.case_id AND g.seq > f.seq"
        "  AND g.outcome != 'refused')"
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


def _switch(db: sqlite3.Connection, act: str) -> Json | None:
    row = db.execute(
        "SELECT outcome, ts, who, why FROM freezes WHERE act = ? ORDER BY seq DESC LIMIT 1", (act,)
    ).fetchone()
    return dict(row) if row else None


def _budgets(db: sqlite3.Connection, policy: Policy, now: int) -> list[Json]:
    """Count what the hook froze by itself, beside what it may."""
    spans = (
        ("minute", 60_000, policy.budget.per_minute),
        ("hour", 3_600_000, policy.budget.per_hour),
        ("day", 86_400_000, policy.budget.per_day),
    )
    return [
        {
            "span": name,
            "most": most,
            "spent": db.execute(
                "SELECT count(DISTINCT case_id) FROM freezes WHERE act = 'freeze_key'"
                " AND outcome IN ('intended', 'would') AND ts > ?"
                " AND json_extract(CAST(body AS TEXT), '$.approvers') = '[]'",
                (now - length,),
            ).fetchone()[0],
        }
        for name, length, most in spans
    ]


def _policy_in_use(db: sqlite3.Connection) -> str | None:
    """Give the id of the policy under which the last entry was made."""
    row = db.execute(
        "SELECT json_extract(CAST(body AS TEXT), '$.policy') FROM freezes ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return str(row[0]) if row and row[0] else None
