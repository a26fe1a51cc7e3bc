"""At a glance: what is open, what it may cost, and when it came."""

import sqlite3
from typing import Final

from models.alerts.envelope import Severity
from streams.dashboard.alert_views import Json
from streams.dashboard.read_model import DAY_MS
from streams.dashboard.standing import WAITS

MINUTE_MS: Final = 60_000
BARS: Final = 60
SPANS_MIN: Final = (15, 60, 6 * 60, 24 * 60, 7 * 24 * 60)  # of the histogram
RECENT: Final = 200  # alerts that it should show


def summary(db: sqlite3.Connection, now: int) -> Json:
    """Give counts of what is undecided, the money in it, and what waits for somebody."""
    by_severity = dict.fromkeys((severity.name.lower() for severity in Severity), 0)
    for row in db.execute(
        "SELECT severity, count(*) AS many FROM alerts WHERE verdict IS NULL"
        " AND snoozed_until <= ? GROUP BY severity",
        (now,),
    ):
        by_severity[Severity(row["severity"]).name.lower()] = row["many"]
    money = db.execute(
        "SELECT total(most) FROM (SELECT max(money) AS most FROM alerts WHERE verdict IS NULL"
        " AND kind = 'leaked_key' GROUP BY api_key)"
    ).fetchone()[0]
    return {
        "open": by_severity,
        "unclaimed": _count(
            db,
            "SELECT count(*) FROM alerts WHERE verdict IS NULL AND assignee IS NULL"
            " AND snoozed_until <= ?",
            now,
        ),
        "money": money,
        "pending": pending(db, now),
        "frozen": _count(db, "SELECT count(DISTINCT api_key) FROM alerts WHERE freeze = 'frozen'"),
        "apps": _count(
            db,
            "SELECT count(DISTINCT app) FROM alerts WHERE kind = 'app_leak' AND verdict IS NULL"
            " AND raised_ts > ?",
            now - DAY_MS,
        ),
        "alerts": _count(db, "SELECT count(*) FROM alerts"),
        "histogram": histogram(db, now),
    }


def _count(db: sqlite3.Connection, query: str, *values: object) -> int:
    return int(db.execute(query, values).fetchone()[0])


def pending(db: sqlite3.Connection, now: int) -> int:
    """Count the cases that wait for approval."""
    return _count(db, f"SELECT count(*) FROM freezes f WHERE {WAITS}", now)  # noqa: S608 - fixed text


def histogram(db: sqlite3.Connection, now: int) -> Json:
    """Count alerts by time of arrival and severity, over the least span that shows the recent."""
    row = db.execute(
        "SELECT min(raised_ts) FROM (SELECT raised_ts FROM alerts WHERE raised_ts > ?"
        " ORDER BY n DESC LIMIT ?)",
        (now - DAY_MS, RECENT),
    ).fetchone()
    oldest = now if row[0] is None else row[0]
    minutes = next(span for span in SPANS_MIN if span * MINUTE_MS >= now - oldest or span > 1440)
    width = minutes * MINUTE_MS // BARS
    end = now // width + 1
    counts = [[0] * len(Severity) for _ in range(BARS)]
    for row in db.execute(
        "SELECT raised_ts / ?1 AS bar, severity, count(*) AS many FROM alerts"
        " WHERE raised_ts >= ?2 GROUP BY bar, severity",
        (width, (end - BARS) * width),
    ):
        place = row["bar"] - (end - BARS)
        if 0 <= place < BARS:
            counts[place][row["severity"] - 1] = row["many"]
    return {"from": (end - BARS) * width, "width": width, "minutes": minutes, "counts": counts}
