"""How far the notices of a case have come."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import true
from sqlmodel import Session, col, func, select

from config.database import Database
from models.enums import BatchStatus
from models.tables import Batch, Notice
from queries.views import ProgressView
from records.notices import not_sent
from records.scope import require_case


def read_progress(database: Database, case_id: UUID) -> tuple[ProgressView, ...]:
    """How far the notices that are being sent have come.

    Raises:
        NotFound: there is no such case.
    """
    with database.reading() as session:
        return progress_of(session, require_case(session, case_id).id)


def notices_left(database: Database, case_id: UUID, clause: str | None = None) -> int:
    """How many notices of a case are still to be given: of one clause, or all."""
    with database.reading() as session:
        return session.exec(
            select(func.count())
            .select_from(Notice)
            .join(Batch, col(Batch.id) == col(Notice.batch_id))
            .where(*not_sent(case_id), true() if clause is None else col(Batch.clause) == clause)
        ).one()


def progress_of(session: Session, case_id: UUID) -> tuple[ProgressView, ...]:
    moving = session.exec(
        select(Batch.clause, Batch.kind)
        .where(Batch.case_id == case_id, Batch.status == BatchStatus.SENDING)
        .distinct()
        .order_by(col(Batch.clause), col(Batch.kind))
    ).all()
    views = []
    for clause, kind in moving:
        alike = (Batch.case_id == case_id, Batch.clause == clause, Batch.kind == kind)
        counted = col(Batch.status).in_(
            (BatchStatus.WAITING, BatchStatus.SENDING, BatchStatus.PUT_OFF, BatchStatus.SENT)
        )
        given = session.exec(
            select(func.count(col(Notice.given_at))).join(Batch, col(Batch.id) == col(Notice.batch_id)).where(*alike)
        ).one()
        total = session.exec(select(func.sum(Batch.size)).where(*alike, counted)).one()
        views.append(ProgressView(clause=clause, kind=kind, given=given, total=total))
    return tuple(views)


def notices_to_release(session: Session, case_id: UUID) -> int:
    """How many notices wait for somebody; one that is released waits for its place alone."""
    return session.exec(
        select(func.count())
        .select_from(Notice)
        .join(Batch, col(Batch.id) == col(Notice.batch_id))
        .where(Notice.case_id == case_id, col(Notice.dropped).is_(False))
        .where(Batch.status == BatchStatus.WAITING, col(Batch.released_by).is_(None))
    ).one()


def notices_withheld(session: Session, case_id: UUID) -> int:
    sizes = select(func.coalesce(func.sum(Batch.size), 0)).where(
        Batch.case_id == case_id, Batch.status == BatchStatus.WITHHELD
    )
    return session.exec(sizes).one()
