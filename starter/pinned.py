"""The terms that a case pinned, and what its agreements are: what kits and costs depend on."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from sqlmodel import Session, col, select

from models.errors import InvalidInput, NotFound
from models.tables import Agreement, Case, CaseAgreement, TermsSnapshot
from terms.effective import EffectiveClause, EffectiveTerms


def require_case(session: Session, case_id: UUID) -> Case:
    """The case of this id.

    Raises:
        NotFound: there is none.
    """
    case = session.get(Case, case_id)
    if case is None:
        raise NotFound(f"There is no case {case_id}.", next_step="Choose one from the list of cases.")
    return case


def agreement_in_scope(session: Session, case_id: UUID, reference: str) -> tuple[Agreement, str | None]:
    """The agreement of this reference, and the hash of the terms that the case pinned for it.

    Raises:
        InvalidInput: it is not in the case's scope.
    """
    found = session.exec(
        select(Agreement, CaseAgreement.terms_hash)
        .join(CaseAgreement, col(CaseAgreement.agreement_id) == col(Agreement.id))
        .where(CaseAgreement.case_id == case_id, Agreement.reference == reference)
    ).one_or_none()
    if found is None:
        raise InvalidInput(
            f"The case touches no agreement {reference}.",
            where="agreement",
            next_step="Give the reference of one that it touches.",
        )
    return found


def pinned_clauses(session: Session, case: Case) -> dict[str, tuple[EffectiveClause, ...]]:
    """By the hash of each terms that the case pinned: their clauses about the case's matter."""
    pinned = select(CaseAgreement).where(
        CaseAgreement.case_id == case.id, col(CaseAgreement.terms_hash) == col(TermsSnapshot.hash)
    )
    snapshots = session.exec(select(TermsSnapshot.hash, TermsSnapshot.body).where(pinned.exists()))
    return {terms_hash: _clauses(body, case.kind.value) for terms_hash, body in snapshots}


def clauses_of_agreement(session: Session, case_id: UUID, agreement_id: UUID) -> tuple[EffectiveClause, ...]:
    """The clauses about a case's matter under the terms that the case pinned for one agreement; none before that."""
    found = session.exec(
        select(TermsSnapshot.body, Case.kind)
        .select_from(CaseAgreement)
        .join(TermsSnapshot, col(TermsSnapshot.hash) == col(CaseAgreement.terms_hash))
        .join(Case, col(Case.id) == col(CaseAgreement.case_id))
        .where(CaseAgreement.case_id == case_id, CaseAgreement.agreement_id == agreement_id)
    ).one_or_none()
    return _clauses(found[0], found[1]) if found else ()


@lru_cache(maxsize=256)
def _clauses(snapshot: bytes, event: str) -> tuple[EffectiveClause, ...]:
    terms = EffectiveTerms.from_snapshot(snapshot)
    return tuple(clause for clause in terms.clauses.values() if clause.event == event)
