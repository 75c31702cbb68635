"""What the duties under one agreement depend on besides the clauses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

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


def own_dates(
    executed: date, originally_signed: date | None, expires: date | None, terminated: date | None
) -> dict[str, date | None]:
    """The dates that an agreement has of its own, by the names of the facts that they are."""
    return {
        "executed": executed,
        "originally_signed": originally_signed,
        "subscribed": executed if originally_signed else None,
        "expires": expires,
        "terminated": terminated,
    }
