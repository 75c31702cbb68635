"""School calendars: the days on which an LEA's schools are closed, read from ``.ics`` or ``.csv``."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date, datetime, timedelta

from models.phrases import day_words
from terms.errors import CalendarFileError, CalendarTooShort

ONE_DAY = timedelta(days=1)

CLOSED_WORDS = re.compile(
    r"\b(no school|no classes|no students|school[s]? closed|closed|holiday|break|recess|vacation|"
    r"day off|non-student|student[- ]free|teacher workday|staff development|in-?service)\b",
    re.IGNORECASE,
)
"""What the title or category of an all-day event says when no school is held."""

FIRST_DAY_WORDS = re.compile(r"\b(first day of (school|classes)|school begins|classes begin)\b", re.IGNORECASE)
LAST_DAY_WORDS = re.compile(r"\b(last day of (school|classes)|school ends|classes end)\b", re.IGNORECASE)

CSV_COLUMNS = ("first", "last", "kind")
CSV_KINDS = ("school year", "closed")


OUTSIDE_SCHOOL_YEAR = "outside the school year"
"""Why no school is held in the summer after a school year."""


def anniversary(day: date, years: int) -> date:
    """The same day so many years later, or earlier; 28 February for 29 February.

    Raises:
        OverflowError: that year cannot be counted.
    """
    if not MINYEAR <= day.year + years <= MAXYEAR:
        raise OverflowError(f"the year {day.year + years} cannot be counted")
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


@dataclass(frozen=True, slots=True)
class SchoolCalendar:
    """The weekdays on which schools of one LEA are open: all from ``first_day`` to ``last_day`` save the closed.

    It speaks for the year that begins on its first day: after ``last_day`` no school is held until that year is over.
    ``source_sha256`` is the SHA-256 of the file it was read from.
    """

    first_day: date
    last_day: date
    closed_days: frozenset[date]
    source_sha256: str

    def why_closed(self, day: date) -> str | None:
        """Why no school is held on this weekday, or None if it is a school day.

        Raises:
            CalendarTooShort: if the calendar does not cover the day.
        """
        if self.first_day <= day <= self.last_day:
            return "no school" if day in self.closed_days else None
        if self.last_day < day < anniversary(self.first_day, 1):
            return OUTSIDE_SCHOOL_YEAR
        raise CalendarTooShort(
            f"The count of school days reaches {day_words(day)}, but the school calendar covers only "
            f"{day_words(self.first_day)} to {day_words(self.last_day)} and the summer after it.",
            next_step="Import a calendar that covers it: duenotice calendars import FILE.",
        )


def parse_calendar(content: bytes, name: str) -> SchoolCalendar:
    """Read a school calendar from the bytes of a file called ``name``.

    ``.ics`` (RFC 5545): all-day events whose title or category says that school is closed (see ``CLOSED_WORDS``)
    are closed days; "First day of school" and "Last day of school" bound the year, or else the first and the last
    event do. ``.csv``: columns ``first,last,kind``, ISO dates, ``last`` empty for a single day; one row of kind
    ``school year`` bounds the calendar, rows of kind ``closed`` are closed days.

    Raises:
        CalendarFileError: the file is neither, or a line or event of it cannot be used.
    """
    suffix = name.lower().rpartition(".")[2]
    if suffix == "ics":
        first, last, closed = _from_ics(content, name)
    elif suffix == "csv":
        try:
            first, last, closed = _from_csv(content, name)
        except csv.Error:
            raise CalendarFileError(
                "The file cannot be read as CSV.", where=name, next_step="Save it as CSV once more."
            ) from None
    else:
        raise CalendarFileError(
            "The file is neither .ics nor .csv.", where=name, next_step="Export the school calendar as one of them."
        )
    if last < first:
        raise CalendarFileError(
            f"The school year ends on {last}, before it begins on {first}.",
            where=name,
            next_step="Correct the first or the last day.",
        )
    return SchoolCalendar(first, last, closed, hashlib.sha256(content).hexdigest())


def _days(first: date, last: date) -> frozenset[date]:
    return frozenset(first + ONE_DAY * n for n in range((last - first).days + 1))


def _from_csv(content: bytes, name: str) -> tuple[date, date, frozenset[date]]:
    try:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
        fields = tuple(rows.fieldnames or ())
    except UnicodeDecodeError:
        raise CalendarFileError("The file is not UTF-8 text.", where=name, next_step="Save it as UTF-8.") from None
    if fields != CSV_COLUMNS:
        raise CalendarFileError(
            f"The columns are {', '.join(fields) or 'missing'}.",
            where=f"{name}:1",
            next_step=f"The first line must be {','.join(CSV_COLUMNS)}.",
        )
    year: tuple[date, date] | None = None
    closed: set[date] = set()
    for row in rows:
        where = f"{name}:{rows.line_num}"
        first = _iso(row["first"], where)
        last = _iso(row["last"], where) if row["last"] else first
        if last < first:
            raise CalendarFileError(
                f"{last} is before {first}.", where=where, next_step="Give the earlier date in the column first."
            )
        if row["kind"] not in CSV_KINDS:
            raise CalendarFileError(
                f"The kind {row['kind']!r} is not known.",
                where=where,
                next_step=f"Write one of: {', '.join(CSV_KINDS)}.",
            )
        if row["kind"] == "closed":
            closed |= _days(first, last)
        elif year is None:
            year = first, last
        else:
            raise CalendarFileError(
                "A second school year is given.", where=where, next_step="Give one school year a file."
            )
    if year is None:
        raise CalendarFileError(
            "No row says when the school year begins and ends.",
            where=name,
            next_step="Add a row of kind school year with its first and last day.",
        )
    return *year, frozenset(closed)


def _iso(text: str | None, where: str) -> date:
    try:
        return date.fromisoformat((text or "").strip())
    except ValueError:
        raise CalendarFileError(
            f"{text!r} is not a date.", where=where, next_step="Write dates as 2026-03-27."
        ) from None


@dataclass(frozen=True, slots=True)
class _Event:
    title: str
    says: str
    first: date
    last: date
    repeats: bool


def _from_ics(content: bytes, name: str) -> tuple[date, date, frozenset[date]]:
    events = _all_day_events(content, name)
    if not events:
        raise CalendarFileError(
            "The calendar has no all-day event.",
            where=name,
            next_step="Export the school calendar with its closed days as all-day events.",
        )
    first = min((e.first for e in events if FIRST_DAY_WORDS.search(e.title)), default=min(e.first for e in events))
    last = max((e.last for e in events if LAST_DAY_WORDS.search(e.title)), default=max(e.last for e in events))
    closed: set[date] = set()
    for event in events:
        if not CLOSED_WORDS.search(event.says):
            continue
        if event.repeats:
            raise CalendarFileError(
                f"The closed day {event.title!r} is a repeating event.",
                where=name,
                next_step="Export each closed day as an event of its own.",
            )
        closed |= _days(event.first, event.last)
    return first, last, frozenset(closed)


def _all_day_events(content: bytes, name: str) -> list[_Event]:
    from icalendar import Calendar, vCategory  # only needed here, and slow to import

    try:
        calendar = Calendar.from_ical(content)
    except ValueError:
        raise CalendarFileError(
            "The file is not an iCalendar file.", where=name, next_step="Export the school calendar again as .ics."
        ) from None
    events: list[_Event] = []
    for entry in calendar.walk("VEVENT"):
        begins = entry.decoded("DTSTART", None)
        if not isinstance(begins, date) or isinstance(begins, datetime):
            continue
        ends = entry.decoded("DTEND", None)
        # RFC 5545, 3.6.1: the end of an all-day event is the day after it, and by default it lasts one day
        last = ends - ONE_DAY if isinstance(ends, date) and not isinstance(ends, datetime) and ends > begins else begins
        title = str(entry.get("SUMMARY", ""))
        categories = entry.get("CATEGORIES")
        says = f"{title} {categories.to_ical().decode()}" if isinstance(categories, vCategory) else title
        events.append(_Event(title, says, begins, last, "RRULE" in entry))
    return events
