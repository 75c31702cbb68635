"""Times as people write and read them: local times in, instants out, and instants back into words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from models.durations import span
from models.errors import InvalidInput
from models.phrases import day_words, instant_words

_reader_zone: ContextVar[str] = ContextVar("reader_zone", default="UTC")


@lru_cache
def zone_names() -> tuple[str, ...]:
    """Every time zone that a form offers: the regions of the IANA database, and UTC."""
    regions = ("America/", "Pacific/", "Atlantic/", "Europe/", "Africa/", "Asia/", "Australia/", "Indian/")
    return ("UTC", *sorted(name for name in available_timezones() if name.startswith(regions)))


def known_zone(name: str | None) -> str | None:
    """The zone of this name if a form offers it, else None."""
    return name if name in zone_names() else None


def read_instant(text: str, zone: str, where: str) -> datetime | None:
    """Return the instant that a local time in ``zone`` names, or None if ``text`` is blank.

    A time that carries its own offset needs no zone. Raises ``InvalidInput`` for what is not a time, for a zone that
    is missing or unknown (at the field ``zone``), and for a local time that happened twice or not at all.
    """
    text = text.strip()
    if not text:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        given = None
    if given is None or len(text) <= len("2026-03-07"):
        raise InvalidInput(
            "This is not a date with a time of day.", where=where, next_step="Write it as in 2026-03-07T22:15."
        )
    return given if given.tzinfo else _in_zone(given, zone, where)


def read_date(text: str, where: str) -> date | None:
    """Return the date that ``text`` names, or None if it is blank; raise ``InvalidInput`` for anything else."""
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput("This is not a date.", where=where, next_step="Write it as in 2026-03-07.") from None


def _in_zone(given: datetime, zone: str, where: str) -> datetime:
    if not zone:
        raise InvalidInput(
            "The times have no time zone, so they name no instants.",
            where="zone",
            next_step="Choose the zone in which the times are given.",
        )
    try:
        local = given.replace(tzinfo=ZoneInfo(zone))
    except (KeyError, ValueError, OSError):
        raise InvalidInput("There is no such time zone.", where="zone", next_step="Choose one from the list.") from None
    first, second = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if first != second:
        raise _unclear(given, zone, where, first, second)
    # A fixed offset: two times of one ZoneInfo compare by the clock on the wall, which a change of clocks falsifies.
    return datetime.fromisoformat(local.isoformat())


def _unclear(given: datetime, zone: str, where: str, first: datetime, second: datetime) -> InvalidInput:
    said = f"{given:%H:%M} on {day_words(given)}"
    if first.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != given:
        return InvalidInput(
            f"There was no {said} in {zone}: the clocks went forward over it.",
            where=where,
            next_step="Give the time that the clock showed.",
        )
    return InvalidInput(
        f"There were two moments at {said} in {zone}, as the clocks went back: {first:%H:%M} and {second:%H:%M} UTC.",
        where=where,
        next_step="Choose UTC as the time zone, and give the times in UTC.",
    )


def is_local_time(text: str) -> bool:
    """Whether a browser's own field for times can hold ``text`` (HTML, local date and time); blank is fine."""
    return re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?)?", text) is not None


def is_date(text: str) -> bool:
    """Whether a browser's own field for dates can hold ``text``; blank is fine."""
    return re.fullmatch(r"(\d{4}-\d\d-\d\d)?", text) is not None


def iso(instant: datetime) -> str:
    """The instant for machines, in UTC: ``2026-03-08T03:15:00Z``."""
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@contextmanager
def read_in(zone: str) -> Iterator[None]:
    """While this lasts, instants that are shown in no zone of their own are shown in that of whoever reads."""
    token = _reader_zone.set(zone)
    try:
        yield
    finally:
        _reader_zone.reset(token)


def local(instant: datetime, zone: str = "") -> str:
    """The instant for people, in ``zone``, or without one in the zone of whoever reads the page."""
    return instant_words(instant, zone or _reader_zone.get())


def reads_otherwise(instant: datetime, zone: str) -> bool:
    """Whether the instant reads differently in ``zone`` and in the zone of whoever reads the page."""
    return local(instant, zone) != local(instant)


def distance(instant: datetime, now: datetime) -> str:
    """How far ``instant`` is from ``now``, in the two largest units: ``2 d 5 h left``, ``overdue by 40 min``."""
    seconds = int((instant - now).total_seconds())
    left = span(abs(seconds))
    return f"{left} left" if seconds >= 0 else f"overdue by {left}"


SOON = timedelta(hours=24)
"""Within this much of its due instant, a duty is shown as pressing."""
