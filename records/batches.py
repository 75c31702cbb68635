"""Batches of notices in SQL: from waiting to sent, with what became of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, func, select

from cases.messages import BatchOutcome, SendBatch
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import NoticeReleased
from models.enums import BatchStatus, DeliveryStatus
from models.tables import Batch, Delivery, Duty, Notice

PUT_OFF_MINUTES = (1, 2, 5, 10, 15)
"""After how many minutes a batch is taken up again for messages that were put off, each time; the last one stays."""


def begin_batch(session: Session, message: SendBatch, now: datetime) -> None:
    """Note that a batch begins to leave, with the evidence of it; one that was sent, or has nothing left, stays so."""
    batch = session.get_one(Batch, message.batch_id)
    if batch.status in (BatchStatus.SENT, BatchStatus.CANCELLED):
        return
    batch.status, batch.released_by = BatchStatus.SENDING, message.released_by
    batch.began_at = batch.began_at or now
    append(
        session,
        NoticeReleased(
            case_id=batch.case_id,
            actor=message.released_by or ENGINE,
            at=now,
            batch_id=batch.id,
            clause=batch.clause,
            notices=batch.size,
            released=message.released_by is not None,
        ),
    )


def finish_batch(session: Session, batch_id: UUID, put_off: int, now: datetime) -> BatchOutcome:
    """Note that a batch was gone through: sent, or put off for the messages that are to be tried again."""
    batch = session.get_one(Batch, batch_id)
    if put_off:
        minutes = PUT_OFF_MINUTES[min(batch.tries, len(PUT_OFF_MINUTES) - 1)]
        batch.status, batch.tries = BatchStatus.PUT_OFF, batch.tries + 1
        batch.again_at = now + timedelta(minutes=minutes)
    else:
        batch.status, batch.again_at = BatchStatus.SENT, None
    given, late = session.exec(
        select(func.count(col(Notice.given_at)), func.count().filter(col(Duty.performed_at) > col(Duty.due_at)))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(Notice.batch_id == batch_id, col(Notice.dropped).is_(False))
    ).one()
    refused = session.exec(
        select(func.count())
        .select_from(Delivery)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .where(Notice.batch_id == batch_id, Delivery.status == DeliveryStatus.REJECTED)
    ).one()
    return BatchOutcome(
        given=given,
        late=late,
        undelivered=max(batch.size - given - put_off, 0),
        refused=refused,
        put_off=put_off,
        again_at=batch.again_at,
    )
