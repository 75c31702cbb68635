"""What the database knows of one agreement's terms: its changes, its zone and its school calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import uuid4

from sqlmodel import Session, col, select

from models import tables
from models.errors import NotFound
from starter.commands.session import open_installation
from starter.resources import utc_now
from terms.calendars import SchoolCalendar
from terms.effective import Amendment


@dataclass(frozen=True, slots=True)
class StoredAgreement:
    """One imported agreement as far as its duties depend on it."""

    form: str
    state: str
    zone: str
    amendments: tuple[Amendment, ...]
    calendar: SchoolCalendar | None


def stored_agreement(reference: str) -> StoredAgreement:
    """The agreement of this reference.

    Raises:
        NotFound: if none is imported under it.
    """
    _, database = open_installation()
    with database.reading() as session:
        agreement = _agreement(session, reference)
        changes = session.exec(
            select(tables.ExhibitHChange).where(tables.ExhibitHChange.agreement_id == agreement.id)
        ).all()
        return StoredAgreement(
            agreement.form,
            agreement.state,
            agreement.time_zone,
            tuple(Amendment.model_validate(change.operation) for change in changes),
            _latest_calendar(session, agreement),
        )


def store_calendar(reference: str, calendar: SchoolCalendar) -> str:
    """Keep a school calendar for an agreement; the newest one counts. Returns the LEA's name.

    Raises:
        NotFound: if no agreement is imported under the reference.
    """
    _, database = open_installation()
    with database.writing() as session:
        agreement = _agreement(session, reference)
        session.add(
            tables.SchoolCalendar(
                id=uuid4(),
                agreement_id=agreement.id,
                first_day=calendar.first_day,
                last_day=calendar.last_day,
                closed_days=sorted(day.isoformat() for day in calendar.closed_days),
                source_sha256=calendar.source_sha256,
                imported_at=utc_now(),
            )
        )
        return agreement.lea_name


def _agreement(session: Session, reference: str) -> tables.Agreement:
    found = session.exec(select(tables.Agreement).where(tables.Agreement.reference == reference)).one_or_none()
    if found is None:
        raise NotFound(
            f"No agreement is imported under {reference!r}.",
            where="agreement",
            next_step="List them with: duenotice agreements list.",
        )
    return found


def _latest_calendar(session: Session, agreement: tables.Agreement) -> SchoolCalendar | None:
    newest = session.exec(
        select(tables.SchoolCalendar)
        .where(tables.SchoolCalendar.agreement_id == agreement.id)
        .order_by(col(tables.SchoolCalendar.imported_at).desc())
    ).first()
    if newest is None:
        return None
    closed = frozenset(date.fromisoformat(day) for day in newest.closed_days)
    return SchoolCalendar(newest.first_day, newest.last_day, closed, newest.source_sha256)
