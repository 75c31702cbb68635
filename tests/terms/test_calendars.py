"""School calendars from .ics and .csv."""

from __future__ import annotations

from datetime import date

import pytest

from terms.calendars import parse_calendar
from terms.errors import CalendarFileError, CalendarTooShort

CSV = b"""first,last,kind
2025-08-18,2026-05-29,school year
2026-03-23,2026-03-27,closed
2026-02-16,,closed
"""

ICS = b"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//School//EN
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20250818
SUMMARY:First Day of School
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART;VALUE=DATE:20260323
DTEND;VALUE=DATE:20260328
SUMMARY:Spring Break
END:VEVENT
BEGIN:VEVENT
UID:3
DTSTART;VALUE=DATE:20260216
SUMMARY:Presidents' Day
CATEGORIES:No School
END:VEVENT
BEGIN:VEVENT
UID:4
DTSTART:20260310T190000
SUMMARY:Board meeting on the spring holiday
END:VEVENT
BEGIN:VEVENT
UID:5
DTSTART;VALUE=DATE:20260529
SUMMARY:Last day of school
END:VEVENT
END:VCALENDAR
""".replace(b"\n", b"\r\n")

BREAK = {date(2026, 3, 23), date(2026, 3, 24), date(2026, 3, 25), date(2026, 3, 26), date(2026, 3, 27)}


@pytest.mark.parametrize(("name", "content"), [("year.csv", CSV), ("year.ICS", ICS)])
def test_both_kinds_of_file_give_the_same_school_year(name: str, content: bytes) -> None:
    calendar = parse_calendar(content, name)
    assert (calendar.first_day, calendar.last_day) == (date(2025, 8, 18), date(2026, 5, 29))
    assert calendar.closed_days == BREAK | {date(2026, 2, 16)}
    assert calendar.why_closed(date(2026, 3, 20)) is None
    assert calendar.why_closed(date(2026, 3, 23)) == "no school"


def test_the_summer_after_a_school_year_has_no_school_days() -> None:
    calendar = parse_calendar(CSV, "year.csv")
    assert calendar.why_closed(date(2026, 6, 1)) == calendar.why_closed(date(2026, 8, 17)) == "outside the school year"


@pytest.mark.parametrize("day", [date(2025, 8, 15), date(2026, 8, 18)])
def test_a_day_of_another_school_year_is_told(day: date) -> None:
    with pytest.raises(
        CalendarTooShort, match="covers only Mon 18 Aug 2025 to Fri 29 May 2026 and the summer after it"
    ):
        parse_calendar(CSV, "year.csv").why_closed(day)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("year.pdf", CSV, "neither .ics nor .csv"),
        ("year.csv", b"date,name\n", "first,last,kind"),
        ("year.csv", b"first,last,kind\n2026-13-01,,closed\n", "year.csv:2: '2026-13-01' is not a date"),
        ("year.csv", b"first,last,kind\n2026-03-27,2026-03-23,closed\n", "is before"),
        ("year.csv", b"first,last,kind\n2026-03-27,,open\n", "kind 'open' is not known"),
        ("year.csv", b"first,last,kind\n2026-03-27,,closed\n", "begins and ends"),
        ("year.csv", CSV + b"2026-08-17,2027-05-28,school year\n", "second school year"),
        ("year.csv", b"\xff\xfe", "not UTF-8"),
        ("year.ics", b"hello", "not an iCalendar file"),
        ("year.ics", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "no all-day event"),
        ("year.ics", ICS.replace(b"SUMMARY:Spring", b"RRULE:FREQ=DAILY\r\nSUMMARY:Spring"), "repeating"),
        ("year.ics", ICS.replace(b"20260529", b"20250529"), "before it begins"),
    ],
)
def test_a_calendar_that_cannot_be_read_is_told(name: str, content: bytes, says: str) -> None:
    with pytest.raises(CalendarFileError, match=says):
        parse_calendar(content, name)
