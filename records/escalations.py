"""What is raised to an officer: duties that are overdue, late or undelivered, contacts that fail."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from ledger.actors import ENGINE
from ledger.append import Entry, append
from ledger.kinds import EvidenceKind
from models.enums import BatchStatus, DutyStatus, NoticeKind, Verdict
from models.tables import Agreement, AgreementContact, Batch, Delivery, Duty, EvidenceEntry, Notice
from records.outbox import FAILED


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
        )
    )
    rows = session.exec(
        select(Duty, Agreement.lea_name)
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(Duty.case_id == case_id, col(Duty.escalated_at).is_(None))
        .where(
            (col(Duty.verdict) == Verdict.LATE)
            | (col(Duty.status) == DutyStatus.RUNNING) & ((col(Duty.due_at) < now) | col(Duty.id).in_(undelivered))
        )
        .order_by(col(Agreement.lea_name))
    ).all()
    entries = []
    for duty, _ in rows:
        duty.escalated_at = now
        session.add(duty)
        entries.append(
            Entry(
                case_id=case_id,
                kind=EvidenceKind.ESCALATED,
                subject=str(duty.id),
                actor=ENGINE,
                at=now,
                body={"clause": duty.clause, "overdue": bool(duty.due_at and duty.due_at < now)},
                key=f"escalated:{duty.id}",
            )
        )
    append(session, *entries)
    return [lea for _, lea in rows]


def raise_contacts(session: Session, case_id: UUID, now: datetime) -> list[str]:
    """Note each contact of a case that refused a notice and was not raised before; return the names of their LEAs."""
    rows = session.exec(
        select(Delivery.id, Delivery.contact_id, Agreement.lea_name)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .join(AgreementContact, col(AgreementContact.id) == col(Delivery.contact_id))
        .join(Agreement, col(Agreement.id) == col(AgreementContact.agreement_id))
        .where(Notice.case_id == case_id, col(Delivery.status).in_(FAILED))
        .order_by(col(Agreement.lea_name), col(Delivery.id))
    ).all()
    known = set(
        session.exec(
            select(EvidenceEntry.subject).where(
                EvidenceEntry.case_id == case_id, EvidenceEntry.kind == EvidenceKind.ESCALATED.value
            )
        )
    )
    new = [row for row in rows if str(row[0]) not in known]
    append(
        session,
        *(
            Entry(
                case_id=case_id,
                kind=EvidenceKind.ESCALATED,
                subject=str(delivery),
                actor=ENGINE,
                at=now,
                body={"contact": str(contact)},
                key=f"escalated:{delivery}",
            )
            for delivery, contact, _ in new
        ),
    )
    return [lea for _, _, lea in new]


def raised_since(session: Session, case_id: UUID, since: datetime) -> tuple[list[str], list[str]]:
    """The LEAs whose duties, and those whose contacts, were raised in a case from an instant on."""
    subjects = session.exec(
        select(EvidenceEntry.subject).where(
            EvidenceEntry.case_id == case_id,
            EvidenceEntry.kind == EvidenceKind.ESCALATED.value,
            EvidenceEntry.at >= since,
        )
    )
    raised = {UUID(subject) for subject in subjects if subject}
    leas = select(Agreement.lea_name).join(Duty, col(Duty.agreement_id) == col(Agreement.id))
    of_notices = leas.join(Notice, col(Notice.duty_id) == col(Duty.id))
    of_contacts = of_notices.join(Delivery, col(Delivery.notice_id) == col(Notice.id))
    in_order = col(Agreement.lea_name)
    return (
        list(session.exec(leas.where(col(Duty.id).in_(raised)).order_by(in_order))),
        list(session.exec(of_contacts.where(col(Delivery.id).in_(raised)).order_by(in_order))),
    )
