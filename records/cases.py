"""Opening and closing a case in SQL, and telling that one has changed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select, update

from cases.state import CaseSummary
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import CaseClosed, CaseReopened
from models.enums import BatchStatus, CaseStatus
from models.errors import Refused
from models.tables import Batch, Case, Duty
from records.keeping import note_keeping
from records.scope import pin_terms
from records.summary import summarise
from terms.catalogue import Catalogue


def open_case(session: Session, catalogue: Catalogue, case_id: UUID, now: datetime) -> None:
    """Pin the terms of a case's agreements and mark it open.

    Nothing is being sent while a case is opened: where its workflow was lost in the midst of it, sending begins again.
    """
    pin_terms(session, catalogue, case_id, now)
    case = session.get_one(Case, case_id)
    if case.status is CaseStatus.REPORTED:
        case.status = CaseStatus.OPEN
    begun = col(Batch.status).in_((BatchStatus.SENDING, BatchStatus.PUT_OFF))
    session.execute(
        update(Batch).where(col(Batch.case_id) == case_id, begun).values(status=BatchStatus.WAITING, again_at=None)
    )


def close_case(session: Session, case_id: UUID, now: datetime) -> CaseSummary:
    """Close a case, with its last evidence; answer how it stands."""
    case = session.get_one(Case, case_id)
    if case.status is not CaseStatus.DISMISSED:
        case.status = CaseStatus.CLOSED
    case.closed_at = case.closed_at or now
    note_keeping(session, case, now)
    case.trouble, case.trouble_since, case.undecided = None, None, False
    verdicts = session.exec(
        select(Duty.status, Duty.verdict, func.count())
        .where(Duty.case_id == case_id)
        .group_by(col(Duty.status), col(Duty.verdict))
    ).all()
    append(
        session,
        CaseClosed(
            case_id=case_id,
            actor=ENGINE,
            at=now,
            duties={f"{verdict or status}": count for status, verdict, count in verdicts},
            reopened_at=case.reopened_at,
        ),
    )
    return summarise(session, case_id)


def check_closable(session: Session, case_id: UUID) -> None:
    """Return where nothing of a case is open, whatever its workflow has in mind: that may be an old state of it.

    Raises:
        Refused: something is.
    """
    case, stands = session.get_one(Case, case_id), summarise(session, case_id)
    undecided = case.undecided and case.status is not CaseStatus.DISMISSED
    if undecided or stands.open_duties or stands.waiting_notices or stands.undecided or stands.unsettled_holders:
        raise Refused("Something of this case is open, so it is not closed.", next_step="It goes on from what is kept.")


def reopen_case(session: Session, case: Case, now: datetime) -> None:
    """Let a closed case go on, with the evidence of it; its workflow is started anew, from what SQL knows."""
    assert case.closed_at, "only a closed case is reopened"
    append(session, CaseReopened(case_id=case.id, actor=ENGINE, at=now, closed_at=case.closed_at))
    case.closed_at, case.reopened_at = None, now
    if case.status is CaseStatus.CLOSED:
        case.status = CaseStatus.OPEN
    session.add(case)


def note_change(session: Session, case_id: UUID, now: datetime) -> None:
    """Note that SQL holds something that a case's duties may depend on and its workflow has not heard of.

    The watchdog hands it on where the one who wrote it could not.
    """
    session.execute(update(Case).where(col(Case.id) == case_id).values(changed_at=now))
