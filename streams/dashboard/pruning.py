"""Keeps the read model small: every table has a bound, and what open alerts need stays.

It depends on the rows alone, not on the clock, so that a rebuilt model comes to hold the same. The
topics themselves keep what their retention says; the audit of freezes stays whole on its own.
"""

import sqlite3
from typing import Final

from streams.dashboard.read_model import DAY_MS
from streams.dashboard.triage import Step

KEPT_ALERTS: Final = 100_000
KEPT_STEPS: Final = 100  # of each kind on one alert: decisions; claims; snoozes; notes
KEPT_STRAYS: Final = 20_000  # decisions, and as many steps, on alerts that are not here
KEPT_ENTRIES: Final = 100_000  # newest of the freeze audit, beside those of alerts and open cases
KEPT_NOTICES: Final = 100_000  # newest of the lifecycle, beside the last word on keys under way

CLAIMS: Final = f"('{Step.CLAIMED}', '{Step.RELEASED}')"
SNOOZES: Final = f"('{Step.SNOOZED}', '{Step.WOKEN}')"
NOTES: Final = f"('{Step.NOTED}')"


def prune(db: sqlite3.Connection, keep_days: int, most: int = KEPT_ALERTS) -> None:
    """Drop alerts older than `keep_days` before the newest, and all but the `most` newest.

    What is about them goes with them.
    """
    _prune_alerts(db, keep_days, most)
    for table in ("decisions", "triage"):
        _prune_strays(db, table, KEPT_STRAYS)
    prune_audit(db)
    prune_lifecycle(db)
    _prune_keys(db)


def _prune_alerts(db: sqlite3.Connection, keep_days: int, most: int) -> None:
    newest = db.execute("SELECT max(n), max(raised_ts) FROM alerts").fetchone()
    if newest[0] is None:
        return
    limits = (newest[0] - most, newest[1] - keep_days * DAY_MS)
    old = "n <= ? OR raised_ts < ?"
    for table in ("decisions", "triage"):
        about = f"alert_id IN (SELECT id FROM alerts WHERE {old})"  # noqa: S608 - fixed text
        db.execute(f"DELETE FROM {table} WHERE {about}", limits)  # noqa: S608 - fixed text
    for table in ("alert_keys", "charts"):
        about = f"alert IN (SELECT n FROM alerts WHERE {old})"  # noqa: S608 - fixed text
        db.execute(f"DELETE FROM {table} WHERE {about}", limits)  # noqa: S608 - fixed text
    db.execute(f"DELETE FROM alerts WHERE {old}", limits)  # noqa: S608 - fixed text


def bound_steps(db: sqlite3.Connection, table: str, alert_id: str, kinds: str = "") -> None:
    """Keep the newest steps of one kind on one alert: the last of them says how it stands."""
    which = f"alert_id = :alert {f'AND what IN {kinds}' if kinds else ''}"
    db.execute(
        f"DELETE FROM {table} WHERE {which} AND n <= (SELECT n FROM {table} WHERE {which}"  # noqa: S608 - fixed text
        " ORDER BY n DESC LIMIT 1 OFFSET :most)",
        {"alert": alert_id, "most": KEPT_STEPS},
    )


def _prune_strays(db: sqlite3.Connection, table: str, most: int) -> None:
    """Keep the newest steps on alerts that are not here: the alert may come after its decision."""
    db.execute(
        f"DELETE FROM {table} WHERE n IN (SELECT n FROM {table} s WHERE NOT EXISTS"  # noqa: S608 - fixed text
        " (SELECT 1 FROM alerts a WHERE a.id = s.alert_id) ORDER BY n DESC LIMIT -1 OFFSET ?)",
        (most,),
    )


def prune_audit(db: sqlite3.Connection, most: int = KEPT_ENTRIES) -> None:
    """Keep the newest entries, those about alerts that are here, and how open things stand.

    That is the last word on each case that did not end, and on each switch.
    """
    db.execute(
        "DELETE FROM freezes WHERE seq <= (SELECT max(seq) FROM freezes) - ?"
        " AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.id = alert_id)"
        " AND NOT (outcome NOT IN ('refused', 'would') AND EXISTS"
        "          (SELECT 1 FROM alerts a WHERE a.api_key = freezes.api_key))"
        " AND NOT (act IN ('kill_switch', 'breaker')"
        "          AND seq IN (SELECT max(seq) FROM freezes GROUP BY act, rule = 'kill_switch'))"
        " AND NOT (outcome IN ('pending', 'approved', 'intended', 'done', 'failed')"
        "          AND NOT (act IN ('unfreeze_key', 'release_withdrawals') AND outcome = 'done')"
        "          AND case_id != '' AND NOT EXISTS"
        "          (SELECT 1 FROM freezes g WHERE g.case_id = freezes.case_id"
        "           AND g.seq > freezes.seq AND g.outcome != 'refused'))",
        (most,),
    )


def prune_lifecycle(db: sqlite3.Connection, most: int = KEPT_NOTICES) -> None:
    """Keep the newest entries, those of keys of alerts, and the last word on keys under way."""
    db.execute(
        "DELETE FROM lifecycle WHERE n <= (SELECT max(n) FROM lifecycle) - ?"
        " AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.api_key = lifecycle.api_key)"
        " AND NOT (api_key IS NULL AND n IN"
        "          (SELECT max(n) FROM lifecycle WHERE kind IN ('hold', 'resume')))"
        " AND NOT (kind IN ('notice', 'notice_failed', 'confirmation', 'removal_failed')"
        "          AND NOT EXISTS (SELECT 1 FROM lifecycle g WHERE g.api_key = lifecycle.api_key"
        "                          AND g.n > lifecycle.n))",
        (most,),
    )


def _prune_keys(db: sqlite3.Connection) -> None:
    """Forget the handles of keys of which nothing is left."""
    db.execute(
        "DELETE FROM keys WHERE NOT EXISTS (SELECT 1 FROM alerts t WHERE t.api_key = keys.api_key)"
        " AND NOT EXISTS (SELECT 1 FROM alert_keys t WHERE t.api_key = keys.api_key)"
        " AND NOT EXISTS (SELECT 1 FROM freezes t WHERE t.api_key = keys.api_key)"
        " AND NOT EXISTS (SELECT 1 FROM lifecycle t WHERE t.api_key = keys.api_key)"
    )
