"""What the database knows of one agreement's terms: its changes, its zone and its school calendar."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from sqlmodel import Session, select

from activities.directory import exhibit_h_changes, school_calendar
from ledger.append import Entry, append
from ledger.artifacts import store
from ledger.kinds import EvidenceKind
from models import tables
from models.errors import NotFound
from starter.commands.question import Question
from starter.commands.session import actor, open_installation
from starter.resources import utc_now
from terms.calendars import SchoolCalendar
from terms.catalogue import load_catalogue
from terms.effective import Amendment, EffectiveTerms, effective_terms


def stored_agreement(reference: str) -> Question:
    """What the duties under one imported agreement depend on.

    Raises:
        NotFound: if none is imported under it.
    """
    _, database = open_installation()
    with database.reading() as session:
        agreement = _agreement(session, reference)
        return Question(
            agreement.form,
            agreement.state,
            agreement.time_zone,
            exhibit_h_changes(session, [agreement.id]).get(agreement.id, ()),
            school_calendar(session, agreement.id),
        )


def store_amendments(reference: str, added: Sequence[Amendment], file: bytes) -> EffectiveTerms:
    """Keep changes agreed for one agreement, with evidence; returns the terms once all of them are effective.

    Changes that are stored already are not stored twice. Open cases keep the terms that they pinned.

    Args:
        reference: of the agreement.
        added: the changes.
        file: the bytes they were read from, kept as an artifact.

    Raises:
        NotFound: if no agreement is imported under the reference.
        AmendmentError: if a change does not fit the agreement's terms; nothing is kept.
    """
    _, database = open_installation()
    now = utc_now()
    with database.writing() as session:
        agreement = _agreement(session, reference)
        known = exhibit_h_changes(session, [agreement.id]).get(agreement.id, ())
        new = [amendment for amendment in added if amendment not in known]
        together = (*known, *new)
        last = max((amendment.effective for amendment in together), default=now.date())
        terms = effective_terms(load_catalogue(), agreement.form, agreement.state, amendments=together, on=last)
        for amendment in new:
            session.add(
                tables.ExhibitHChange(
                    id=uuid4(),
                    agreement_id=agreement.id,
                    effective_on=amendment.effective,
                    entered_by=amendment.entered_by,
                    entered_at=now,
                    operation=amendment.model_dump(mode="json", exclude_unset=True),
                )
            )
        if new:
            _leave_evidence(session, agreement, EvidenceKind.AGREEMENT_AMENDED, file, "application/yaml")
        return terms


def store_calendar(reference: str, calendar: SchoolCalendar, file: bytes) -> str:
    """Keep a school calendar for an agreement, with evidence; the newest one counts. Returns the LEA's name.

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
        _leave_evidence(session, agreement, EvidenceKind.CALENDAR_IMPORTED, file, "application/octet-stream")
        return agreement.lea_name


def _leave_evidence(
    session: Session, agreement: tables.Agreement, kind: EvidenceKind, file: bytes, media_type: str
) -> None:
    now = utc_now()
    sha256 = store(session, file, media_type, now)
    append(
        session,
        Entry(
            kind=kind,
            subject=str(agreement.id),
            actor=actor(),
            at=now,
            artifacts=(sha256,),
            key=f"{kind.value}:{agreement.id}:{sha256}:{now.isoformat()}",
        ),
    )


def _agreement(session: Session, reference: str) -> tables.Agreement:
    found = session.exec(select(tables.Agreement).where(tables.Agreement.reference == reference)).one_or_none()
    if found is None:
        raise NotFound(
            f"No agreement is imported under {reference!r}.",
            where="agreement",
            next_step="List them with: duenotice agreements list.",
        )
    return found
