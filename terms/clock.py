"""Clock arithmetic: from a dated fact and a limit to the instant at which a duty is due.

How time is counted:

- Hours are elapsed hours. 72 hours across a change of clocks are still 72 times 3600 seconds.
- Days are calendar days in the LEA's zone, counted from the day after the anchor's date; the duty is due at
  23:59:59 local time of the last day. Years end on the anniversary (28 February for 29 February), likewise at
  23:59:59 local time.
- Business days leave out weekends and federal holidays (and the days on which they are observed); a state's holidays
  only where an agreement says so, since each day left out moves a due date later. School days are the weekdays of a
  calendar that the LEA supplies; a day outside its school year is no school day. Without a calendar business days
  stand in.
- Counting backwards starts at the day before the anchor's date; its last day is the last on which the duty can
  be performed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from terms.calendars import SchoolCalendar, anniversary
from terms.errors import InstantNeeded, UnknownZone
from terms.limits import Limit

END_OF_DAY = time(23, 59, 59)
ONE_DAY = timedelta(days=1)
SATURDAY = 5

NO_SCHOOL_CALENDAR = "no-school-calendar"
"""Flag: school days were counted as business days, since the LEA's calendar is not loaded."""


@dataclass(frozen=True, slots=True)
class Due:
    """When a duty is due, and the days the count went over.

    ``first_day`` and ``last_day`` are None where hours are counted. ``left_out`` names the holidays and closed
    days that were not counted; weekends are not listed.
    """

    limit: Limit
    due_at: datetime
    first_day: date | None = None
    last_day: date | None = None
    left_out: tuple[tuple[date, str], ...] = ()
    flags: tuple[str, ...] = ()


@cache
def zone_of(name: str) -> ZoneInfo:
    """The IANA time zone of this name.

    Raises:
        UnknownZone: if there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZone(
            f"There is no time zone {name!r}.",
            where="tz",
            next_step="Give an IANA name such as America/New_York.",
        ) from None


def instant_of(anchor: datetime | date, zone: ZoneInfo) -> datetime:
    """The UTC instant of an anchor; a date begins at midnight of the LEA's zone."""
    if isinstance(anchor, datetime):
        return anchor.astimezone(UTC)
    return datetime.combine(anchor, time.min, zone).astimezone(UTC)


def day_of(anchor: datetime | date, zone: ZoneInfo) -> date:
    """The local date of an anchor in the LEA's zone."""
    return anchor.astimezone(zone).date() if isinstance(anchor, datetime) else anchor


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The UTC instant at which a day is over in the LEA's zone."""
    return datetime.combine(day, END_OF_DAY, zone).astimezone(UTC)


def due(
    limit: Limit,
    anchor: datetime | date,
    zone: ZoneInfo,
    *,
    state: str | None = None,
    calendar: SchoolCalendar | None = None,
) -> Due:
    """Count ``limit`` from ``anchor``.

    Args:
        limit: what to count.
        anchor: an aware instant, or a date where the rule counts days.
        zone: the LEA's zone.
        state: postal abbreviation of the LEA's state, where its holidays are left out too; None leaves out the federal
            ones only.
        calendar: the LEA's school calendar, for school days.

    Raises:
        InstantNeeded: hours are counted and the anchor is only a date.
        CalendarTooShort: the school calendar does not cover the days that must be counted.
    """
    if limit.in_advance:
        return _in_advance(limit, anchor, zone)
    if limit.unit == "hours":
        return _elapsed(limit, anchor, zone)
    start = day_of(anchor, zone)
    if limit.yearly:
        return _end_of(limit, _next_of(limit.yearly, start), zone)
    if limit.unit == "years":
        return _end_of(limit, anniversary(start, -limit.amount if limit.before else limit.amount), zone)
    if limit.unit == "days":
        step = -ONE_DAY if limit.before else ONE_DAY
        return _end_of(limit, start + step * limit.amount, zone, first=start + step)
    if limit.unit == "school days" and calendar is not None:
        return _counted(limit, start, zone, calendar.why_closed)
    flags = (NO_SCHOOL_CALENDAR,) if limit.unit == "school days" else ()
    return _counted(limit, start, zone, lambda day: _holidays(state, day.year).get(day), flags)


def _in_advance(limit: Limit, anchor: datetime | date, zone: ZoneInfo) -> Due:
    if isinstance(anchor, datetime):
        return Due(limit, anchor.astimezone(UTC) - timedelta(seconds=1))
    return _end_of(limit, anchor - ONE_DAY, zone)


def _elapsed(limit: Limit, anchor: datetime | date, zone: ZoneInfo) -> Due:
    if not isinstance(anchor, datetime):
        raise InstantNeeded(
            f"{limit} are counted from an instant, and {anchor.isoformat()} is only a date.",
            next_step=f"Give the time and its offset, as in {instant_example(anchor, zone)}.",
        )
    hours = timedelta(hours=-limit.amount if limit.before else limit.amount)
    return Due(limit, anchor.astimezone(UTC) + hours)


def instant_example(day: date, zone: ZoneInfo) -> str:
    """An instant of ``day`` in ``zone``, to show how one is written."""
    return datetime.combine(day, time(9, 30), zone).isoformat(timespec="minutes")


def _end_of(limit: Limit, day: date, zone: ZoneInfo, *, first: date | None = None) -> Due:
    return Due(limit, end_of_day(day, zone), first, day)


def _next_of(yearly: tuple[tuple[int, int], ...], after: date) -> date:
    if after.year == MAXYEAR:
        raise OverflowError(f"the year {MAXYEAR + 1} cannot be counted")
    days = (date(year, month, day) for year in (after.year, after.year + 1) for month, day in yearly)
    return min(day for day in days if day > after)


def _counted(
    limit: Limit,
    start: date,
    zone: ZoneInfo,
    why_closed: Callable[[date], str | None],
    flags: tuple[str, ...] = (),
) -> Due:
    """Count weekdays that are not closed, from the day next to ``start``, until the limit is reached."""
    step = -ONE_DAY if limit.before else ONE_DAY
    left_out: list[tuple[date, str]] = []
    day, still = start, limit.amount
    while still:
        day += step
        if day.weekday() >= SATURDAY:
            continue
        if reason := why_closed(day):
            left_out.append((day, reason))
        else:
            still -= 1
    end = _end_of(limit, day, zone, first=start + step)
    return replace(end, left_out=tuple(left_out), flags=flags)


@cache
def _holidays(state: str | None, year: int) -> Mapping[date, str]:
    """Federal and state holidays of one year, with the days on which they are observed.

    The library leaves out federal holidays that a state does not keep; here both count, since federal offices,
    banks and the mail are closed on them.
    """
    import holidays  # takes a quarter of a second, and most duties count no business days

    years = (year, year + 1)  # a New Year's Day on a Saturday is observed in the year before
    federal = dict(holidays.country_holidays("US", years=years))
    if state is None:
        return federal
    return federal | dict(holidays.country_holidays("US", subdiv=state, years=years))
