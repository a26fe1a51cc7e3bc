"""The live list: filtered, sorted, page by page, and what changed since."""

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from models.alerts.envelope import AlertType, Severity
from streams.dashboard.alert_views import Json, alert_views, select_alerts
from streams.dashboard.handles import Handles
from streams.dashboard.read_model import last_change

MOST_ROWS: Final = 1000  # of one page
KINDS: Final = tuple(kind.short for kind in AlertType)
SEVERITIES: Final = tuple(severity.name.lower() for severity in Severity)
STATUSES: Final = ("open", "claimed", "snoozed", "confirmed", "false_alarm")
SORTS: Final = {"newest": "n", "severity": "severity", "money": "money"}

_STATUS_RULES: Final = {
    "open": "(verdict IS NULL AND snoozed_until <= :now AND assignee IS NULL)",
    "claimed": "(verdict IS NULL AND snoozed_until <= :now AND assignee IS NOT NULL)",
    "snoozed": "(verdict IS NULL AND snoozed_until > :now)",
    "confirmed": "verdict = 'confirmed'",
    "false_alarm": "verdict = 'false_alarm'",
}


class FilterError(ValueError):
    """A filter names what is not there."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts; an empty tuple or text means all."""

    severity: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    text: str = ""  # in app, market, account, or the visible ends of a key
    assignee: str = ""
    sort: str = "newest"

    def __post_init__(self) -> None:
        for name, given, known in (
            ("severity", self.severity, SEVERITIES),
            ("kind", self.kind, KINDS),
            ("status", self.status, STATUSES),
            ("sort", (self.sort,), tuple(SORTS)),
        ):
            for value in given:
                if value not in known:
                    raise FilterError(f"{name} is {value!r}; must be one of {', '.join(known)}")

    def where(self, now: int) -> tuple[str, dict[str, Any]]:
        """Give the condition and its parameters."""
        rules: list[str] = ["1"]
        values: dict[str, Any] = {"now": now}
        if self.severity:
            numbers = [str(int(Severity[name.upper()])) for name in self.severity]
            rules.append(f"severity IN ({', '.join(numbers)})")
        if self.kind:
            rules.append(f"kind IN ({', '.join(repr(kind) for kind in self.kind)})")
        if self.status:
            rules.append(f"({' OR '.join(_STATUS_RULES[status] for status in self.status)})")
        if self.assignee:
            rules.append("assignee = :assignee")
            values |= {"assignee": self.assignee}
        if self.text:
            rules.append(
                "(instr(lower(symbol || ' ' || venue || ' ' || ifnull(app, '') || ' ' ||"
                " ifnull(account, '')), :text)"
                " OR (:ends AND substr(lower(api_key), 1, length(:head)) = :head"
                " AND lower(api_key) LIKE '%' || :tail ESCAPE '\\'))"
            )
            values |= _ends(self.text.lower())
        return " AND ".join(rules), values


def _ends(text: str) -> dict[str, Any]:
    """Read `k4…45`, which is all that anyone sees of a key, as its two ends."""
    head, dots, tail = text.partition("…")
    if not dots:
        head, dots, tail = text.partition("...")
    escaped = tail.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return {"text": text, "ends": bool(dots), "head": head, "tail": escaped}


def list_alerts(
    db: sqlite3.Connection, chosen: Filter, handles: Handles, now: int, limit: int, cursor: str = ""
) -> Json:
    """Give a page of alerts, from behind `cursor` on, and the cursor of the next."""
    where, values = chosen.where(now)
    column = SORTS[chosen.sort]
    page = where
    if cursor:
        page += f" AND ({column}, n) < (:value, :n)"
        values |= _read_cursor(cursor)
    rows = select_alerts(
        db,
        f"WHERE {page} ORDER BY {column} DESC, n DESC LIMIT {min(limit, MOST_ROWS)}",
        values,
    )
    total = f"SELECT count(*) FROM alerts WHERE {where}"  # noqa: S608 - no value is in the text
    more = len(rows) == min(limit, MOST_ROWS)
    return {
        "alerts": alert_views(rows, handles, now),
        "next": f"{rows[-1][column]!r}:{rows[-1]['n']}" if more else None,
        "total": db.execute(total, values).fetchone()[0],
        "newest": db.execute("SELECT ifnull(max(n), 0) FROM alerts").fetchone()[0],
        "change": last_change(db),
    }


def _read_cursor(cursor: str) -> dict[str, Any]:
    value, _, number = cursor.partition(":")
    try:
        return {"value": float(value), "n": int(number)}
    except ValueError:
        raise FilterError(f"cursor is {cursor!r}; must be one that a page gave") from None


def changed_since(
    db: sqlite3.Connection, handles: Handles, now: int, known: int, most: int
) -> tuple[list[Json], int]:
    """Give alerts that came or changed after a change, in that order, and the last change."""
    rows = select_alerts(db, "WHERE change > ? ORDER BY change LIMIT ?", (known, most))
    return alert_views(rows, handles, now), last_change(db)
