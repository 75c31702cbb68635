"""How counts, instants and days read: the same on pages, in commands and in mails to officers."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo


def counted(number: int, one: str, several: str | None = None) -> str:
    """A number with what it counts: ``1 duty``, ``2,012 duties``; without ``several``, ``one`` takes an s."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def sentence(text: str) -> str:
    """A text with a full stop at its end, unless it ends a sentence already."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def length_words(length: timedelta) -> str:
    """A length of time in its two largest units: ``2 days and 1 hour``, ``40 minutes``."""
    minutes = int(length.total_seconds()) // 60
    if minutes < 1:
        return "less than a minute"
    days, hours = divmod(minutes // 60, 24)
    parts = [
        counted(number, unit)
        for number, unit in ((days, "day"), (hours, "hour"), (0 if days else minutes % 60, "minute"))
        if number
    ]
    return " and ".join(parts)


def instant_words(instant: datetime, zone: str | tzinfo | None = None) -> str:
    """An instant by the clock of a zone, which is named: ``Sat 7 Mar 2026, 22:15 EST``; without one, by its own.

    Seconds are shown only where there are any.
    """
    there = instant.astimezone(ZoneInfo(zone) if isinstance(zone, str) else zone or instant.tzinfo)
    clock = f"{there:%H:%M:%S}" if there.second else f"{there:%H:%M}"
    return f"{day_words(there)}, {clock} {there:%Z}"


def day_words(day: date) -> str:
    """A day with its weekday: ``Sat 7 Mar 2026``."""
    return f"{day:%a} {day.day} {day:%b %Y}"
