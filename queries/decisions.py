"""What people decided about a case: holds, proposals, notices withheld, and what they are asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from cases.acts import Release, Withhold
from ledger.artifacts import fetch
from models.enums import BatchStatus
from models.tables import Agreement, Batch, Case, CaseAct, EvidenceEntry, HolderTask, LawEnforcementHold, Proposal
from queries.views import HoldView, ProposalView, QuestionView, WithholdingEnd, WithholdingView
from records.duties import asked_dates
from records.holders import contact_name
from records.restore import not_yet_decisions
from terms.effective import EffectiveTerms


def questions_of(
    session: Session, case: Case, terms: Sequence[EffectiveTerms], now: datetime
) -> tuple[QuestionView, ...]:
    """What people are asked as a decision, since a clock has not started without it; those still open first."""
    decisions = {decision.name: decision for decision in not_yet_decisions(session, case.id)}
    found = []
    for name in asked_dates(session, case, terms):
        asking = {c.title for effective in terms for c in effective.clauses.values() if c.asks == name}
        decision = decisions.get(name)
        found.append(
            QuestionView(
                name=name,
                label=next(effective.anchors[name] for effective in terms if name in effective.anchors),
                duties=tuple(sorted(asking)),
                open=decision is None or decision.again_at <= now,
                decided=fetch(session, decision.decided_sha256).decode() if decision else None,
                decided_by=decision.recorded_by if decision else None,
                again_at=decision.again_at if decision else None,
            )
        )
    return tuple(sorted(found, key=lambda question: not question.open))


def holds_of(session: Session, case_id: UUID, now: datetime) -> tuple[HoldView, ...]:
    holds = session.exec(
        select(LawEnforcementHold)
        .where(LawEnforcementHold.case_id == case_id)
        .order_by(col(LawEnforcementHold.placed_at))
    ).all()
    bound = {
        row.id: row
        for row in session.exec(select(Agreement).where(col(Agreement.id).in_({hold.agreement_id for hold in holds})))
    }
    views = []
    for hold in holds:
        ends = min(filter(None, (hold.lifted_at, hold.until)), default=None)
        agreement = bound[hold.agreement_id] if hold.agreement_id else None
        views.append(
            HoldView(
                reference=agreement.reference if agreement is not None else None,
                lea_name=agreement.lea_name if agreement is not None else None,
                particulars=fetch(session, hold.particulars_sha256).decode(),
                ended_at=ends if ends and ends <= now else None,
                **hold.model_dump(exclude={"case_id", "agreement_id", "particulars_sha256", "lifted_at"}),
            )
        )
    return tuple(views)


def proposals_of(session: Session, case_id: UUID) -> tuple[ProposalView, ...]:
    rows = session.exec(select(Proposal).where(Proposal.case_id == case_id).order_by(col(Proposal.proposed_at))).all()
    named = {UUID(key) for row in rows for key in row.agreements}
    references = dict(session.exec(select(Agreement.id, Agreement.reference).where(col(Agreement.id).in_(named))).all())
    return tuple(
        ProposalView(
            references=tuple(sorted(references[UUID(key)] for key in row.agreements)),
            reason=fetch(session, row.reason_sha256).decode(),
            holder=contact_name(session, session.get_one(HolderTask, row.task_id)) if row.task_id else None,
            **row.model_dump(exclude={"case_id", "task_id", "agreements", "reason_sha256"}),
        )
        for row in rows
    )


def withholdings_of(session: Session, case_id: UUID) -> tuple[WithholdingView, ...]:
    """Every decision to withhold notices, with whoever ended it; evidence tells which release was of what was withheld.

    One that nobody ended and that keeps nothing back any more has ended by itself: its notices no longer stand.
    """
    rows = session.exec(
        select(CaseAct).where(CaseAct.case_id == case_id, CaseAct.act == Withhold.act_name()).order_by(col(CaseAct.at))
    ).all()
    kept_back = set(
        session.exec(
            select(Batch.clause).where(Batch.case_id == case_id, Batch.status == BatchStatus.WITHHELD).distinct()
        )
    )
    released = session.exec(
        select(EvidenceEntry)
        .where(EvidenceEntry.case_id == case_id, EvidenceEntry.kind == f"act.{Release.act_name()}")
        .order_by(col(EvidenceEntry.number))
    ).all()
    ends = [
        WithholdingEnd(clause=entry.body["particulars"].get("clause"), by=entry.actor, at=entry.at)
        for entry in released
        if entry.body["particulars"].get("withheld", True)
    ]
    return tuple(
        WithholdingView(
            clause=row.clause,
            reason=fetch(session, row.reason_sha256).decode() if row.reason_sha256 else "",
            decided_by=row.actor,
            decided_at=row.at,
            lasts=bool(kept_back if row.clause is None else kept_back & {row.clause}),
            ended=tuple(
                end for end in ends if end.at >= row.at and (row.clause is None or end.clause in (None, row.clause))
            ),
        )
        for row in rows
    )
