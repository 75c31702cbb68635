"""What SQL knows of agreements' own terms: Exhibit H changes, school calendars, and what a case is pinned to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from uuid import UUID

from sqlmodel import Session, col, select

from models import tables
from models.grouping import grouped
from terms.calendars import SchoolCalendar
from terms.effective import Amendment, EffectiveTerms


def pinned_terms(session: Session, case_id: UUID) -> dict[str, EffectiveTerms]:
    """The terms that the case's agreements are pinned to, by hash."""
    scope, snapshot = tables.CaseAgreement, tables.TermsSnapshot
    pinned = select(scope).where(scope.case_id == case_id, col(scope.terms_hash) == col(snapshot.hash))
    rows = session.exec(select(snapshot).where(pinned.exists()))
    return {row.hash: _parsed(row.body) for row in rows}


@lru_cache(maxsize=1024)
def _parsed(snapshot: bytes) -> EffectiveTerms:
    return EffectiveTerms.from_snapshot(snapshot)


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
    if newest is None:
        return None
    closed = frozenset(date.fromisoformat(day) for day in newest.closed_days)
    return SchoolCalendar(newest.first_day, newest.last_day, closed, newest.source_sha256)
