"""Opening and closing a case in SQL, with the evidence of it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select

from cases.messages import CaseSummary
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import CaseClosed
from models.enums import CaseStatus
from models.tables import Case, Duty
from records.summary import summarise


def close_case(session: Session, case_id: UUID, now: datetime) -> CaseSummary:
    case = session.get_one(Case, case_id)
    if case.status is not CaseStatus.DISMISSED:
        case.status = CaseStatus.CLOSED
    case.closed_at = case.closed_at or now
    session.add(case)
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
        ),
    )
    return summarise(session, case_id)
