"""What holds of the clock for every limit, anchor and zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from terms.calendars import SchoolCalendar
from terms.clock import due, instant_of
from terms.limits import Limit, Unit

ZONES = st.sampled_from(
    [
        "America/New_York",
        "America/Chicago",
        "America/Los_Angeles",
        "America/Phoenix",
        "America/Anchorage",
        "Pacific/Honolulu",
    ]
).map(ZoneInfo)
INSTANTS = st.datetimes(
    datetime(2024, 1, 1), datetime(2031, 12, 31), timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))])
)
UNITS: list[Unit] = ["hours", "days", "business days", "school days", "years"]
UNHURRIED = settings(deadline=None)
"""The first count of a year reads its holidays, which takes longer than all the others."""
STATES = st.sampled_from([None, "IL", "MA", "NY", "OR"])


@UNHURRIED
@given(st.integers(1, 500), INSTANTS, ZONES)
def test_hours_are_exact_across_any_change_of_clocks(hours: int, anchor: datetime, zone: ZoneInfo) -> None:
    assert due(Limit(hours, "hours"), anchor, zone).due_at - anchor == timedelta(hours=hours)


@UNHURRIED
@given(st.sampled_from(UNITS), st.integers(1, 40), st.integers(0, 20), INSTANTS, ZONES, STATES)
def test_a_longer_limit_is_never_due_earlier(
    unit: Unit, amount: int, more: int, anchor: datetime, zone: ZoneInfo, state: str | None
) -> None:
    shorter = due(Limit(amount, unit), anchor, zone, state=state)
    longer = due(Limit(amount + more, unit), anchor, zone, state=state)
    assert longer.due_at >= shorter.due_at


@UNHURRIED
@given(st.sampled_from(UNITS), st.integers(1, 40), st.integers(0, 20), INSTANTS, ZONES, STATES)
def test_more_notice_is_never_due_later(
    unit: Unit, amount: int, more: int, anchor: datetime, zone: ZoneInfo, state: str | None
) -> None:
    shorter = due(Limit(amount, unit, before=True), anchor, zone, state=state)
    longer = due(Limit(amount + more, unit, before=True), anchor, zone, state=state)
    assert longer.due_at <= shorter.due_at < anchor


@UNHURRIED
@given(st.integers(1, 400), INSTANTS, ZONES)
def test_days_end_at_the_end_of_a_local_day(days: int, anchor: datetime, zone: ZoneInfo) -> None:
    ends = due(Limit(days, "days"), anchor, zone).due_at.astimezone(zone)
    assert (ends.hour, ends.minute, ends.second) == (23, 59, 59)
    assert ends.date() == anchor.astimezone(zone).date() + timedelta(days=days)


@UNHURRIED
@given(st.integers(1, 60), INSTANTS, ZONES, STATES)
def test_business_days_end_on_a_weekday_and_are_never_fewer_than_days(
    days: int, anchor: datetime, zone: ZoneInfo, state: str | None
) -> None:
    business = due(Limit(days, "business days"), anchor, zone, state=state)
    assert business.due_at.astimezone(zone).weekday() < 5
    assert business.due_at >= due(Limit(days, "days"), anchor, zone).due_at


@UNHURRIED
@given(
    st.dates(date(2026, 1, 10), date(2026, 5, 1)),
    st.integers(1, 5),
    st.sets(st.dates(date(2026, 1, 1), date(2026, 5, 29)), max_size=3),
)
def test_school_days_before_are_counted_on_the_lea_s_calendar(anchor: date, amount: int, closed: set[date]) -> None:
    calendar = SchoolCalendar(date(2025, 8, 18), date(2026, 5, 29), frozenset(closed), "")
    counted = due(Limit(amount, "school days", before=True), anchor, ZoneInfo("America/Chicago"), calendar=calendar)
    assert counted.last_day is not None
    between = [counted.last_day + timedelta(days=n) for n in range((anchor - counted.last_day).days)]
    assert sum(day.weekday() < 5 and day not in closed for day in between) == amount


@UNHURRIED
@given(st.dates(date(2024, 1, 1), date(2031, 1, 1)), ZONES)
def test_consecutive_days_start_later_and_end_later(day: date, zone: ZoneInfo) -> None:
    days = [day + timedelta(days=n) for n in range(3)]
    assert all(instant_of(first, zone) < instant_of(second, zone) for first, second in pairwise(days))
    ends = [due(Limit(10, "days"), each, zone).due_at for each in days]
    assert ends == sorted(set(ends))
