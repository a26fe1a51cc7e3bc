"""Alerts that one decision may settle together: on the same subject, and of the same incident."""

import sqlite3
from typing import Final

from models.alerts.incidents import QUIET_MS
from streams.dashboard.alert_views import Json

MOST_RELATED: Final = 200  # of each sort; what the API takes at once

_SUBJECT: Final = {"leaked_key": "api_key", "app_leak": "app", "profiteer": "account"}


def related(db: sqlite3.Connection, row: sqlite3.Row) -> Json:
    """Give the ids of undecided alerts beside this one, and how many keys the incident's name."""
    column = _SUBJECT[row["kind"]]
    own = db.execute(
        f"SELECT id FROM alerts WHERE {column} = :subject AND kind = :kind AND n != :n"  # noqa: S608 - fixed text
        " AND verdict IS NULL ORDER BY n DESC LIMIT :most",
        {"subject": row[column], "kind": row["kind"], "n": row["n"], "most": MOST_RELATED},
    ).fetchall()
    others = _of_incident(db, row)
    return {
        "subject": [each["id"] for each in own],
        "incident": [each["id"] for each in others],
        "keys": len({each["api_key"] for each in others}),
    }


def _of_incident(db: sqlite3.Connection, row: sqlite3.Row) -> list[sqlite3.Row]:
    """Give the undecided alerts on other keys: of this app's leak, or bought beside this key."""
    if row["kind"] == "app_leak":
        which = "api_key IN (SELECT api_key FROM alert_keys WHERE alert = :n)"
    else:
        which = "symbol = :symbol AND venue = :venue AND event_ts BETWEEN :since AND :until"
    return db.execute(
        f"SELECT id, api_key FROM alerts WHERE {which} AND kind = 'leaked_key'"  # noqa: S608 - fixed text
        " AND verdict IS NULL AND api_key IS NOT :own ORDER BY n DESC LIMIT :most",
        {
            "n": row["n"],
            "symbol": row["symbol"],
            "venue": row["venue"],
            "since": row["event_ts"] - QUIET_MS,
            "until": row["event_ts"] + QUIET_MS,
            "own": row["api_key"],
            "most": MOST_RELATED,
        },
    ).fetchall()
