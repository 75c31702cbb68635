"""What is raised to an officer: duties that are overdue, late or undelivered, contacts that fail, what nobody knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import ContactEscalated, DutyEscalated, InternalDatePassed, UnknownEscalated
from models.enums import TOO_LATE, BatchStatus, DeliveryStatus, DutyStatus, NoticeKind
from models.tables import INTERNAL, Agreement, Batch, Delivery, Duty, Notice
from records.outbox import FAILED
from records.undecided import UNDECIDED


@dataclass(frozen=True)
class Raised:
    """What is told to an officer of a case.

    Attributes:
        duties: the LEAs whose duties are overdue, late or undelivered.
        internal: the LEAs whose duties are past their internal dates, and not overdue.
        contacts: the LEAs of which a contact refused a notice.
        unknown: the references of the agreements to which nobody can say whether a notice arrived.
    """

    duties: list[str]
    internal: list[str]
    contacts: list[str]
    unknown: list[str]


def raise_duties(session: Session, case_id: UUID, now: datetime) -> list[str]:
    """Mark the duties of a case that were not met in time, or whose notice no contact took, if not raised before.

    Returns the names of their LEAs; the evidence of it is written in the same transaction.
    """
    undelivered = (
        select(Notice.duty_id)
        .join(Batch, col(Batch.id) == col(Notice.batch_id))
        .where(
            Notice.case_id == case_id,
            Notice.kind == NoticeKind.NOTICE,
            col(Notice.dropped).is_(False),
            col(Notice.given_at).is_(None),
            Batch.status == BatchStatus.SENT,
            col(Notice.id).not_in(select(Delivery.notice_id).where(*UNDECIDED)),
        )
    )
    rows = session.exec(
        select(Duty, Agreement.lea_name)
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(Duty.case_id == case_id, col(Duty.escalated_at).is_(None))
        .where(
            col(Duty.verdict).in_(TOO_LATE)
            | (col(Duty.status) == DutyStatus.RUNNING) & ((col(Duty.due_at) < now) | col(Duty.id).in_(undelivered))
        )
        .order_by(col(Agreement.lea_name))
    ).all()
    events = []
    for duty, _ in rows:
        duty.escalated_at = now
        session.add(duty)
        overdue = bool(duty.due_at and duty.due_at < now)
        events.append(
            DutyEscalated(case_id=case_id, actor=ENGINE, at=now, duty_id=duty.id, clause=duty.clause, overdue=overdue)
        )
    append(session, *events)
    return [lea for _, lea in rows]


NOT_RAISED = col(Duty.internal_raised_at).is_(None) | (col(Duty.internal_raised_at) < col(Duty.internal_due_at))
"""What a duty is of which nobody was told that its internal date had passed."""


def raise_internal(session: Session, case_id: UUID, now: datetime) -> list[str]:
    """Mark the duties of a case that run, are past their internal dates and not overdue, if not raised before.

    Returns the names of their LEAs; the evidence of it is written in the same transaction.
    """
    rows = session.exec(
        select(Duty, Agreement.lea_name)
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(Duty.case_id == case_id, INTERNAL, NOT_RAISED, col(Duty.escalated_at).is_(None))
        .where(col(Duty.internal_due_at) < now, col(Duty.due_at) >= now)
        .order_by(col(Agreement.lea_name))
    ).all()
    events = []
    for duty, _ in rows:
        assert duty.internal_due_at, "only such duties are read"
        assert duty.due_at, "an internal date lies ahead of a due instant"
        duty.internal_raised_at = now
        session.add(duty)
        events.append(
            InternalDatePassed(
                case_id=case_id,
                actor=ENGINE,
                at=now,
                duty_id=duty.id,
                clause=duty.clause,
                internal_due_at=duty.internal_due_at,
                due_at=duty.due_at,
            )
        )
    append(session, *events)
    return [lea for _, lea in rows]


def raise_contacts(session: Session, case_id: UUID, now: datetime) -> list[str]:
    """Note each contact of a case that refused a notice and was not raised before; return the names of their LEAs."""
    rows = session.exec(
        select(Delivery, Agreement.lea_name)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(Notice.case_id == case_id, col(Delivery.status).in_(FAILED), col(Delivery.raised_at).is_(None))
        .order_by(col(Agreement.lea_name), col(Delivery.id))
    ).all()
    events = []
    for delivery, _ in rows:
        delivery.raised_at = now
        session.add(delivery)
        events.append(
            ContactEscalated(
                case_id=case_id, actor=ENGINE, at=now, delivery_id=delivery.id, contact=delivery.contact_id
            )
        )
    append(session, *events)
    return [lea for _, lea in rows]


def raise_unknown(session: Session, case_id: UUID, now: datetime) -> list[str]:
    """Note each message of a case of which nobody can say whether it arrived, and that was not raised before.

    Returns the references of their agreements.
    """
    rows = session.exec(
        select(Delivery, Agreement.reference)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(Notice.case_id == case_id, col(Delivery.raised_at).is_(None), *UNDECIDED)
        .order_by(col(Agreement.reference), col(Delivery.id))
    ).all()
    events = []
    for delivery, _ in rows:
        delivery.raised_at = now
        session.add(delivery)
        events.append(
            UnknownEscalated(
                case_id=case_id,
                actor=ENGINE,
                at=now,
                delivery_id=delivery.id,
                contact=delivery.contact_id,
                attempts=delivery.attempts,
            )
        )
    append(session, *events)
    return [reference for _, reference in rows]


def raised_since(session: Session, case_id: UUID, since: datetime) -> Raised:
    """What was raised in a case from an instant on."""
    in_order = col(Agreement.lea_name)
    of_duties = (
        select(Agreement.lea_name)
        .join(Duty, col(Duty.agreement_id) == col(Agreement.id))
        .where(Duty.case_id == case_id, col(Duty.escalated_at) >= since)
        .order_by(in_order)
    )
    of_internal = (
        select(Agreement.lea_name)
        .join(Duty, col(Duty.agreement_id) == col(Agreement.id))
        .where(Duty.case_id == case_id, col(Duty.internal_raised_at) >= since)
        .order_by(in_order)
    )
    of_contacts = (
        select(Agreement.lea_name, Agreement.reference, Delivery.status)
        .join(Duty, col(Duty.agreement_id) == col(Agreement.id))
        .join(Notice, col(Notice.duty_id) == col(Duty.id))
        .join(Delivery, col(Delivery.notice_id) == col(Notice.id))
        .where(Notice.case_id == case_id, col(Delivery.raised_at) >= since)
        .order_by(in_order)
    )
    deliveries = session.exec(of_contacts).all()
    return Raised(
        duties=list(session.exec(of_duties)),
        internal=list(session.exec(of_internal)),
        contacts=[lea for lea, _, status in deliveries if status in FAILED],
        unknown=[reference for _, reference, status in deliveries if status is DeliveryStatus.UNKNOWN],
    )
