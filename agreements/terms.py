"""What SQL knows of agreements' own terms: Exhibit H changes, school calendars, and what a case is pinned to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID, uuid4

from sqlmodel import Session, col, select

from agreements.references import agreement_named
from agreements.remembered import Remembered
from config.database import Database
from ledger.append import append
from ledger.artifacts import store
from ledger.entries import AgreementAmended, CalendarImported
from models import tables
from models.grouping import KEYS_A_QUERY, grouped, parts
from terms.agreement_terms import AgreementTerms
from terms.anchors import counts_school_days
from terms.calendars import SchoolCalendar
from terms.catalogue import load_catalogue
from terms.effective import Amendment, EffectiveTerms, effective_terms


def pinned_terms(session: Session, case_id: UUID) -> dict[str, EffectiveTerms]:
    """The terms that the case's agreements are pinned to, by hash."""
    scope, snapshot = tables.CaseAgreement, tables.TermsSnapshot
    pinned = select(scope).where(scope.case_id == case_id, col(scope.terms_hash) == col(snapshot.hash))
    return terms_named(session, session.exec(select(snapshot.hash).where(pinned.exists())))


def terms_named(session: Session, hashes: Iterable[str]) -> dict[str, EffectiveTerms]:
    """The terms with these hashes, of those that any case was pinned to."""
    return _REMEMBERED.of(session, hashes)


def _read(session: Session, hashes: set[str]) -> dict[str, EffectiveTerms]:
    snapshot = tables.TermsSnapshot
    rows = session.exec(select(snapshot.hash, snapshot.body).where(col(snapshot.hash).in_(hashes)))
    return {key: EffectiveTerms.from_snapshot(body) for key, body in rows}


_REMEMBERED = Remembered(1_024, _read)


def agreements_knowing(session: Session, case_id: UUID, ground: str) -> set[UUID]:
    """The agreements of a case whose terms know a ground for giving no notice."""
    hashes = [
        terms_hash
        for terms_hash, terms in pinned_terms(session, case_id).items()
        if any(ground in clause.grounds for clause in terms.clauses.values())
    ]
    scope = tables.CaseAgreement
    return set(
        session.exec(select(scope.agreement_id).where(scope.case_id == case_id, col(scope.terms_hash).in_(hashes)))
    )


def exhibit_h_changes(session: Session, agreements: Iterable[UUID]) -> dict[UUID, tuple[Amendment, ...]]:
    """The Exhibit H changes of those of the agreements that have any, by when they take effect."""
    wanted = set(agreements)
    change = tables.ExhibitHChange
    # All are read: agreements with changes of their own are few, and the list asked for may be long.
    rows = session.exec(select(change).order_by(col(change.effective_on), col(change.entered_at)))
    by_agreement = grouped((row for row in rows if row.agreement_id in wanted), lambda row: row.agreement_id)
    return {
        agreement: tuple(Amendment.model_validate(row.operation) for row in changes)
        for agreement, changes in by_agreement.items()
    }


def school_calendar(session: Session, agreement: UUID) -> SchoolCalendar | None:
    """The newest school calendar that was loaded for an agreement, if any was."""
    newest = session.exec(
        select(tables.SchoolCalendar)
        .where(tables.SchoolCalendar.agreement_id == agreement)
        .order_by(col(tables.SchoolCalendar.imported_at).desc())
    ).first()
    return _calendar(newest) if newest else None


def school_calendars(
    session: Session, agreements: Sequence[UUID], terms: Iterable[EffectiveTerms], event: str
) -> dict[UUID, SchoolCalendar]:
    """The newest school calendar of each of some agreements, where an event's clauses count school days at all."""
    if not any(counts_school_days(effective, event) for effective in terms):
        return {}
    kept = tables.SchoolCalendar
    found: dict[UUID, SchoolCalendar] = {}
    for some in parts(agreements, KEYS_A_QUERY):
        rows = session.exec(select(kept).where(col(kept.agreement_id).in_(some)).order_by(col(kept.imported_at)))
        found |= {row.agreement_id: _calendar(row) for row in rows}
    return found


def _calendar(row: tables.SchoolCalendar) -> SchoolCalendar:
    closed = frozenset(date.fromisoformat(day) for day in row.closed_days)
    return SchoolCalendar(row.first_day, row.last_day, closed, row.source_sha256)


def stored_agreement(database: Database, reference: str) -> AgreementTerms:
    """What the duties under one imported agreement depend on.

    Raises:
        NotFound: if none is imported under it.
    """
    with database.reading() as session:
        agreement = agreement_named(session, reference)
        return AgreementTerms(
            agreement.form,
            agreement.state,
            agreement.time_zone,
            exhibit_h_changes(session, [agreement.id]).get(agreement.id, ()),
            tuple(agreement.choices),
            school_calendar(session, agreement.id),
        )


def store_amendments(
    database: Database, reference: str, added: Sequence[Amendment], file: bytes, *, actor: str, now: datetime
) -> EffectiveTerms:
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
    with database.writing() as session:
        agreement = agreement_named(session, reference)
        known = exhibit_h_changes(session, [agreement.id]).get(agreement.id, ())
        new = [amendment for amendment in added if amendment not in known]
        together = (*known, *new)
        last = max((amendment.effective for amendment in together), default=now.date())
        terms = effective_terms(
            load_catalogue(),
            agreement.form,
            agreement.state,
            amendments=together,
            choices=agreement.choices,
            on=last,
        )
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
            sha256 = store(session, file, "application/yaml", now)
            append(session, AgreementAmended(actor=actor, at=now, agreement_id=agreement.id, file_sha256=sha256))
        return terms


def store_calendar(
    database: Database, reference: str, calendar: SchoolCalendar, file: bytes, *, actor: str, now: datetime
) -> str:
    """Keep a school calendar for an agreement, with evidence; the newest one counts. Returns the LEA's name.

    Raises:
        NotFound: if no agreement is imported under the reference.
    """
    with database.writing() as session:
        agreement = agreement_named(session, reference)
        session.add(
            tables.SchoolCalendar(
                id=uuid4(),
                agreement_id=agreement.id,
                first_day=calendar.first_day,
                last_day=calendar.last_day,
                closed_days=sorted(day.isoformat() for day in calendar.closed_days),
                source_sha256=calendar.source_sha256,
                imported_at=now,
            )
        )
        sha256 = store(session, file, "application/octet-stream", now)
        append(session, CalendarImported(actor=actor, at=now, agreement_id=agreement.id, file_sha256=sha256))
        return agreement.lea_name
