"""How the freezes stand: of an alert, of a key, and what the hook would let anybody do."""

import sqlite3
from typing import Final

from streams.dashboard.alert_rows import restate
from streams.dashboard.alert_views import Json
from streams.freeze.actions import Act, Entry, Mode, Outcome, Rule

ABOUT_KEYS: Final = (Act.FREEZE_KEY, Act.UNFREEZE_KEY)
ABOUT_ACCOUNTS: Final = (Act.HOLD_WITHDRAWALS, Act.RELEASE_WITHDRAWALS)

# Of an entry `f`: its case waits for somebody at the time ?1, and nothing came of it since.
WAITS: Final = (
    "f.outcome IN ('pending', 'approved') AND f.needs > 0 AND ifnull(f.until, ?1) >= ?1"
    " AND NOT EXISTS (SELECT 1 FROM freezes g WHERE g.case_id = f.case_id AND g.seq > f.seq"
    " AND g.outcome != 'refused')"
)

# What was merely refused, or would have been done, says nothing of the key; what a person was
# refused, or what was refused since the incident has a case already, not even of the alert.
_OF_SUBJECT: Final = (
    "outcome NOT IN ('refused', 'would') AND"
    " (api_key = :key AND act IN ('freeze_key', 'unfreeze_key')"
    "  OR account = :account AND act IN ('hold_withdrawals', 'release_withdrawals'))"
)
_OF_ALERT: Final = (
    "alert_id = :id AND NOT (outcome = 'refused' AND (rule = 'open_case' OR request IS NOT NULL))"
)


def note_freeze(db: sqlite3.Connection, entry: Entry) -> None:
    """Let the rows of alerts say what a new entry of the audit means for them."""
    if entry.api_key and entry.act in ABOUT_KEYS:
        restate_freeze(db, "a.api_key = ?", entry.api_key)
    elif entry.account and entry.act in ABOUT_ACCOUNTS:
        restate_freeze(db, "a.kind = 'profiteer' AND a.account = ?", entry.account)
    elif entry.alert_id:
        restate_freeze(db, "a.id = ?", entry.alert_id)


def restate_freeze(db: sqlite3.Connection, which: str, value: object) -> None:
    """Let the rows of alerts say what became of the freeze: of the key, or of the alert's own case.

    A key that has been frozen is frozen, whichever alert led to it.
    """
    rows = db.execute(
        f"SELECT a.id, a.kind, a.api_key, a.account FROM alerts a WHERE {which}",  # noqa: S608 - `which` is fixed text
        (value,),
    ).fetchall()
    for row in rows:
        account = row["account"] if row["kind"] == "profiteer" else None
        last = db.execute(
            f"SELECT act, outcome, rule, ts FROM freezes WHERE ({_OF_ALERT}) OR ({_OF_SUBJECT})"  # noqa: S608 - fixed text
            " ORDER BY seq DESC LIMIT 1",
            {"id": row["id"], "key": row["api_key"], "account": account},
        ).fetchone()
        if last:
            db.execute(
                "UPDATE alerts SET freeze = ?, freeze_ts = ? WHERE id = ?",
                (_told(last), last["ts"], row["id"]),
            )
            restate(db, row["id"])


def _told(entry: sqlite3.Row) -> str:
    if (entry["outcome"], entry["rule"]) == (Outcome.CANCELLED, Rule.OPEN_CASE):
        return "replaced"  # the case of a newer alert takes its place
    return freeze_state(entry["act"], entry["outcome"])


def freeze_state(act: str, outcome: str) -> str:
    """Say in one word what an entry of the audit means for its key or account.

    >>> freeze_state("freeze_key", "done"), freeze_state("unfreeze_key", "done")
    ('frozen', 'unfrozen')
    >>> freeze_state("unfreeze_key", "failed"), freeze_state("freeze_key", "pending")
    ('unfreeze_failed', 'pending')
    """
    undoes = act in {Act.UNFREEZE_KEY, Act.RELEASE_WITHDRAWALS}
    if outcome == Outcome.DONE:
        if act in {Act.HOLD_WITHDRAWALS, Act.RELEASE_WITHDRAWALS}:
            return "released" if undoes else "held"
        return "unfrozen" if undoes else "frozen"
    return f"unfreeze_{outcome}" if undoes else outcome


def key_freeze(db: sqlite3.Connection, api_key: str) -> Json | None:
    """Say how the freeze of a key stands, and which case it is."""
    row = db.execute(
        f"SELECT act, outcome, case_id, needs FROM freezes WHERE {_OF_SUBJECT}"  # noqa: S608 - fixed
        " ORDER BY seq DESC LIMIT 1",
        {"key": api_key, "account": None},
    ).fetchone()
    if row is None:
        return None
    state = freeze_state(row["act"], row["outcome"])
    return {"state": state, "case_id": row["case_id"], "needs": row["needs"]}


def hook_standing(db: sqlite3.Connection) -> Json:
    """Say in which mode the hook last was, and whether anything stops all freezing."""
    row = db.execute("SELECT mode FROM freezes ORDER BY seq DESC LIMIT 1").fetchone()
    mode = row["mode"] if row else None
    return {"mode": mode, "off": mode == Mode.OFF, "stopped": kill_switch(db) is not None}


def kill_switch(db: sqlite3.Connection) -> Json | None:
    """Give the entry that stopped all freezing: a file and a message do so independently."""
    row = db.execute(
        "SELECT outcome, ts, who, why FROM freezes WHERE seq IN (SELECT max(seq) FROM freezes"
        " WHERE act = ? GROUP BY rule = ?) AND outcome = ? ORDER BY seq DESC",
        (Act.KILL_SWITCH, Rule.KILL_SWITCH, Outcome.ON),
    ).fetchone()
    return dict(row) if row else None
