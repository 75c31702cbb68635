"""What a person's act changes in SQL, and the evidence it leaves: one function for each kind of act."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import singledispatch
from typing import Any
from uuid import UUID, uuid5

from sqlmodel import Session, col, select, update

from cases.anchors import CONFIRMED
from cases.messages import (
    AdoptTerms,
    AnchorValue,
    ConfirmBreach,
    DecideProposal,
    DismissBreach,
    LearnElement,
    LiftHold,
    Message,
    PlaceHold,
    ProposeNotRequired,
    RecordPerformance,
    SetAnchor,
    WithholdNotices,
)
from ledger.act_entries import (
    AnchorCorrected,
    AnchorRecorded,
    CaseDismissed,
    DutyPerformed,
    FactRecorded,
    HoldLifted,
    HoldPlaced,
    NoticeWithheld,
    NotRequiredDecided,
    NotRequiredProposed,
    TermsAdopted,
)
from ledger.append import append
from ledger.artifacts import fetch
from models.enums import OPEN_STATUSES, BatchStatus, CaseStatus, DutyStatus, Verdict
from models.tables import Batch, Case, CaseAnchor, CaseFact, Duty, Hold, Proposal, Withholding
from records.terms import agreements_knowing


@singledispatch
def record_act(act: Message, session: Session, case_id: UUID, now: datetime) -> None:
    """Store an act and its evidence in the session's transaction; storing it again changes nothing."""
    raise TypeError(f"{type(act).__name__} is not an act that is stored")


@record_act.register
def _(act: ConfirmBreach, session: Session, case_id: UUID, now: datetime) -> None:
    anchor = AnchorValue(name=CONFIRMED, instant=act.confirmed_at)
    _keep_anchor(session, case_id, SetAnchor(anchor=anchor, actor=act.actor), now)


@record_act.register
def _(act: SetAnchor, session: Session, case_id: UUID, now: datetime) -> None:
    _keep_anchor(session, case_id, act, now)


@record_act.register
def _(act: DismissBreach, session: Session, case_id: UUID, now: datetime) -> None:
    case = session.get_one(Case, case_id)
    case.status, case.dismissal_reason_sha256 = CaseStatus.DISMISSED, act.reason_sha256
    session.add(case)
    in_case = col(Duty.case_id) == case_id
    session.execute(
        update(Duty).where(in_case, col(Duty.status).in_(OPEN_STATUSES)).values(status=DutyStatus.CANCELLED)
    )
    session.execute(update(Duty).where(in_case).values(lacking=[], lacking_count=0))
    append(session, CaseDismissed(case_id=case_id, actor=act.actor, at=now, reason_sha256=act.reason_sha256))


@record_act.register
def _(act: LearnElement, session: Session, case_id: UUID, now: datetime) -> None:
    row_id = uuid5(case_id, f"fact:{act.element}:{act.status}:{act.value_sha256}")
    _supersede(session, CaseFact, (col(CaseFact.case_id) == case_id, col(CaseFact.element) == act.element), now)
    session.merge(
        CaseFact(
            id=row_id,
            case_id=case_id,
            element=act.element,
            status=act.status,
            value=fetch(session, act.value_sha256).decode() if act.value_sha256 else None,
            recorded_at=now,
            recorded_by=act.actor,
            superseded_at=None,
        )
    )
    append(
        session,
        FactRecorded(
            case_id=case_id,
            actor=act.actor,
            at=now,
            element=act.element,
            status=act.status,
            value_sha256=act.value_sha256,
        ),
    )


@record_act.register
def _(act: WithholdNotices, session: Session, case_id: UUID, now: datetime) -> None:
    waiting = [col(Batch.case_id) == case_id, col(Batch.status) == BatchStatus.WAITING]
    if act.clause:
        waiting.append(col(Batch.clause) == act.clause)
    session.execute(update(Batch).where(*waiting).values(status=BatchStatus.WITHHELD))
    session.merge(
        Withholding(
            id=uuid5(case_id, f"withholding:{act.clause}:{now.isoformat()}"),
            case_id=case_id,
            clause=act.clause,
            reason_sha256=act.reason_sha256,
            decided_by=act.actor,
            decided_at=now,
        )
    )
    append(
        session,
        NoticeWithheld(case_id=case_id, actor=act.actor, at=now, clause=act.clause, reason_sha256=act.reason_sha256),
    )


@record_act.register
def _(act: ProposeNotRequired, session: Session, case_id: UUID, now: datetime) -> None:
    session.merge(
        Proposal(
            id=act.proposal_id,
            case_id=case_id,
            clause=act.clause,
            ground=act.ground,
            agreements=[str(agreement) for agreement in act.agreements],
            reason_sha256=act.reason_sha256,
            proposed_by=act.actor,
            proposed_at=now,
        )
    )
    append(
        session,
        NotRequiredProposed(
            case_id=case_id,
            actor=act.actor,
            at=now,
            proposal_id=act.proposal_id,
            clause=act.clause,
            ground=act.ground,
            agreements=tuple(act.agreements),
            reason_sha256=act.reason_sha256,
        ),
    )


