"""Business days: which they are, and when so many of them have gone by."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import holidays

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = timedelta(days=1)
WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_DAYS_OFF: Final = 60  # in a row; more is no calendar but a mistake


class CalendarError(ValueError):
    """A part of the calendar is unknown, or it has no business days."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days as people at the exchange count them: its zone, its weekend, its holidays."""

    zone: ZoneInfo
    weekend: frozenset[int]  # 0 is Monday
    holidays: Container[date]
    extra: frozenset[date] = frozenset()

    def is_business_day(self, day: date) -> bool:
        """Whether people work on it."""
        is_off = day.weekday() in self.weekend or day in self.extra or day in self.holidays
        return not is_off

    def after(self, start_ms: int, days: int) -> int:
        """Give the moment at which `days` whole business days have gone by since `start_ms`, ms.

        It has the same time of day as the start; a start on a day off counts as the beginning of
        the next business day. Where the clock is put back, the later of the two moments is meant.
        """
        local = (EPOCH + timedelta(milliseconds=start_ms)).astimezone(self.zone)
        day, clock = local.date(), local.time()
        if not self.is_business_day(day):
            day, clock = self._next(day), time()
        for _ in range(days):
            day = self._next(day)
        return self._latest(day, clock)

    def _next(self, day: date) -> date:
        for _ in range(MOST_DAYS_OFF):
            day += DAY
            if self.is_business_day(day):
                return day
        raise CalendarError(f"there is no business day in the {MOST_DAYS_OFF} days before {day}")

    def _latest(self, day: date, clock: time) -> int:
        """Milliseconds of a local time; where it comes twice, or not at all, the later reading."""
        readings = (datetime.combine(day, clock.replace(fold=f), self.zone) for f in (0, 1))
        return max((moment - EPOCH) // timedelta(milliseconds=1) for moment in readings)


def calendar(
    zone: str = "UTC",
    country: str = "",
    weekend: Iterable[str] = ("sat", "sun"),
    extra: Iterable[str] = (),
) -> Calendar:
    """Build a calendar.

    Parameters
    ----------
    zone : name of the IANA time zone, such as Asia/Singapore.
    country : ISO code, with a subdivision if need be, whose public holidays are days off, such as
        SG or US-CA; empty: none.
    weekend : days of the week, mon to sun.
    extra : further days off, YYYY-MM-DD.

    Raises
    ------
    CalendarError
        If a name is unknown, a date is none, or every day is off.
    """
    try:
        zone_info = ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise CalendarError(f"time zone {zone!r} is unknown; must be one of IANA's") from error
    return Calendar(
        zone_info,
        _weekend(weekend),
        _public_holidays(country) if country else frozenset(),
        frozenset(map(_date, extra)),
    )


def _weekend(names: Iterable[str]) -> frozenset[int]:
    days = [name.strip().lower() for name in names]
    for day in days:
        if day not in WEEK:
            raise CalendarError(f"weekend day {day!r} is unknown; must be one of {', '.join(WEEK)}")
    if len(set(days)) == len(WEEK):
        raise CalendarError("the weekend is the whole week; must leave a business day")
    return frozenset(map(WEEK.index, days))


def _public_holidays(country: str) -> Container[date]:
    code, _, subdivision = country.partition("-")
    try:
        found: Container[date] = holidays.country_holidays(code, subdiv=subdivision or None)
    except NotImplementedError as error:
        raise CalendarError(
            f"country {country!r} is unknown; must be an ISO code such as SG or US-CA"
        ) from error
    return found


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise CalendarError(f"holiday {text!r} is no date; must be YYYY-MM-DD") from error
