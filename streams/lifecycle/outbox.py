"""What is to be done and told: kept before it is attempted, and until it has succeeded.

Channels: `step` (a notice, a confirmation or a removal, on which a key's state waits), `notifier`
(the owner is told, nothing waits) and `topic`. An id is the same for every attempt.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from models.lifecycle.machine import Step
from models.lifecycle.policy import DAY_MS
from streams.exchange.client import RETRY_AT_S
from streams.lifecycle.entries import Entry

SERIES: Final = len(RETRY_AT_S)  # attempts before a pause
PAUSE_S: Final = 3600.0  # after a series has failed, or a refusal
COLUMNS: Final = "seq, id, channel, kind, api_key, body, attempts, first_try, told"


class Channel(StrEnum):
    """Where it goes."""

    STEP = "step"
    NOTIFIER = "notifier"
    TOPIC = "topic"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing to be delivered."""

    seq: int
    id: str
    channel: Channel
    kind: str
    api_key: str
    body: bytes | None  # of a notice or a confirmation it is written when it is attempted
    attempts: int  # before this one
    first_try: int  # ms; 0: none yet
    told: int  # when its failure was last told, ms; 0: never

    @property
    def ends_a_series(self) -> bool:
        """Whether this attempt is the last before a pause."""
        return (self.attempts + 1) % SERIES == 0


class Outbox:
    """The table of deliveries."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql

    def add_step(self, call_id: str, step: Step, api_key: str, now: int) -> bool:
        """Intend a step; says whether it was not intended before."""
        return self._add(call_id, Channel.STEP, step, api_key, None, now)

    def add(self, channel: Channel, entry: Entry) -> None:
        """Intend to tell an entry."""
        api_key = entry.api_key or ""
        self._add(f"{channel}-{entry.id}", channel, entry.kind, api_key, entry.encode(), entry.ts)

    def _add(
        self, name: str, channel: Channel, kind: str, api_key: str, body: bytes | None, now: int
    ) -> bool:
        added = self._sql.execute(
            "INSERT OR IGNORE INTO outbox (id, channel, kind, api_key, body, made, next_try) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (name, channel, kind, api_key, body, now, now),
        )
        return added.rowcount > 0

    def steps(self, step: Step, now: int, most: int, *, is_begun: bool) -> list[Delivery]:
        """Give steps of a kind whose turn it is: those attempted before, or the others."""
        return self._read(
            "channel = 'step' AND kind = ? AND state = 'pending' AND next_try <= ? "
            "AND (first_try > 0) = ? ORDER BY next_try, seq LIMIT ?",
            (step, now, is_begun, most),
        )

    def messages(self, channel: Channel, now: int, most: int) -> list[Delivery]:
        """Give what is to be told on a channel, in order."""
        return self._read(
            "channel = ? AND state = 'pending' AND next_try <= ? ORDER BY seq LIMIT ?",
            (channel, now, most),
        )

    def begin(self, deliveries: Iterable[Delivery], now: int) -> None:
        """Keep that they are attempted now, and with what."""
        self._sql.executemany(
            "UPDATE outbox SET attempts = attempts + 1, body = ?, "
            "first_try = CASE first_try WHEN 0 THEN ? ELSE first_try END WHERE seq = ?",
            ((delivery.body, now, delivery.seq) for delivery in deliveries),
        )

    def postpone(self, delivery: Delivery, until: int, told: int = 0) -> None:
        """Keep when it is attempted again, and when its failure was told."""
        self._sql.execute(
            "UPDATE outbox SET next_try = ?, told = max(told, ?) WHERE seq = ?",
            (until, told, delivery.seq),
        )

    def finish(self, deliveries: Iterable[Delivery]) -> None:
        """Keep that they are done; what was only told is forgotten."""
        for delivery in deliveries:
            if delivery.channel is Channel.STEP:
                statement = "UPDATE outbox SET state = 'done' WHERE seq = ?"
            else:
                statement = "DELETE FROM outbox WHERE seq = ?"
            self._sql.execute(statement, (delivery.seq,))

    def cancel_steps(self, api_key: str) -> bool:
        """Drop the steps of a key; says whether its removal had been attempted before."""
        rows = self._sql.execute(
            "UPDATE outbox SET state = 'cancelled' WHERE channel = 'step' AND state = 'pending' "
            "AND api_key = ? RETURNING kind, attempts",
            (api_key,),
        ).fetchall()
        return any(kind == Step.REMOVAL and attempts > 0 for kind, attempts in rows)

    def drop_all(self) -> None:
        """Drop every step and message to owners that is pending."""
        self._sql.execute(
            "UPDATE outbox SET state = 'cancelled' WHERE state = 'pending' AND channel <> 'topic'"
        )

    def begun_in_a_day(self, step: Step, now: int) -> int:
        """Count steps of a kind that were first attempted in the last 24 hours."""
        return self._count("kind = ? AND first_try > ?", (step, now - DAY_MS))

    def made_in_a_day(self, step: Step, now: int) -> int:
        """Count steps of a kind that were intended in the last 24 hours."""
        return self._count("kind = ? AND made > ?", (step, now - DAY_MS))

    def pending(self, step: Step) -> int:
        """Count steps of a kind that are still to be done."""
        return self._count("kind = ? AND state = 'pending'", (step,))

    def _count(self, where: str, values: tuple[str | int, ...]) -> int:
        query = "SELECT count(*) FROM outbox WHERE channel = 'step' AND " + where  # noqa: S608 - ours
        (found,) = self._sql.execute(query, values).fetchone()
        return int(found)

    def _read(self, where: str, values: tuple[str | int, ...]) -> list[Delivery]:
        rows = self._sql.execute(f"SELECT {COLUMNS} FROM outbox WHERE {where}", values)  # noqa: S608 - ours
        return [
            Delivery(seq, name, Channel(channel), kind, key, body, attempts, first, told)
            for seq, name, channel, kind, key, body, attempts, first, told in rows
        ]


def pause_s(delivery: Delivery) -> float:
    """Seconds from this attempt to the next: as the schedule of calls says, then an hour."""
    if delivery.ends_a_series:
        return PAUSE_S
    return RETRY_AT_S[(delivery.attempts + 1) % SERIES]
