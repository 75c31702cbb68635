"""What SQL makes suspicious: cases, batches and duties that the clocks should have seen to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from ledger.actors import ENGINE
from ledger.append import Entry
from ledger.kinds import EvidenceKind
from mail.compose import utc_instant
from models.enums import BatchStatus, DutyStatus
from models.tables import Batch, Case, Duty, EvidenceEntry
from records.deliveries import released_key


@dataclass(frozen=True)
class Finding:
    """One thing that was overlooked; ``key`` names it, so that it is raised once."""

    case_id: UUID
    kind: EvidenceKind
    subject: str
    says: str
    key: str


@dataclass(frozen=True)
class Suspects:
    """What SQL makes suspicious, before Temporal is asked.

    Attributes:
        cases: those that are not closed, whose workflow should run.
        sending: batches that began to be sent a while ago and are not through.
        stayed: batches that should have left and were not withheld.
        overdue: cases with overdue duties that nobody was told of.
    """

    cases: Sequence[UUID]
    sending: Sequence[Batch]
    stayed: Sequence[Batch]
    overdue: Sequence[UUID]


def _released_before(session: Session, batches: Sequence[Batch], before: datetime) -> list[Batch]:
    keys = {released_key(batch.id): batch for batch in batches}
    entry = EvidenceEntry
    return [keys[key] for key in session.exec(select(entry.key).where(col(entry.key).in_(keys), entry.at < before))]


def stayed(batch: Batch) -> Finding:
    return _of_batch(batch, f"were to leave at {utc_instant(batch.leaves_at)}, and have not begun to")


def stopped(batch: Batch) -> Finding:
    return _of_batch(batch, "began to leave, and nothing goes on with them")


def _of_batch(batch: Batch, what: str) -> Finding:
    return Finding(
        case_id=batch.case_id,
        kind=EvidenceKind.WATCHDOG_RAISED,
        subject=str(batch.id),
        says=f"{batch.size} notices under {batch.clause} {what}.",
        key=f"watchdog-raised:{batch.id}:{batch.status.value}",
    )


def entry_of(finding: Finding, now: datetime) -> Entry:
    return Entry(
        case_id=finding.case_id,
        kind=finding.kind,
        subject=finding.subject,
        actor=ENGINE,
        at=now,
        body={"finding": finding.says},
        key=finding.key,
    )


def look(session: Session, before: datetime) -> Suspects:
    """What makes SQL suspicious of the time before an instant."""
    unclosed = col(Case.closed_at).is_(None), col(Case.opened_at) < before
    sending = session.exec(select(Batch).where(Batch.status == BatchStatus.SENDING)).all()
    stayed = select(Batch).where(Batch.status == BatchStatus.WAITING, col(Batch.leaves_at) < before)
    overdue = (
        select(Duty.case_id)
        .join(Case, col(Case.id) == col(Duty.case_id))
        .where(*unclosed, Duty.status == DutyStatus.RUNNING)
        .where(col(Duty.due_at) < before, col(Duty.escalated_at).is_(None))
    )
    return Suspects(
        cases=session.exec(select(Case.id).where(*unclosed)).all(),
        sending=_released_before(session, sending, before),
        stayed=session.exec(stayed).all(),
        overdue=session.exec(overdue.distinct()).all(),
    )
