"""Documents of a case's documents for families, as far as they are what a clause asks for."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session, col, select

from models.grouping import grouped
from models.tables import CaseDocument


def documents_at_hand(session: Session, case_id: UUID) -> dict[UUID, set[str]]:
    """The content elements that each agreement of a case has a document for, such as its list of students."""
    rows = session.exec(
        select(CaseDocument.agreement_id, CaseDocument.element).where(
            CaseDocument.case_id == case_id, col(CaseDocument.agreement_id).is_not(None)
        )
    ).all()
    named = [(agreement, element) for agreement, element in rows if agreement]
    return {agreement: {element for _, element in pairs} for agreement, pairs in grouped(named, _agreement).items()}


def _agreement(pair: tuple[UUID, str]) -> UUID:
    return pair[0]
