"""Documents of a case's documents for families, as far as they are what a clause asks for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlmodel import Session, select

from models.tables import CaseDocument


@dataclass(frozen=True)
class DocumentsAtHand:
    """The content elements for which there is a document: for ``all`` LEAs of a case, and for one by agreement."""

    all: frozenset[str] = frozenset()
    single: Mapping[UUID, frozenset[str]] = field(default_factory=dict)

    def of(self, agreement_id: UUID) -> frozenset[str]:
        """Those for which the LEA of an agreement has a document."""
        return self.all | self.single.get(agreement_id, frozenset())


NO_DOCUMENT = DocumentsAtHand()


def documents_at_hand(session: Session, case_id: UUID) -> DocumentsAtHand:
    """The content elements that a case has documents for, such as each LEA's list of its students."""
    found: dict[UUID | None, set[str]] = defaultdict(set)
    documents = select(CaseDocument.agreement_id, CaseDocument.element).where(CaseDocument.case_id == case_id)
    for agreement_id, element in session.exec(documents):
        found[agreement_id].add(element)
    single = {key: frozenset(elements) for key, elements in found.items() if key}
    return DocumentsAtHand(frozenset(found[None]), single)
