"""What the duties under one agreement depend on besides the clauses."""

from __future__ import annotations

from dataclasses import dataclass

from terms.calendars import SchoolCalendar
from terms.effective import Amendment


@dataclass(frozen=True)
class AgreementTerms:
    """One agreement's form and state, its zone, its changes and choices, its school calendar, as far as known."""

    form: str
    state: str | None = None
    zone: str | None = None
    amendments: tuple[Amendment, ...] = ()
    choices: tuple[str, ...] = ()
    calendar: SchoolCalendar | None = None
