"""What SQL knows of a case: enough to start its workflow, for the first time or after it was lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_
from sqlmodel import Session, col, select

from agreements.terms import pinned_terms
from cases.state import CaseState, LastingHold, NoticePolicy, OpenProposal
from models.enums import BatchStatus, CaseStatus
from models.tables import Batch, Case, CaseAct, LawEnforcementHold, Notice, NotYetDecision, Proposal
from records.anchors import current_anchors
from records.duties import vocabulary
from records.offers import unanswered

RELEASED = (BatchStatus.WAITING, BatchStatus.SENDING, BatchStatus.PUT_OFF)


def restore_state(session: Session, case_id: UUID, policy: NoticePolicy) -> CaseState:
    """The state of a case as its workflow would have it before duties are computed; those it computes anew.

    Batches that an officer released go as they were released, also those that were being sent: what they have given
    stays given.
    """
    return CaseState(
        anchors=current_anchors(session, case_id),
        dismissed=session.get_one(Case, case_id).status is CaseStatus.DISMISSED,
        holds=_holds(session, case_id),
        proposals=_proposals(session, case_id),
        released=_released(session, case_id),
        chases=_chases(session, case_id, policy),
        acts_taken=set(session.exec(select(CaseAct.id).where(CaseAct.case_id == case_id))),
        asked_again={decision.name: decision.again_at for decision in not_yet_decisions(session, case_id)},
    )


def known_state(session: Session, case: Case, policy: NoticePolicy) -> CaseState:
    """The state of a case as far as rules ask for it that are checked before an act is sent to its workflow."""
    state = restore_state(session, case.id, policy)
    state.vocabulary = vocabulary(session, case, pinned_terms(session, case.id))
    state.computed = state.facts if case.computed_at else 0
    state.closing = case.status is CaseStatus.CLOSED
    return state


def not_yet_decisions(session: Session, case_id: UUID) -> list[NotYetDecision]:
    """What was decided not to have come about, by name; of each name only the latest."""
    rows = session.exec(
        select(NotYetDecision).where(NotYetDecision.case_id == case_id).order_by(col(NotYetDecision.recorded_at))
    )
    return list({row.name: row for row in rows}.values())


def _holds(session: Session, case_id: UUID) -> dict[UUID, LastingHold]:
    rows = session.exec(
        select(LawEnforcementHold).where(
            LawEnforcementHold.case_id == case_id, col(LawEnforcementHold.lifted_at).is_(None)
        )
    )
    return {
        row.id: LastingHold(particulars_sha256=row.particulars_sha256, agreement_id=row.agreement_id, until=row.until)
        for row in rows
    }


def _proposals(session: Session, case_id: UUID) -> dict[UUID, OpenProposal]:
    rows = session.exec(select(Proposal).where(Proposal.case_id == case_id, col(Proposal.decided_at).is_(None)))
    return {
        row.id: OpenProposal(
            kind=row.kind,
            clause=row.clause,
            ground=row.ground,
            agreements=tuple(UUID(agreement) for agreement in row.agreements),
            proposed_by=row.proposed_by,
        )
        for row in rows
    }


def _released(session: Session, case_id: UUID) -> dict[UUID, str]:
    rows = session.exec(
        select(Batch.id, Batch.released_by).where(Batch.case_id == case_id, col(Batch.status).in_(RELEASED))
    )
    return {batch_id: released_by for batch_id, released_by in rows if released_by}


def _chases(session: Session, case_id: UUID, policy: NoticePolicy) -> list[datetime]:
    """The steps of the ladder that are left for notices not answered, and when silence is noted, in whole minutes."""
    rows = session.exec(
        select(Notice.given_at, Notice.reminders, and_(col(Notice.offers), col(Notice.silent_at).is_(None)))
        .where(Notice.case_id == case_id, unanswered(), col(Notice.given_at).is_not(None))
        .distinct()
    )
    after = {
        (given_at, wait)
        for given_at, reminders, awaited in rows
        if given_at
        for wait in (
            *(timedelta(hours=hours) for hours in policy.chase_hours[reminders:]),
            *((timedelta(days=policy.answer_days),) if awaited else ()),
        )
    }
    return sorted({given_at.replace(second=0, microsecond=0) + timedelta(minutes=1) + wait for given_at, wait in after})
