"""Batches of notices in SQL: from waiting to sent, with what became of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, func, select

from cases.messages import BatchOutcome, SendBatch
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import NoticeReleased
from mail.delivery_states import FAILED
from models.enums import BatchStatus
from models.tables import Batch, Case, Delivery, Duty, Notice
from records.outbox import drop_unwanted, still_to_send
from records.scope import pinned_clauses
from records.undecided import undecided_of_batch
from records.withholding import keeps_back, lapse

CLOCKS_DIFFER = timedelta(minutes=1)
"""How far the clocks of those may be apart who say that a moment has come."""


def begin_batch(session: Session, message: SendBatch, now: datetime) -> bool:
    """Note that a batch begins to leave, with the evidence of it; return whether it does.

    One that was sent, or has nothing left, stays so. One that a decision keeps back does not begin, also where that was
    recorded after the case had let it go. Whether it was released, and by whom, or its moment has come, is what SQL
    says: a case's workflow may have been started from an old state of it.
    """
    batch = session.get_one(Batch, message.batch_id)
    if batch.status in (BatchStatus.SENT, BatchStatus.CANCELLED):
        return True
    if keeps_back(session, batch, lapsed=message.lapsed) or _is_early(batch, now):
        return False
    drop_unwanted(session, batch)
    if batch.size == 0:
        batch.status = BatchStatus.CANCELLED
        return True
    if batch.status is BatchStatus.WITHHELD:
        lapse(session, batch, now)
    batch.status = BatchStatus.SENDING
    batch.began_at = batch.began_at or now
    append(
        session,
        NoticeReleased(
            case_id=batch.case_id,
            actor=batch.released_by or ENGINE,
            at=now,
            batch_id=batch.id,
            clause=batch.clause,
            notices=batch.size,
            released=batch.released_by is not None,
        ),
    )
    return True


def _is_early(batch: Batch, now: datetime) -> bool:
    """Whether a batch that has not begun is neither released nor at the moment at which it leaves by itself."""
    match batch.status:
        case BatchStatus.WAITING:
            moment = None if batch.released_by else batch.leaves_at
        case BatchStatus.WITHHELD:
            moment = batch.last_safe_at
        case _:
            moment = None
    return moment is not None and moment - now > CLOCKS_DIFFER


def finish_batch(session: Session, batch_id: UUID, now: datetime) -> BatchOutcome:
    """Note that a batch was gone through: sent, or put off until the first moment of what is to be tried again."""
    batch = session.get_one(Batch, batch_id)
    left = still_to_send(session, batch_id)
    if left:
        batch.status, batch.again_at = BatchStatus.PUT_OFF, max(now, min(left.values()))
    else:
        batch.status, batch.again_at = BatchStatus.SENT, None
        batch.trouble = batch.trouble_since = None
    given, late = session.exec(
        select(func.count(col(Notice.given_at)), func.count().filter(col(Duty.performed_at) > col(Duty.due_at)))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(Notice.batch_id == batch_id, col(Notice.dropped).is_(False))
    ).one()
    refused = session.exec(
        select(func.count())
        .select_from(Delivery)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .where(Notice.batch_id == batch_id, col(Delivery.status).in_(FAILED))
    ).one()
    unknown = undecided_of_batch(session, batch_id)
    return BatchOutcome(
        given=given,
        late=late,
        undelivered=max(batch.size - given - len(left) - unknown, 0),
        refused=refused,
        undecided=unknown,
        put_off=len(left),
        again_at=batch.again_at,
        ended_at=now,
        dates=given > 0 and _brings_about(session, batch),
    )


def take_up_undelivered(session: Session, case_id: UUID, now: datetime) -> None:
    """Let batches leave again of which something can be sent after all, as to a contact named since."""
    ungiven = (col(Notice.given_at).is_(None), col(Notice.dropped).is_(False), col(Batch.status) == BatchStatus.SENT)
    joined = select(Batch).join(Notice, col(Notice.batch_id) == col(Batch.id)).distinct()
    for batch in session.exec(joined.where(Batch.case_id == case_id, *ungiven)).all():
        if moments := still_to_send(session, batch.id):
            batch.status, batch.again_at = BatchStatus.PUT_OFF, max(now, min(moments.values()))


def _brings_about(session: Session, batch: Batch) -> bool:
    """Whether a duty that the notices of a batch perform brings about a dated fact, as a prior notice does."""
    terms = pinned_clauses(session, session.get_one(Case, batch.case_id)).values()
    dated = {clause.id for of_terms in terms for clause in of_terms if clause.dates}
    if batch.clause in dated or not dated:
        return bool(dated)
    of_batch = select(Notice.also_performs).where(Notice.batch_id == batch.id, col(Notice.dropped).is_(False))
    further = {UUID(duty_id) for duties in session.exec(of_batch) for duty_id in duties}
    clauses = session.exec(select(Duty.clause).where(col(Duty.id).in_(further)).distinct())
    return not dated.isdisjoint(clauses)
