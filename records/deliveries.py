"""What the mail server answered for each notice, and what that performs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from sqlmodel import Session, col, select

from agreements.due_dates import StoredDueDate, read_due_dates
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import (
    CaseEvent,
    CopyGiven,
    DeliveryPassedOver,
    DeliveryRejected,
    DeliveryTroubled,
    DeliveryUnknown,
    NoticeGiven,
)
from mail.handover import Accepted, DeliveryDeferred, MailServerUnavailable, OutcomeUnknown, Rejected, SendResult
from models.enums import DeliveryStatus, DutyStatus, NoticeKind, PerformedBy
from models.tables import AgreementContact, Batch, Delivery, Duty, Letter, Notice
from records.duties import perform
from records.outbox import OutgoingMessage, attempt_of
from records.performing import further_duty_event, perform_further

PUT_OFF_MINUTES = (1, 2, 5, 10, 15, 30, 60)
"""After how many minutes a message that was put off is tried again, each time; the last one stays."""

TRIES_BEFORE_THE_NEXT_CONTACT = 4
"""How often a contact's mail server may defer a notice before the next contact is told: about eight minutes."""

Answer: TypeAlias = SendResult | MailServerUnavailable | OutcomeUnknown


@dataclass(frozen=True)
class Handed:
    """One outgoing message with what the mail server answered."""

    outgoing: OutgoingMessage
    answer: Answer
    at: datetime


def settle(session: Session, batch_id: UUID, handed: Sequence[Handed], now: datetime, *, unknown_resends: int) -> None:
    """Write what the mail server answered into the outbox, with the evidence of it.

    A message of which nobody can say whether it arrived is sent again ``unknown_resends`` times, then a person decides.
    """
    batch = session.get_one(Batch, batch_id)
    outbox = _outbox(session, [item.outgoing.delivery_id for item in handed])
    due_dates = read_due_dates(session, {duty.due_date_id for _, _, duty in outbox.values()})
    events = [event for item in handed for event in _settle(session, batch, outbox, due_dates, item, unknown_resends)]
    events += _note_trouble(batch, handed, now)
    session.add(batch)
    append(session, *events)


def _outbox(session: Session, deliveries: Sequence[UUID]) -> dict[UUID, tuple[Delivery, Notice, Duty]]:
    rows = session.exec(
        select(Delivery, Notice, Duty)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(col(Delivery.id).in_(deliveries))
    )
    return {delivery.id: (delivery, notice, duty) for delivery, notice, duty in rows}


def _settle(
    session: Session,
    batch: Batch,
    outbox: Mapping[UUID, tuple[Delivery, Notice, Duty]],
    due_dates: Mapping[str, StoredDueDate],
    handed: Handed,
    unknown_resends: int,
) -> list[CaseEvent]:
    """Write one answer into the outbox; the first acceptance by a contact performs the duty."""
    outgoing, answer = handed.outgoing, handed.answer
    delivery, notice, duty = outbox[outgoing.delivery_id]
    attempt = attempt_of(delivery)
    if isinstance(answer, DeliveryDeferred):
        if not _defer(outgoing, delivery, notice, duty, handed.at, unknown_resends):
            return []
        return [DeliveryPassedOver(case_id=batch.case_id, actor=ENGINE, at=handed.at, attempt=attempt)]
    if isinstance(answer, MailServerUnavailable):
        _note_not_sent(delivery)
        return []
    if isinstance(answer, OutcomeUnknown):
        if delivery.status is not DeliveryStatus.UNKNOWN:
            delivery.status, delivery.tries = DeliveryStatus.UNKNOWN, 0
        put_unknown_off(delivery, handed.at, unknown_resends)
        return [DeliveryUnknown(case_id=batch.case_id, actor=ENGINE, at=handed.at, attempt=attempt)]
    delivery.settled_at, delivery.answer, delivery.again_at = handed.at, f"{answer.code} {answer.text}", None
    if isinstance(answer, Rejected):
        delivery.status = DeliveryStatus.REJECTED
        contact = session.get_one(AgreementContact, delivery.contact_id)
        contact.failing_since = contact.failing_since or handed.at
        session.add(contact)
        return [DeliveryRejected(case_id=batch.case_id, actor=ENGINE, at=handed.at, attempt=attempt, code=answer.code)]
    delivery.status = DeliveryStatus.ACCEPTED
    if outgoing.copy:
        return [CopyGiven(case_id=batch.case_id, actor=ENGINE, at=handed.at, attempt=attempt, code=answer.code)]
    give(notice, duty, due_dates[duty.due_date_id], handed.at)
    return [
        NoticeGiven(
            case_id=batch.case_id,
            actor=ENGINE,
            at=handed.at,
            attempt=attempt,
            code=answer.code,
            duty=duty.id,
            clause=duty.clause,
            due_at=duty.due_at,
            notice_kind=notice.kind,
            verdict=duty.verdict,
            given=tuple(notice.given),
            lacking=tuple(notice.lacking),
        ),
        *(further_duty_event(further, attempt, handed.at) for further in perform_further(session, notice, handed.at)),
    ]


