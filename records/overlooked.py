"""What SQL makes suspicious: cases, batches and duties that the clocks should have seen to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from sqlmodel import Session, col, select, update

from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import CaseRestarted, WatchdogRaised
from mail.compose import utc_instant
from models.enums import BatchStatus, DutyStatus
from models.tables import Batch, Case, Duty

Finding: TypeAlias = CaseRestarted | WatchdogRaised
"""One thing that was overlooked, as the officer is told of it and as the ledger attests it."""


@dataclass(frozen=True)
class Suspects:
    """What SQL makes suspicious, before Temporal is asked.

    Attributes:
        cases: those that are not closed, whose workflow should run, each with its kind.
        sending: batches that began to be sent a while ago, are not through, and were not raised since.
        stayed: batches that should have left, were not withheld, and were not raised.
        overdue: cases with overdue duties that nobody was told of.
    """

    cases: Sequence[tuple[UUID, str]]
    sending: Sequence[Batch]
    stayed: Sequence[Batch]
    overdue: Sequence[UUID]


def stayed(batch: Batch, now: datetime) -> WatchdogRaised:
    """The finding that a batch should have left by now."""
    return _of_batch(batch, f"were to leave at {utc_instant(batch.leaves_at)}, and have not begun to", now)


def stopped(batch: Batch, now: datetime) -> WatchdogRaised:
    """The finding that nobody sends a batch any more."""
    return _of_batch(batch, "began to leave, and nothing goes on with them", now)


def _of_batch(batch: Batch, what: str, now: datetime) -> WatchdogRaised:
    return WatchdogRaised(
        case_id=batch.case_id,
        actor=ENGINE,
        at=now,
        batch_id=batch.id,
        status=batch.status,
        finding=f"{batch.size} notices under {batch.clause} {what}.",
    )


def restarted(case_id: UUID, now: datetime) -> CaseRestarted:
    """The finding that a case's workflow was gone, and was started again."""
    return CaseRestarted(
        case_id=case_id,
        actor=ENGINE,
        at=now,
        finding="Its clocks had stopped, since its workflow was gone. They run again, from what the database knows.",
    )


def keep_findings(session: Session, findings: Sequence[Finding]) -> None:
    """Note what an officer was told of, with the evidence of it, so that it is raised once."""
    append(session, *findings)
    for finding in findings:
        if isinstance(finding, WatchdogRaised):
            session.execute(update(Batch).where(col(Batch.id) == finding.batch_id).values(raised_at=finding.at))


def look(session: Session, before: datetime) -> Suspects:
    """What makes SQL suspicious of the time before an instant."""
    unclosed = col(Case.closed_at).is_(None), col(Case.opened_at) < before
    # A batch that was raised while it waited is raised once more if its sending stops.
    unraised = col(Batch.raised_at).is_(None) | (col(Batch.raised_at) < col(Batch.began_at))
    sending = select(Batch).where(Batch.status == BatchStatus.SENDING, col(Batch.began_at) < before, unraised)
    stayed = select(Batch).where(
        Batch.status == BatchStatus.WAITING, col(Batch.leaves_at) < before, col(Batch.raised_at).is_(None)
    )
    overdue = (
        select(Duty.case_id)
        .join(Case, col(Case.id) == col(Duty.case_id))
        .where(*unclosed, Duty.status == DutyStatus.RUNNING)
        .where(col(Duty.due_at) < before, col(Duty.escalated_at).is_(None))
    )
    return Suspects(
        cases=session.exec(select(Case.id, Case.kind).where(*unclosed)).all(),
        sending=session.exec(sending).all(),
        stayed=session.exec(stayed).all(),
        overdue=session.exec(overdue.distinct()).all(),
    )
