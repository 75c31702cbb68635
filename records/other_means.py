"""Duties performed by other means than the engine's: on one person's word, with proof, approved by a second one.

Such a performance says for ever on whose word it is (``Duty.performed_under``). It can be taken back by a correction,
after which the duty is open as if it had never been recorded; what was recorded stays in the proposal and in evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select, update

from agreements.due_dates import read_due_dates
from agreements.terms import pinned_terms
from cases.acts import Done
from ledger.append import append
from ledger.artifacts import store_list
from ledger.entries import DutyPerformedByOtherMeans, JsonObject
from models.enums import BY_OTHER_MEANS, OPEN_STATUSES, BatchStatus, DutyStatus, NoticeKind, ProposalKind
from models.errors import InvalidInput, Refused
from models.tables import Agreement, Batch, Case, CaseAgreement, Duty, Notice, Proposal
from records.duties import check_begun, latest_start, perform, run_again


def check_done(session: Session, case: Case, act: Done) -> None:
    """Change nothing; return where each agreement named has a duty that may be recorded as done, as of that date.

    Raises:
        InvalidInput: one of them has none, its terms do not allow it, or the date lies before the duty's clock began.
    """
    open_duties = {duty.agreement_id: duty for duty in _begun(session, case.id, act.clause, _ids(act))}
    references = _references(session, _ids(act))
    without = sorted(references[agreement] for agreement in _ids(act) if agreement not in open_duties)
    if without:
        raise InvalidInput(
            f"No duty under {act.clause} has begun and is open towards {', '.join(without)}.",
            where="agreements",
            next_step="Leave these agreements out, or look at the case's page.",
        )
    forbidding = sorted(references[agreement] for agreement in _forbidding(session, case.id, act))
    if forbidding:
        raise InvalidInput(
            f"The terms of {', '.join(forbidding)} do not let {act.clause} be performed by other means.",
            where="agreements",
            next_step="Do what the clause asks for: release its notice, or record each holder's confirmation.",
        )
    check_begun(session, open_duties.values(), act.done_at, where="done_at")


def propose_done(session: Session, case: Case, act: Done, proposal_id: UUID, *, actor: str, at: datetime) -> JsonObject:
    """Keep a proposal that duties were done by other means; nothing is performed by it.

    Raises: as ``check_done``.
    """
    check_done(session, case, act)
    session.add(
        Proposal(
            id=proposal_id,
            case_id=case.id,
            kind=ProposalKind.DONE,
            clause=act.clause,
            agreements=[str(agreement.id) for agreement in act.agreements],
            proof_sha256=act.proof.sha256,
            how_sha256=act.how.sha256,
            to_whom_sha256=act.to_whom.sha256 if act.to_whom else None,
            done_at=act.done_at,
            proposed_by=actor,
            proposed_at=at,
        )
    )
    return {"proposal_id": str(proposal_id)}


def perform_by_other_means(session: Session, proposal: Proposal, *, approved_by: str, at: datetime) -> list[str]:
    """Perform the duties that an approved proposal is about, as of the date it gives; return their ids, in order.

    What was performed since it was proposed, as by a notice that left, stays as it is.

    Raises:
        Refused: none of its duties is open any more.
    """
    assert proposal.clause, "what was done is under a clause"
    assert proposal.done_at, "what was done says when"
    assert proposal.proof_sha256, "what was done has a proof"
    duties = _begun(session, proposal.case_id, proposal.clause, [UUID(key) for key in proposal.agreements])
    if not duties:
        raise Refused(
            "None of its duties is open any more, so there is nothing to record as done.",
            where="proposal_id",
            next_step="Decline the proposal.",
        )
    began = latest_start(session, duties)
    if began and proposal.done_at < began:
        raise Refused(
            "A date was corrected since: the clock of its duties began after they are said to be done.",
            where="proposal_id",
            next_step="Decline the proposal, and look at the dates.",
        )
    for duty in duties:
        perform(duty, proposal.done_at, under=proposal.id, verdicts=BY_OTHER_MEANS)
        session.add(duty)
        assert duty.verdict, "what is performed has a verdict"
        append(
            session,
            DutyPerformedByOtherMeans(
                case_id=proposal.case_id,
                actor=approved_by,
                at=at,
                duty=duty.id,
                proposal_id=proposal.id,
                clause=duty.clause,
                due_at=duty.due_at,
                done_at=proposal.done_at,
                verdict=duty.verdict,
                on_the_word_of=proposal.proposed_by,
                proof_sha256=proposal.proof_sha256,
            ),
        )
    return [str(duty.id) for duty in duties]


def undo(session: Session, proposal_id: UUID, case_id: UUID, reason: str, *, actor: str, at: datetime) -> JsonObject:
    """Take back what an approved proposal recorded as done: its duties run again, overdue at once where they are.

    Raises:
        Refused: no such proposal of the case stands.
    """
    proposal = session.get(Proposal, proposal_id)
    of_it = (Duty.case_id == case_id, Duty.performed_under == proposal_id)
    duties = session.exec(select(Duty).where(*of_it).order_by(col(Duty.id))).all()
    if proposal is None or not duties:
        raise Refused(
            "Nothing of this case is recorded as done under this proposal.",
            where="proposal_id",
            next_step="Look at the case's page.",
        )
    due_dates = read_due_dates(session, {duty.due_date_id for duty in duties})
    for duty in duties:
        run_again(duty, due_dates[duty.due_date_id].due_at)
        session.add(duty)
    _give_up_notices(session, [duty.id for duty in duties])
    proposal.undone_by, proposal.undone_at, proposal.undone_reason_sha256 = actor, at, reason
    return {
        "clause": proposal.clause,
        "on_the_word_of": proposal.proposed_by,
        "approved_by": proposal.decided_by,
        **store_list(session, "duties", [str(duty.id) for duty in duties], at),
    }


def _give_up_notices(session: Session, duties: Sequence[UUID]) -> None:
    """Give up the notices of some duties with which their batches are through and that were not given.

    So each duty gets a new one. What had not left when it was recorded as done was dropped then, or still stands.
    """
    session.execute(
        update(Notice)
        .where(col(Notice.duty_id).in_(duties), col(Notice.kind) == NoticeKind.NOTICE)
        .where(col(Notice.given_at).is_(None), col(Notice.dropped).is_(False))
        .where(col(Notice.batch_id).in_(select(Batch.id).where(Batch.status == BatchStatus.SENT)))
        .values(dropped=True)
    )


def _ids(act: Done) -> list[UUID]:
    return [agreement.id for agreement in act.agreements]


def _begun(session: Session, case_id: UUID, clause: str, agreements: Sequence[UUID]) -> list[Duty]:
    """The open duties under a clause towards some agreements whose clocks have begun; of several the first due."""
    rows = session.exec(
        select(Duty)
        .where(Duty.case_id == case_id, Duty.clause == clause, col(Duty.agreement_id).in_(agreements))
        .where(col(Duty.status).in_(OPEN_STATUSES), Duty.status != DutyStatus.PENDING)
        .order_by(col(Duty.occurrence).desc())
    )
    first = {duty.agreement_id: duty for duty in rows}
    return sorted(first.values(), key=lambda duty: duty.id)


def _references(session: Session, agreements: Sequence[UUID]) -> dict[UUID, str]:
    wanted = col(Agreement.id).in_(agreements)
    return dict(session.exec(select(Agreement.id, Agreement.reference).where(wanted)).all())


def _forbidding(session: Session, case_id: UUID, act: Done) -> list[UUID]:
    """The agreements named whose terms do not let the clause be performed by other means."""
    terms = pinned_terms(session, case_id)
    rows = session.exec(
        select(CaseAgreement.agreement_id, CaseAgreement.terms_hash).where(
            CaseAgreement.case_id == case_id, col(CaseAgreement.agreement_id).in_(_ids(act))
        )
    )
    return [
        agreement
        for agreement, terms_hash in rows
        if terms_hash is None or not terms[terms_hash].clause(act.clause).may_be_done_elsewhere
    ]
