"""Triage: who has an alert, and until when it is put off. The dashboard's own topic.

One JSON object per record, keyed by the alert's id. It is a topic, not only a row, so that claims
outlive the read model and several dashboards agree.
"""

from enum import StrEnum
from typing import Annotated, Self

import msgspec

from models.unreadable import UNREADABLE


class TriageError(ValueError):
    """A record is no triage."""


class Step(StrEnum):
    """What was done with an alert, short of deciding on it."""

    CLAIMED = "claimed"
    RELEASED = "released"
    SNOOZED = "snoozed"
    WOKEN = "woken"
    NOTED = "noted"  # words for whoever looks next


class Triage(msgspec.Struct, frozen=True, kw_only=True):
    """One step on one alert; unknown fields are ignored."""

    alert_id: Annotated[str, msgspec.Meta(min_length=1)]
    step: Step
    analyst: str
    ts: Annotated[int, msgspec.Meta(ge=0)]  # ms
    until: Annotated[int, msgspec.Meta(ge=0)] = 0  # of a snooze, ms
    note: str = ""

    def encode(self) -> bytes:
        """Give the record as JSON, without a newline."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, record: bytes) -> Self:
        """Read a record; a `TriageError` names the field and the rule."""
        try:
            return msgspec.json.decode(record, type=cls)
        except UNREADABLE as error:
            raise TriageError(str(error)) from None
