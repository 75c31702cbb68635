"""What ``duenotice due`` and ``duenotice terms`` are asked about."""

from __future__ import annotations

from dataclasses import dataclass

from terms.calendars import SchoolCalendar
from terms.effective import Amendment


@dataclass(frozen=True)
class Question:
    """What the duties under one agreement depend on besides the clauses."""

    form: str
    state: str | None = None
    zone: str | None = None
    amendments: tuple[Amendment, ...] = ()
    calendar: SchoolCalendar | None = None
