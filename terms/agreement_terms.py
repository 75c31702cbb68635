"""What the duties under one agreement depend on besides the clauses."""

from __future__ import annotations

from dataclasses import dataclass

from terms.calendars import SchoolCalendar
from terms.effective import Amendment


@dataclass(frozen=True)
class AgreementTerms:
    """One agreement's form and state, its zone, its own changes and its school calendar, as far as they are known."""

    form: str
    state: str | None = None
    zone: str | None = None
    amendments: tuple[Amendment, ...] = ()
    calendar: SchoolCalendar | None = None
