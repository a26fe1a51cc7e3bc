"""Alerts as CSV."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from streams.csv_cells import guarded
from streams.dashboard.alert_views import Json

COLUMNS: Final = (
    "id", "raised", "event_time", "severity", "kind", "key", "account", "app", "symbol", "venue",
    "score", "threshold", "money_usd", "status", "assignee", "decided_by", "freeze", "reasons",
)  # fmt: skip


def as_csv(alerts: Iterable[Json]) -> Iterator[str]:
    """Give a header and a line for each alert."""
    yield _line(COLUMNS)
    for alert in alerts:
        yield _line(
            (
                alert["id"],
                _utc(alert["raised_ts"]),
                _utc(alert["event_ts"]),
                alert["severity"],
                alert["kind"],
                alert["key"]["shown"] if alert["key"] else "",
                alert["account"],
                alert["app"],
                alert["symbol"],
                alert["venue"],
                alert["score"],
                alert["threshold"],
                round(alert["money"], 2),
                alert["status"],
                alert["assignee"],
                alert["decided_by"],
                alert["freeze"],
                " ".join(alert["reasons"]),
            )
        )


def _line(values: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([guarded(value) for value in values])
    return text.getvalue()


def _utc(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
