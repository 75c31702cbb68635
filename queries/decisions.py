"""What people decided about a case: holds, notices withheld, and what they are asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, func, select

from cases.acts import Release
from ledger.artifacts import text_of
from ledger.entries import WithholdingLapsed
from models.enums import BatchStatus
from models.tables import Agreement, Batch, Case, EvidenceEntry, LawEnforcementHold, Proposal, Withholding
from queries.views import HoldView, QuestionView, WithholdingEnd, WithholdingView
from records.duties import asked_dates
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
                decided=text_of(session, decision.decided_sha256) if decision else None,
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
                particulars=text_of(session, hold.particulars_sha256),
                ended_at=ends if ends and ends <= now else None,
                **hold.model_dump(exclude={"case_id", "agreement_id", "particulars_sha256", "lifted_at"}),
            )
        )
    return tuple(views)


def withholdings_of(session: Session, case_id: UUID) -> tuple[WithholdingView, ...]:
    """Every decision to withhold notices, with whoever ended it, or that it lapsed, as evidence tells it."""
    rows = session.exec(
        select(Withholding).where(Withholding.case_id == case_id).order_by(col(Withholding.decided_at))
    ).all()
    by_two = (Proposal.case_id == case_id, col(Proposal.approved).is_(True))
    approved: dict[UUID | None, str | None] = dict(
        session.exec(select(Proposal.id, Proposal.decided_by).where(*by_two)).all()
    )
    lapses: dict[UUID | None, datetime | None] = dict(
        session.exec(
            select(Batch.withheld_under, func.min(col(Batch.last_safe_at)))
            .where(Batch.case_id == case_id, Batch.status == BatchStatus.WITHHELD)
            .group_by(col(Batch.withheld_under))
        ).all()
    )
    ends = _withholding_ends(session, case_id)
    views = []
    for row in rows:
        views.append(
            WithholdingView(
                clause=row.clause,
                reason=text_of(session, row.reason_sha256),
                decided_by=row.decided_by,
                decided_at=row.decided_at,
                proposal_id=row.proposal_id,
                approved_by=approved.get(row.proposal_id),
                lapses_at=None if row.proposal_id in approved else lapses.get(row.id),
                lasts=row.id in lapses,
                ended=tuple(ends[str(row.id)]),
            )
        )
    return tuple(views)


def _withholding_ends(session: Session, case_id: UUID) -> dict[str, list[WithholdingEnd]]:
    """How each decision to withhold ended, by its id: the releases that name it, and where it lapsed."""
    entries = session.exec(
        select(EvidenceEntry)
        .where(EvidenceEntry.case_id == case_id)
        .where(col(EvidenceEntry.kind).in_((f"act.{Release.act_name()}", WithholdingLapsed.kind)))
        .order_by(col(EvidenceEntry.number))
    )
    found: dict[str, list[WithholdingEnd]] = defaultdict(list)
    for entry in entries:
        if entry.kind == WithholdingLapsed.kind:
            found[entry.subject or ""].append(WithholdingEnd(clause=entry.body["clause"], by=None, at=entry.at))
            continue
        particulars = entry.body["particulars"]
        for decision in particulars.get("withholdings", ()):
            end = WithholdingEnd(clause=particulars.get("clause"), by=entry.actor, at=entry.at)
            found[decision].append(end)
    return found
