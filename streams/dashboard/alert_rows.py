"""Alerts, decisions and triage as rows of the read model.

The topics are read side by side, so that a decision may come before the alert that it is about:
what an alert's row says of them is restated from their own rows, whichever comes last.
"""

import sqlite3
from typing import Final

import msgspec

from models.alerts.envelope import AlertType, Envelope, Severity, decode_alert
from models.alerts.reasons import varied
from models.unreadable import UNREADABLE
from streams.dashboard.pruning import CLAIMS, NOTES, SNOOZES, bound_steps
from streams.dashboard.read_model import DAY_MS, next_change
from streams.dashboard.triage import Step, Triage
from streams.dispositions import Disposition, Outcome

SHOWN_REASONS: Final = 3  # in the list
MOST_CHARS: Final = 4096  # of a name; the broker allows a mebibyte

_KINDS_OF_STEP: Final = {
    Step.CLAIMED: CLAIMS,
    Step.RELEASED: CLAIMS,
    Step.SNOOZED: SNOOZES,
    Step.WOKEN: SNOOZES,
    Step.NOTED: NOTES,
}


class AlertError(ValueError):
    """A record is no alert."""


def read_alert(value: bytes) -> Envelope:
    """Read the record of an alert; an `AlertError` says what is wrong with it."""
    try:
        alert = decode_alert(value)
        Severity[alert.data.severity.upper()]
    except UNREADABLE as error:
        raise AlertError(str(error)) from None
    except KeyError as error:
        raise AlertError(f"severity is {error}; must be low, medium, high or critical") from None
    names = (alert.id, alert.subject, alert.data.symbol, alert.data.venue)
    if any(len(name) > MOST_CHARS for name in names):
        raise AlertError(f"a name is longer than {MOST_CHARS} characters")
    return alert


def take_alert(
    db: sqlite3.Connection, alert: Envelope, value: bytes, raised_ts: int, places: bytes, at: int
) -> int | None:
    """Add an alert; gives its number, None if it is known."""
    data = alert.data
    row = db.execute(
        "INSERT INTO alerts (change, id, kind, severity, api_key, account, app, symbol, venue,"
        " score, threshold, money, impact_bps, event_ts, raised_ts, action, reasons, body, places,"
        " at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO NOTHING RETURNING n",
        (
            next_change(db),
            alert.id,
            alert.type.short,
            int(Severity[data.severity.upper()]),
            alert.api_key,
            data.account or None,
            data.app or None,
            data.symbol,
            data.venue,
            data.score,
            data.threshold,
            _money_at_risk(db, alert),
            data.impact_bps or None,
            data.event_ts,
            raised_ts,
            str(data.recommended_action),
            msgspec.json.encode([reason.text for reason in varied(data.reasons)][:SHOWN_REASONS]),
            value,
            places,
            at,
        ),
    ).fetchone()
    if row is None:
        return None
    number = int(row[0])
    keys = [(number, key) for key in alert.named_keys()]
    db.executemany("INSERT OR IGNORE INTO alert_keys VALUES (?, ?)", keys)
    restate(db, alert.id)
    return number


def take_decision(db: sqlite3.Connection, decision: Disposition, ts: int) -> None:
    """Add what an analyst decided."""
    db.execute(
        "INSERT INTO decisions (alert_id, ts, who, what, note) VALUES (?, ?, ?, ?, ?)",
        (
            decision.alert_id,
            decision.decided_ts or ts,
            decision.analyst or "",
            str(decision.disposition),
            decision.note or "",
        ),
    )
    bound_steps(db, "decisions", decision.alert_id)
    restate(db, decision.alert_id)


def take_triage(db: sqlite3.Connection, triage: Triage) -> None:
    """Add who has an alert, or until when it is put off."""
    db.execute(
        "INSERT INTO triage (alert_id, ts, who, what, until, note) VALUES (?, ?, ?, ?, ?, ?)",
        (triage.alert_id, triage.ts, triage.analyst, str(triage.step), triage.until, triage.note),
    )
    bound_steps(db, "triage", triage.alert_id, _KINDS_OF_STEP[triage.step])
    restate(db, triage.alert_id)


def restate(db: sqlite3.Connection, alert_id: str) -> None:
    """Let an alert's row say what its decisions and its triage come to."""
    decided = db.execute(
        "SELECT what, who, ts FROM decisions WHERE alert_id = ? ORDER BY n DESC LIMIT 1",
        (alert_id,),
    ).fetchone()
    if decided is None or decided["what"] == Outcome.WITHDRAWN:
        verdict = (None, None, None)
    else:
        verdict = (decided["what"], decided["who"], decided["ts"])
    assignee, until = None, 0
    steps = db.execute("SELECT * FROM triage WHERE alert_id = ? ORDER BY n", (alert_id,))
    for step in steps:
        if step["what"] in {Step.CLAIMED, Step.RELEASED}:
            assignee = step["who"] if step["what"] == Step.CLAIMED else None
        elif step["what"] != Step.NOTED:
            until = step["until"] if step["what"] == Step.SNOOZED else 0
    db.execute(
        "UPDATE alerts SET verdict = ?, verdict_by = ?, verdict_ts = ?, assignee = ?,"
        " snoozed_until = ?, change = ? WHERE id = ?",
        (*verdict, assignee, until, next_change(db), alert_id),
    )


def _money_at_risk(db: sqlite3.Connection, alert: Envelope) -> float:
    """USD that moved: of a key its own, of an app that of its keys, of a profiteer what it got."""
    data = alert.data
    if alert.type is AlertType.LEAKED_KEY:
        return data.notional or 0.0
    if alert.type is AlertType.PROFITEER:
        return data.received_notional or 0.0
    total = 0.0
    for key in alert.named_keys():
        row = db.execute(
            "SELECT max(money) FROM alerts WHERE api_key = ? AND event_ts > ?",
            (key, data.event_ts - DAY_MS),
        ).fetchone()
        total += row[0] or 0.0
    return total
