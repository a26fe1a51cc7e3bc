from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from models.lifecycle.calendar import Calendar, CalendarError, calendar
from tests.models.lifecycle.policies import ms

MOMENTS = st.integers(ms("2020-01-01"), ms("2035-12-31"))
ZONES = st.sampled_from(["UTC", "Asia/Singapore", "America/New_York", "Africa/Cairo"])
COUNTRIES = st.sampled_from(["", "SG", "US", "US-CA", "JP", "CN"])


def local(moment: int, zone: str) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("country", "zone", "start", "due"),
    [
        ("", "UTC", "2026-03-02 10:00", "2026-03-04 10:00"),  # a Monday
        ("", "UTC", "2026-03-05 10:00", "2026-03-09 10:00"),  # a Thursday: over the weekend
        ("", "UTC", "2026-03-07 10:00", "2026-03-11 00:00"),  # a Saturday counts as Monday's start
        ("US", "America/New_York", "2026-07-02 10:00", "2026-07-07 10:00"),  # Thursday before one
        ("US", "America/New_York", "2025-12-31 18:30", "2026-01-05 18:30"),  # across the year's end
        ("JP", "Asia/Tokyo", "2026-05-01 09:00", "2026-05-08 09:00"),  # the Golden Week
        ("", "UTC", "2028-02-28 12:00", "2028-03-01 12:00"),  # over a leap day
        ("", "UTC", "2027-02-26 12:00", "2027-03-02 12:00"),  # where there is none
        ("", "Europe/Berlin", "2026-03-27 10:00", "2026-03-31 10:00"),  # the clock is put forward
        ("", "Europe/Berlin", "2026-10-23 10:00", "2026-10-27 10:00"),  # and put back
    ],
)
def test_two_business_days_end_at_the_time_of_day_at_which_they_began(
    country: str, zone: str, start: str, due: str
) -> None:
    assert local(calendar(zone, country).after(ms(start, zone), 2), zone) == due


def test_a_time_that_comes_twice_means_the_later_one() -> None:
    # Friday 2026-10-30 in a zone that put its clock back on that day, at midnight of Cairo.
    zone = "Africa/Cairo"
    start = ms("2026-10-27 23:30", zone)
    due = calendar(zone, weekend=["fri", "sat"]).after(start, 2)
    assert local(due, zone) == "2026-10-29 23:30"
    assert due - start == 49 * 3_600_000


def test_a_time_that_the_clock_leaves_out_means_the_later_reading() -> None:
    zone = "Africa/Cairo"  # from 00:00 to 01:00 on Friday 2026-04-24
    start = ms("2026-04-22 00:30", zone)
    due = calendar(zone, weekend=["sun"]).after(start, 2)
    assert local(due, zone) == "2026-04-24 01:30"


@given(start=MOMENTS, zone=ZONES, country=COUNTRIES, days=st.integers(0, 6))
def test_the_days_that_went_by_are_as_many_business_days_as_were_asked_for(
    start: int, zone: str, country: str, days: int
) -> None:
    days_off = calendar(zone, country)
    first = date.fromisoformat(local(start, zone)[:10])
    last = date.fromisoformat(local(days_off.after(start, days), zone)[:10])
    between = (first + timedelta(n) for n in range(1, (last - first).days + 1))
    counted = sum(days_off.is_business_day(day) for day in between)
    assert days_off.is_business_day(last)
    assert counted == days + (not days_off.is_business_day(first))


@given(start=MOMENTS, later=st.integers(0, 10 * 86_400_000), zone=ZONES, country=COUNTRIES)
def test_who_was_told_later_is_never_due_earlier(
    start: int, later: int, zone: str, country: str
) -> None:
    days_off = calendar(zone, country)
    # Up to the hour that a clock put back repeats.
    assert days_off.after(start + later, 2) >= days_off.after(start, 2) - 3_600_000


def test_further_days_off_and_another_weekend_can_be_set() -> None:
    days_off = calendar(weekend=["fri", "sat"], extra=["2026-03-03"])
    assert not days_off.is_business_day(date(2026, 3, 3))
    assert not days_off.is_business_day(date(2026, 3, 6))
    assert days_off.is_business_day(date(2026, 3, 8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zone": "Mars/Olympus"}, "time zone 'Mars/Olympus' is unknown"),
        ({"zone": "../etc/passwd"}, "is unknown; must be one of IANA's"),
        ({"country": "XX"}, "country 'XX' is unknown"),
        ({"country": "US-ZZ"}, "country 'US-ZZ' is unknown"),
        ({"weekend": ["caturday"]}, "weekend day 'caturday' is unknown"),
        (
            {"weekend": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
            "must leave a business day",
        ),
        ({"extra": ["2026-02-30"]}, "holiday '2026-02-30' is no date"),
    ],
)
def test_what_is_unknown_is_refused_by_name(options: dict[str, str], message: str) -> None:
    with pytest.raises(CalendarError, match=message):
        calendar(**options)


def test_a_calendar_without_business_days_is_a_mistake_and_no_endless_search() -> None:
    class EveryDay(frozenset[date]):
        @override
        def __contains__(self, day: object) -> bool:
            return True

    with pytest.raises(CalendarError, match="no business day"):
        Calendar(ZoneInfo("UTC"), frozenset(), EveryDay()).after(0, 1)
