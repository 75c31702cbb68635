"""What is raised to an officer: duties that are overdue, late or undelivered, contacts that fail, what nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from config.personal_data import without_addresses
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import ContactEscalated, DutyEscalated, InternalDatePassed, UnknownEscalated
from mail.delivery_states import FAILED
from models.enums import TOO_LATE, BatchStatus, DeliveryStatus, DutyStatus, NoticeKind, ReportKind
from models.tables import INTERNAL, Agreement, Batch, Delivery, DeliveryReport, Duty, Notice
from records.undecided import UNDECIDED


@dataclass(frozen=True)
class Raised:
    """What is told to an officer of a case.

    Attributes:
        duties: the LEAs whose duties are overdue, late or undelivered.
        internal: the LEAs whose duties are past their internal dates, and not overdue.
        contacts: the LEAs of which a contact refused a notice, or it came back, each with what the server said.
        unknown: the references of the agreements to which nobody can say whether a notice arrived.
        came_back: whether any notice came back, which may have left a duty open that had been performed.
    """

    duties: list[str]
    internal: list[str]
    contacts: list[str]
    unknown: list[str]
    came_back: bool = False


@dataclass(frozen=True)
class Refusals:
    """The contacts that refused a notice, or from which it came back: a line for each, and whether any came back."""

    lines: list[str]
    came_back: bool


def raise_duties(session: Session, case_id: UUID, now: datetime) -> list[str]:
    """Mark the duties of a case that were not met in time, or whose notice no contact took, if not raised before.

    One that was raised before it was due, since no contact took its notice, is raised once more when it is overdue.

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
        .where(Duty.case_id == case_id)
        .where(
            (col(Duty.verdict).in_(TOO_LATE) | (col(Duty.status) == DutyStatus.RUNNING) & (col(Duty.due_at) < now))
            & NOT_RAISED_AS_LATE
            | (col(Duty.status) == DutyStatus.RUNNING)
            & col(Duty.escalated_at).is_(None)
            & col(Duty.id).in_(undelivered)
        )
        .order_by(col(Agreement.lea_name))
        .with_for_update(of=Duty)
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


NOT_RAISED_AS_LATE = col(Duty.escalated_at).is_(None) | (col(Duty.escalated_at) < col(Duty.due_at))
"""What a duty is of which nobody was told that it is overdue, or late; it may have been raised before it was due."""

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


def raise_contacts(session: Session, case_id: UUID, now: datetime) -> Refusals:
    """Note each contact of a case that refused a notice, or from which it came back, and was not raised before."""
    rows = session.exec(
        select(Delivery, Agreement.lea_name)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(Notice.case_id == case_id, col(Delivery.status).in_(FAILED), col(Delivery.raised_at).is_(None))
        .order_by(col(Agreement.lea_name), col(Delivery.id))
        .with_for_update(of=Delivery)
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
    return _refusals(session, rows)


def _refusals(session: Session, rows: Sequence[tuple[Delivery, str]]) -> Refusals:
    """The LEAs of deliveries that failed, each with what the mail server said of it, addresses left out."""
    reports = session.exec(
        select(DeliveryReport)
        .where(col(DeliveryReport.delivery_id).in_([delivery.id for delivery, _ in rows]))
        .where(DeliveryReport.kind == ReportKind.FAILED, col(DeliveryReport.of_contact))
        .order_by(col(DeliveryReport.received_at))
    )
    came_back = {report.delivery_id: report.says or report.status for report in reports}
    return Refusals(
        [_refusal(lea, came_back.get(delivery.id) or delivery.answer) for delivery, lea in rows],
        came_back=any(delivery.status is DeliveryStatus.BOUNCED for delivery, _ in rows),
    )


def _refusal(lea: str, said: str | None) -> str:
    return f"{lea}: {without_addresses(said)}" if said else lea


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
        select(Delivery, Agreement.lea_name, Agreement.reference)
        .join(Duty, col(Duty.agreement_id) == col(Agreement.id))
        .join(Notice, col(Notice.duty_id) == col(Duty.id))
        .join(Delivery, col(Delivery.notice_id) == col(Notice.id))
        .where(Notice.case_id == case_id, col(Delivery.raised_at) >= since)
        .order_by(in_order)
    )
    deliveries = session.exec(of_contacts).all()
    failed = _refusals(session, [(delivery, lea) for delivery, lea, _ in deliveries if delivery.status in FAILED])
    return Raised(
        duties=list(session.exec(of_duties)),
        internal=list(session.exec(of_internal)),
        contacts=failed.lines,
        unknown=[reference for delivery, _, reference in deliveries if delivery.status is DeliveryStatus.UNKNOWN],
        came_back=failed.came_back,
    )
