"""How instants, days and lines of text read in letters: what the templates' filters do."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from cases.values import AnchorValue

_TEXT_WIDTH = 72
_ONLY_DASHES = re.compile(r"^-+$", re.MULTILINE)
_REMEMBERED = 1024
"""How many days and instants are kept in words: thousands of letters name the same few."""


def local_instant(instant: datetime, zone: ZoneInfo) -> str:
    """Return an instant as it is read on a wall in ``zone``, with the zone's abbreviation.

    Seconds are shown only where there are any.
    """
    return _local(instant.astimezone(UTC), zone)


@lru_cache(_REMEMBERED)
def _local(utc: datetime, zone: ZoneInfo) -> str:
    """The same for an instant in UTC: in other zones, two instants may be equal that are an hour apart."""
    local = utc.astimezone(zone)
    clock = f"{local.hour % 12 or 12}:{local:%M}{f':{local:%S}' if local.second else ''} {local:%p}"
    return f"{local:%A, %B} {local.day}, {local.year}, {clock} {local.tzname()}"


def is_dated(anchor: AnchorValue) -> bool:
    """Whether a dated fact has a date."""
    return bool(anchor.instant or anchor.first_day)


def begins(anchor: AnchorValue, zone: ZoneInfo) -> datetime:
    """Return when a dated fact begins to be: its instant, or its day's first in ``zone``."""
    if anchor.instant:
        return anchor.instant
    assert anchor.first_day, "a fact without a date does not begin"
    return datetime.combine(anchor.first_day, time.min, zone)


def anchor_in_words(anchor: AnchorValue, zone: ZoneInfo) -> str:
    """Return when a dated fact was, as it is read in ``zone``: an instant, a day, or a range of days."""
    if anchor.instant:
        return local_instant(anchor.instant, zone)
    return " to ".join(day_in_words(day) for day in (anchor.first_day, anchor.last_day) if day)


@lru_cache(_REMEMBERED)
def day_in_words(day: date) -> str:
    """Return a day with its weekday."""
    return f"{day:%A, %B} {day.day}, {day.year}"


@lru_cache(_REMEMBERED)
def date_in_words(day: date) -> str:
    """Return a date as documents are dated."""
    return f"{day:%B} {day.day}, {day.year}"


def utc_instant(instant: datetime) -> str:
    """Return an instant in UTC, to the second where it has seconds."""
    return _utc(instant.astimezone(UTC))


@lru_cache(_REMEMBERED)
def _utc(utc: datetime) -> str:
    return f"{utc:%Y-%m-%d %H:%M:%S} UTC" if utc.second else f"{utc:%Y-%m-%d %H:%M} UTC"


def wrap(text: str, indent: int = 0, first: str = "") -> str:
    """Return ``text`` with its lines broken at 72 columns and indented; words, and so links, stay whole.

    ``first`` stands in the margin of the first line: a bullet, or the name of a field. A line of dashes alone stands
    off the margin, since there it would make a heading of the line above it.
    """
    lines = "\n".join(_filled(line, " " * indent) for line in text.split("\n"))
    if "\n-" in f"\n{lines}":
        lines = _ONLY_DASHES.sub(r" \g<0>", lines)
    return first.ljust(indent) + lines[indent:]


def _filled(line: str, margin: str) -> str:
    if len(margin) + len(line) <= _TEXT_WIDTH:
        return f"{margin}{line}".rstrip()
    return "\n".join([f"{margin}{each}" for each in broken(line, _TEXT_WIDTH - len(margin))])


def broken(line: str, width: int) -> list[str]:
    """The line's words in lines of a width; words stay whole.

    Only ``textwrap`` breaks runs of spaces, and white space of other kinds, as it should; it takes five times as long.
    """
    if " ".join(line.split()) == line:
        return list(_broken(line, width))
    return textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False)


def _broken(line: str, width: int) -> Iterator[str]:
    """The same where one space stands between two words."""
    start = 0
    while len(line) - start > width:
        end = line.rfind(" ", start, start + width + 1)
        if end < 0:  # one word is longer than a line
            end = line.find(" ", start + width)
            if end < 0:
                break
        yield line[start:end]
        start = end + 1
    yield line[start:]
