"""How a case stands in SQL: what is open, waits and lacks."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select

from cases.state import CaseSummary
from models.enums import OPEN_STATUSES, BatchStatus, DutyStatus, PerformedBy
from models.tables import INTERNAL, Batch, Duty, Notice
from records.escalations import NOT_RAISED
from records.holders import unsettled_holders
from records.offers import unanswered
from records.undecided import undecided_of_case


def summarise(session: Session, case_id: UUID) -> CaseSummary:
    """How many duties of a case are open and which due instants they have, and what notices still wait for."""
    in_case = Duty.case_id == case_id
    open_duties = col(Duty.status).in_(OPEN_STATUSES)
    due = [
        instant
        for instant in session.exec(
            select(Duty.due_at).where(in_case, open_duties, col(Duty.due_at).is_not(None)).distinct()
        )
        if instant
    ]
    notices = Notice.case_id == case_id, col(Notice.dropped).is_(False)
    holders, holders_at = unsettled_holders(session, case_id)
    given = col(Notice.given_at).is_not(None)
    return CaseSummary(
        open_duties=_count(session, Duty, in_case, open_duties),
        waiting_notices=session.exec(
            select(func.count())
            .select_from(Notice)
            .join(Batch, col(Batch.id) == col(Notice.batch_id))
            .where(*notices, Batch.status == BatchStatus.WAITING)
        ).one(),
        next_due_at=min(due, default=None),
        lacking_notices=_count(session, Duty, in_case, Duty.lacking_count > 0),
        unacknowledged=_count(session, Notice, *notices, given, unanswered()),
        undecided=undecided_of_case(session, case_id),
        due_instants=tuple(sorted(due)),
        internal_instants=_internal_instants(session, case_id),
        elapses_at=session.exec(
            select(func.min(Duty.due_at)).where(
                in_case, Duty.status == DutyStatus.RUNNING, Duty.performed_by == PerformedBy.TIME
            )
        ).one(),
        unsettled_holders=holders,
        holders_at=holders_at,
    )


def _internal_instants(session: Session, case_id: UUID) -> tuple[datetime, ...]:
    found = session.exec(select(Duty.internal_due_at).where(Duty.case_id == case_id, INTERNAL, NOT_RAISED).distinct())
    return tuple(sorted(instant for instant in found if instant))


def _count(session: Session, table: type[Duty] | type[Notice], *where: ColumnElement[bool] | bool) -> int:
    return session.exec(select(func.count()).select_from(table).where(*where)).one()