def _note_not_sent(delivery: Delivery) -> None:
    """Nothing of this attempt left; what an earlier one may have brought stays unknown."""
    if delivery.status is DeliveryStatus.RESERVED:
        delivery.attempted_at = None


def put_off(delivery: Delivery | Letter, at: datetime) -> datetime:
    """Put a message off to a moment of its own, each time further away."""
    delivery.tries += 1
    again_at = at + timedelta(minutes=PUT_OFF_MINUTES[min(delivery.tries, len(PUT_OFF_MINUTES)) - 1])
    delivery.again_at = again_at
    return again_at


def put_unknown_off(delivery: Delivery | Letter, at: datetime, resends: int) -> None:
    """Put off a message that may have arrived; after so many resends it waits for a person instead."""
    put_off(delivery, at)
    if delivery.tries > resends:
        delivery.again_at = None


def _defer(
    outgoing: OutgoingMessage, delivery: Delivery, notice: Notice, duty: Duty, at: datetime, unknown_resends: int
) -> bool:
    """Put a message off that its mail server does not take now; return whether the next contact is told instead.

    That is so once it was deferred a few times, and at once where the notice would be late by the next try.
    """
    _note_not_sent(delivery)
    if delivery.status is DeliveryStatus.UNKNOWN:
        put_unknown_off(delivery, at, unknown_resends)
        return False
    again_at = put_off(delivery, at)
    late = notice.kind is NoticeKind.NOTICE and duty.due_at is not None and again_at > duty.due_at
    passed_over = outgoing.alternative and (late or delivery.tries >= TRIES_BEFORE_THE_NEXT_CONTACT)
    if passed_over:
        delivery.status = DeliveryStatus.PASSED_OVER
    return passed_over


def give(notice: Notice, duty: Duty, due_date: StoredDueDate, at: datetime) -> None:
    """Note that a notice was given, and what that means for its duty.

    It performs the duty only where the clause says that a notice does, and where nothing that the clause requires at
    once was missing, unless the clause lets the notice go with what is known.
    """
    notice.given_at = at
    if notice.kind is NoticeKind.DISMISSAL:
        return
    duty.lacking, duty.lacking_count = notice.lacking, len(notice.lacking)
    complete = due_date.incomplete == "goes" or not set(due_date.at_once).intersection(notice.lacking)
    if duty.status is DutyStatus.RUNNING and duty.performed_by is PerformedBy.NOTICE and complete:
        perform(duty, at)


def _note_trouble(batch: Batch, handed: Sequence[Handed], now: datetime) -> list[DeliveryTroubled]:
    """Keep on the batch what holds its notices back, since when; it is cleared by the first acceptance."""
    troubles = [item.answer for item in handed if isinstance(item.answer, MailServerUnavailable | OutcomeUnknown)]
    if not troubles:
        if any(isinstance(item.answer, Accepted) for item in handed):
            batch.trouble = batch.trouble_since = None
        return []
    code = troubles[0].code
    if batch.trouble == code:
        return []
    batch.trouble, batch.trouble_since = code, now
    return [DeliveryTroubled(case_id=batch.case_id, actor=ENGINE, at=now, batch_id=batch.id, trouble=code)]
