"""Dispositions: what analysts decided about alerts, as others write them and `roguekey tune` reads.

One JSON object per record of the dispositions topic, keyed by the alert's id, or per line of a
file. Records are only ever added: of one alert the last counts, and may take back those before it.
"""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self, TypeAlias

import msgspec

from models.alerts.envelope import AlertType
from models.unreadable import UNREADABLE
from streams.tapes.files import read_tape
from streams.tapes.topic import TopicTape


class DispositionError(ValueError):
    """A record is no disposition."""


class Outcome(StrEnum):
    """What an analyst decided."""

    CONFIRMED = "confirmed"
    FALSE_ALARM = "false_alarm"
    WITHDRAWN = "withdrawn"  # undecided again


Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
Ms: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]


class Disposition(msgspec.Struct, frozen=True, kw_only=True):
    """One decision on one alert; unknown fields are ignored, so that others may add their own."""

    alert_id: Name
    subject: Name  # of the alert: API key, app or account
    disposition: Outcome
    type: AlertType = AlertType.LEAKED_KEY
    event_ts: Ms | None = None  # `data.event_ts` of the alert
    from_ts: Ms | None = None  # `data.evidence.from_ts` of the alert, or what the analyst found
    decided_ts: Ms | None = None
    analyst: str | None = None
    note: str | None = None

    def encode(self) -> bytes:
        """Give the record as JSON, without a newline."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, record: bytes) -> Self:
        """Read a record; a `DispositionError` names the field and the rule."""
        try:
            return msgspec.json.decode(record, type=cls)
        except UNREADABLE as error:
            raise DispositionError(str(error)) from None


def read_dispositions(path: Path) -> list[Disposition]:
    """Read a file of lines.

    Raises
    ------
    DispositionError
        If a line is no disposition; names file and line.
    TapeError
        If the file cannot be read.
    """
    found = []
    for chunk in read_tape(path):
        for line, number in zip(chunk.lines, chunk.numbers.tolist(), strict=True):
            try:
                found.append(Disposition.decode(line))
            except DispositionError as error:
                raise DispositionError(f"{path}, line {number}: {error}") from None
    return found


def dispositions_on(tape: TopicTape) -> tuple[list[Disposition], int]:
    """Read a topic to its end; gives the dispositions, and how many records were none."""
    found, refused = [], 0
    for partition in range(tape.partitions):
        while chunk := tape.next(partition):
            for value in chunk[0]:
                try:
                    found.append(Disposition.decode(value))
                except DispositionError:
                    refused += 1
    return found, refused


def standing(dispositions: Iterable[Disposition]) -> list[Disposition]:
    """Give what is decided in the end: the last of each alert, unless that takes it back."""
    last = {disposition.alert_id: disposition for disposition in dispositions}
    return [each for each in last.values() if each.disposition is not Outcome.WITHDRAWN]
