"""Lists of cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from config.database import Database
from models.enums import OPEN_STATUSES, CaseStatus, ProposalKind
from models.tables import Case, CaseAgreement, Duty, Proposal
from queries.views import CaseRow


@dataclass(frozen=True)
class CaseFilter:
    """Which cases to read; each condition that is None leaves it open. Titles are sealed, so nothing searches them."""

    status: CaseStatus | None = None
    kind: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The conditions as SQL."""
        conditions: list[ColumnElement[bool]] = []
        if self.status:
            conditions.append(col(Case.status) == self.status)
        if self.kind:
            conditions.append(col(Case.kind) == self.kind)
        return conditions


EVERY_CASE = CaseFilter()


def list_cases(
    database: Database, now: datetime, which: CaseFilter = EVERY_CASE, *, offset: int, limit: int
) -> tuple[tuple[CaseRow, ...], int]:
    """Some of the cases, and how many there are: what is due soonest first, which is overdue, if anything is.

    Those without a due date follow, the newest first.
    """
    wanted = which.conditions()
    with database.reading() as session:
        total = session.exec(select(func.count()).select_from(Case).where(*wanted)).one()
        dated = session.exec(
            select(func.count(col(Duty.case_id).distinct()))
            .join(Case, col(Case.id) == col(Duty.case_id))
            .where(*_DATED, *wanted)
        ).one()
        cases = _dated_cases(session, wanted, offset, limit) if offset < dated else []
        if len(cases) < limit:
            cases += _undated_cases(session, wanted, max(offset - dated, 0), limit - len(cases))
        return _case_rows(session, cases, now), total


def case_kinds(database: Database) -> tuple[str, ...]:
    """The kinds of case that there are."""
    with database.reading() as session:
        return tuple(sorted(f"{kind}" for kind in session.exec(select(Case.kind).distinct())))


def cases_between(database: Database, first: UUID, last: UUID, *, limit: int) -> tuple[UUID, ...]:
    """Some of the cases whose ids lie from ``first`` to ``last``, both included."""
    with database.reading() as session:
        found = select(Case.id).where(col(Case.id).between(first, last)).order_by(col(Case.id)).limit(limit)
        return tuple(session.exec(found))


_DATED = (col(Duty.status).in_(OPEN_STATUSES), col(Duty.due_at).is_not(None))
"""What makes an open duty one that a list of cases goes by."""


def _dated_cases(session: Session, wanted: list[ColumnElement[bool]], offset: int, limit: int) -> list[Case]:
    """Cases with a dated open duty, the one that is due soonest first."""
    due = select(Duty.case_id, func.min(Duty.due_at).label("due_at")).where(*_DATED).group_by(col(Duty.case_id))
    soonest = due.subquery()
    # Which ones first: sorting whole rows takes several times as long.
    keys = (
        select(Case.id)
        .join(soonest, soonest.c.case_id == Case.id)
        .where(*wanted)
        .order_by(soonest.c.due_at, col(Case.id))
        .offset(offset)
        .limit(limit)
    )
    return _in_order(session, session.exec(keys).all())


def _undated_cases(session: Session, wanted: list[ColumnElement[bool]], offset: int, limit: int) -> list[Case]:
    """Cases without a dated open duty, the newest first."""
    has_date = select(Duty.id).where(Duty.case_id == Case.id, *_DATED).exists()
    keys = (
        select(Case.id)
        .where(*wanted, ~has_date)
        .order_by(col(Case.opened_at).desc(), col(Case.id))
        .offset(offset)
        .limit(limit)
    )
    return _in_order(session, session.exec(keys).all())


def _in_order(session: Session, keys: Sequence[UUID]) -> list[Case]:
    rows = {row.id: row for row in session.exec(select(Case).where(col(Case.id).in_(keys)))}
    return [rows[key] for key in keys]


def _case_rows(session: Session, cases: Sequence[Case], now: datetime) -> tuple[CaseRow, ...]:
    keys = [case.id for case in cases]
    summaries = _summaries(session, keys, now)
    scope = dict(
        session.exec(
            select(CaseAgreement.case_id, func.count())
            .where(col(CaseAgreement.case_id).in_(keys))
            .group_by(col(CaseAgreement.case_id))
        ).all()
    )
    recorded = dict(
        session.exec(
            select(Proposal.case_id, func.count())
            .where(col(Proposal.case_id).in_(keys), Proposal.kind == ProposalKind.DONE)
            .where(col(Proposal.approved).is_(True), col(Proposal.undone_at).is_(None))
            .group_by(col(Proposal.case_id))
        ).all()
    )
    none = {"open_duties": 0, "overdue_duties": 0, "next_due_at": None}
    return tuple(
        CaseRow(
            **case.model_dump(include={"id", "kind", "title", "status", "opened_at"}),
            agreements=scope.get(case.id, 0),
            by_other_means=recorded.get(case.id, 0),
            troubled=case.trouble is not None and case.closed_at is None,
            **summaries.get(case.id, none),
        )
        for case in cases
    )


def _summaries(session: Session, cases: Sequence[UUID], now: datetime) -> dict[UUID, dict[str, object]]:
    rows = session.exec(
        select(Duty.case_id, func.count(), func.count().filter(col(Duty.due_at) < now), func.min(Duty.due_at))
        .where(col(Duty.case_id).in_(cases), col(Duty.status).in_(OPEN_STATUSES))
        .group_by(col(Duty.case_id))
    )
    return {
        case_id: {"open_duties": count, "overdue_duties": overdue, "next_due_at": due}
        for case_id, count, overdue, due in rows
    }