@record_act.register
def _(act: DecideProposal, session: Session, case_id: UUID, now: datetime) -> None:
    proposal = session.get_one(Proposal, act.proposal_id)
    proposal.decided_by, proposal.decided_at, proposal.approved = act.actor, now, act.approve
    session.add(proposal)
    knowing = agreements_knowing(session, case_id, proposal.ground) if act.approve else set()
    duties = [
        duty
        for duty in _duties_under(session, case_id, proposal.clause, proposal.agreements)
        if duty.agreement_id in knowing
    ]
    for duty in duties:
        duty.status = DutyStatus.NOT_REQUIRED
    session.add_all(duties)
    append(
        session,
        NotRequiredDecided(
            case_id=case_id,
            actor=act.actor,
            at=now,
            proposal_id=act.proposal_id,
            approved=act.approve,
            proposed_by=proposal.proposed_by,
            clause=proposal.clause,
            ground=proposal.ground,
            duties=tuple(duty.id for duty in duties),
            reason_sha256=proposal.reason_sha256,
        ),
    )


@record_act.register
def _(act: PlaceHold, session: Session, case_id: UUID, now: datetime) -> None:
    session.merge(
        Hold(
            id=act.hold_id,
            case_id=case_id,
            agreement_id=act.agreement_id,
            particulars_sha256=act.particulars_sha256,
            shareable=act.shareable,
            begins_at=act.begins_at,
            until=act.until,
            placed_by=act.actor,
            placed_at=now,
        )
    )
    append(
        session,
        HoldPlaced(
            case_id=case_id,
            actor=act.actor,
            at=now,
            hold_id=act.hold_id,
            agreement=act.agreement_id,
            begins_at=act.begins_at,
            until=act.until,
            shareable=act.shareable,
            particulars_sha256=act.particulars_sha256,
        ),
    )


@record_act.register
def _(act: LiftHold, session: Session, case_id: UUID, now: datetime) -> None:
    hold = session.get_one(Hold, act.hold_id)
    hold.lifted_by, hold.lifted_at = act.actor, hold.lifted_at or now
    session.add(hold)
    append(session, HoldLifted(case_id=case_id, actor=act.actor, at=now, hold_id=act.hold_id))


@record_act.register
def _(act: RecordPerformance, session: Session, case_id: UUID, now: datetime) -> None:
    duties = _duties_under(session, case_id, act.clause, [])
    for duty in duties:
        duty.status, duty.performed_at = DutyStatus.PERFORMED, now
        duty.verdict = Verdict.LATE if duty.due_at and now > duty.due_at else Verdict.ON_TIME
    session.add_all(duties)
    append(
        session,
        DutyPerformed(
            case_id=case_id,
            actor=act.actor,
            at=now,
            clause=act.clause,
            duties={duty.id: duty.verdict for duty in duties},
            proof_sha256=act.proof_sha256,
        ),
    )


@record_act.register
def _(act: AdoptTerms, session: Session, case_id: UUID, now: datetime) -> None:
    append(session, TermsAdopted(case_id=case_id, actor=act.actor, at=now, reason_sha256=act.reason_sha256))


def _keep_anchor(session: Session, case_id: UUID, act: SetAnchor, now: datetime) -> None:
    anchor = act.anchor
    value = anchor.model_dump(mode="json", exclude_none=True)
    same = (
        col(CaseAnchor.case_id) == case_id,
        col(CaseAnchor.name) == anchor.name,
        col(CaseAnchor.agreement_id) == act.agreement_id
        if act.agreement_id
        else col(CaseAnchor.agreement_id).is_(None),
    )
    before = [
        AnchorValue(name=row.name, instant=row.instant, first_day=row.first_day, last_day=row.last_day)
        for row in session.exec(select(CaseAnchor).where(*same, col(CaseAnchor.superseded_at).is_(None)))
    ]
    if anchor in before:
        return
    _supersede(session, CaseAnchor, same, now)
    session.merge(
        CaseAnchor(
            id=uuid5(case_id, f"anchor:{act.agreement_id}:{sorted(value.items())}"),
            case_id=case_id,
            agreement_id=act.agreement_id,
            name=anchor.name,
            instant=anchor.instant,
            first_day=anchor.first_day,
            last_day=anchor.last_day,
            recorded_at=now,
            recorded_by=act.actor,
            reason_sha256=act.reason_sha256,
            superseded_at=None,
        )
    )
    of = AnchorCorrected if before else AnchorRecorded
    append(
        session,
        of(
            case_id=case_id,
            actor=act.actor,
            at=now,
            anchor=anchor,
            before=tuple(before),
            agreement=act.agreement_id,
            reason_sha256=act.reason_sha256,
        ),
    )


def _supersede(session: Session, table: type[CaseAnchor] | type[CaseFact], same: Sequence[Any], now: datetime) -> None:
    session.execute(update(table).where(*same, col(table.superseded_at).is_(None)).values(superseded_at=now))


def _duties_under(session: Session, case_id: UUID, clause: str, agreements: list[str]) -> list[Duty]:
    """The open duties of a case under one clause: of some agreements, or of all where none is named."""
    wanted = set(agreements)
    return [
        duty
        for duty in session.exec(
            select(Duty).where(Duty.case_id == case_id, Duty.clause == clause, col(Duty.status).in_(OPEN_STATUSES))
        )
        if not wanted or str(duty.agreement_id) in wanted
    ]
