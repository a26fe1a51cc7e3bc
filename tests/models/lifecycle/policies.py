"""Policies and moments of the tests."""

from datetime import datetime
from zoneinfo import ZoneInfo

from models.lifecycle.calendar import calendar
from models.lifecycle.policy import policy

BINANCE = policy("binance", calendar())


def ms(text: str, zone: str = "UTC") -> int:
    """Milliseconds of a local time, such as 2026-03-05 10:00."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)
