"""The keys in the state file: what is heard is joined to what is known, and who is next."""

import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, fields
from typing import Any, Final

from models.lifecycle.machine import KeyState, Mode, Phase
from models.lifecycle.policy import Policy

COLUMNS: Final = tuple(field.name for field in fields(KeyState))
SELECT: Final = f"SELECT {', '.join(COLUMNS)} FROM keys "  # noqa: S608 - our own names

# The same as models.lifecycle.records.joined.
JOIN: Final = """
INSERT INTO keys (api_key, account, last_use, created, renewed, ip_bound, bound_changed, deleted)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (api_key) DO UPDATE SET
    account = coalesce(excluded.account, account),
    last_use = max(last_use, excluded.last_use),
    created = max(created, excluded.created),
    renewed = max(renewed, excluded.renewed),
    ip_bound = CASE WHEN excluded.bound_changed > bound_changed THEN excluded.ip_bound
        WHEN excluded.bound_changed = bound_changed THEN max(ip_bound, excluded.ip_bound)
        ELSE ip_bound END,
    bound_changed = max(bound_changed, excluded.bound_changed),
    deleted = max(deleted, excluded.deleted)
WHERE excluded.last_use > last_use OR excluded.renewed > renewed OR excluded.created > created
    OR excluded.deleted > deleted
    OR (excluded.bound_changed > 0 AND excluded.bound_changed >= bound_changed)
"""
SAVE: Final = """
UPDATE keys SET phase = ?, mode = ?, basis = ?, notified_at = ?, removal_due = ?, removed_at = ?
WHERE api_key = ?
"""
NOT_EXEMPT: Final = (
    "api_key NOT IN (SELECT name FROM temp.exempt_keys) "
    "AND (account IS NULL OR account NOT IN (SELECT name FROM temp.exempt_accounts)) "
)


class KeyRows:
    """The table of keys, with the exemptions of a policy."""

    def __init__(self, sql: sqlite3.Connection, policy: Policy) -> None:
        self._sql = sql
        for table, names in (
            ("exempt_keys", policy.exempt_keys),
            ("exempt_accounts", policy.exempt_accounts),
        ):
            sql.execute(f"CREATE TEMP TABLE IF NOT EXISTS {table} (name TEXT PRIMARY KEY)")
            sql.execute(f"DELETE FROM temp.{table}")  # noqa: S608 - one of the two above
            rows = ((name,) for name in names)
            sql.executemany(f"INSERT INTO temp.{table} VALUES (?)", rows)  # noqa: S608 - as above

    def join(self, heard: Iterable[KeyState]) -> None:
        """Join what was heard of keys to what is known."""
        self._sql.executemany(JOIN, (astuple(key)[:8] for key in heard))

    def join_uses(self, uses: Iterable[tuple[str, str | None, int]]) -> None:
        """Join uses, each its key, account and time: the frequent case of `join`."""
        self._sql.executemany(
            JOIN, ((key, account, ts, 0, ts, 0, 0, 0) for key, account, ts in uses)
        )

    def save(self, keys: Iterable[KeyState]) -> None:
        """Keep where keys stand; what is known of them is only ever joined."""
        self._sql.executemany(
            SAVE,
            (
                (k.phase, k.mode, k.basis, k.notified_at, k.removal_due, k.removed_at, k.api_key)
                for k in keys
            ),
        )

    def get(self, api_keys: Iterable[str]) -> dict[str, KeyState]:
        """Give the keys of these ids that are known."""
        found = (self._read("WHERE api_key = ?", api_key) for api_key in api_keys)
        return {key.api_key: key for keys in found for key in keys}

    def unused_since(self, moment: int, most: int) -> list[KeyState]:
        """Give active keys without a sign of life since then, the longest unused first."""
        return self._read(
            "WHERE phase = 'active' AND ip_bound = 0 AND deleted < renewed AND renewed <= ? AND "
            + NOT_EXEMPT
            + "ORDER BY renewed LIMIT ?",
            moment,
            most,
        )

    def notified_and_due(self, moment: int, most: int) -> list[KeyState]:
        """Give notified keys whose business days are over and of which no step is intended."""
        return self._read(
            "WHERE phase = 'notified' AND removal_due <= ? AND NOT EXISTS (SELECT 1 FROM outbox "
            "WHERE channel = 'step' AND state = 'pending' AND outbox.api_key = keys.api_key) "
            "ORDER BY removal_due LIMIT ?",
            moment,
            most,
        )

    def heard_of(self, most: int) -> list[KeyState]:
        """Give keys that left `active` and of which something was heard since."""
        return self._read(
            "WHERE phase <> 'active' AND (renewed > basis "
            "OR (phase <> 'removed' AND (ip_bound = 1 OR deleted >= renewed))) LIMIT ?",
            most,
        )

    def exempt_on_the_way(self, most: int) -> list[KeyState]:
        """Give keys on their way to removal that are exempt by now."""
        where = "WHERE phase IN ('idle', 'notified', 'confirmed') AND NOT (" + NOT_EXEMPT
        return self._read(where + ") LIMIT ?", most)

    def begun_before(self, moment: int, most: int) -> list[KeyState]:
        """Give keys on their way whose days are counted from before that moment."""
        return self._read(
            "WHERE phase IN ('idle', 'notified', 'confirmed') AND basis < ? LIMIT ?", moment, most
        )

    def on_the_way(self, most: int) -> list[KeyState]:
        """Give keys that left `active`, the next due first; -1: all of them."""
        return self._read("WHERE phase <> 'active' ORDER BY removal_due, basis LIMIT ?", most)

    def counts(self) -> dict[str, int]:
        """Count the keys by phase."""
        rows = self._sql.execute("SELECT phase, count(*) FROM keys GROUP BY phase")
        found = dict(rows.fetchall())
        return {phase.value: found.get(phase.value, 0) for phase in Phase}

    def _read(self, where: str, *values: str | int) -> list[KeyState]:
        return [_key(row) for row in self._sql.execute(SELECT + where, values)]


def _key(row: tuple[Any, ...]) -> KeyState:
    known = dict(zip(COLUMNS, row, strict=True))
    known["ip_bound"] = bool(known["ip_bound"])
    known["phase"], known["mode"] = Phase(known["phase"]), Mode(known["mode"])
    return KeyState(**known)
