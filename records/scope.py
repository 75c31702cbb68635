"""The agreements that a case touches, and the terms that it pinned for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam
from sqlmodel import Session, col, select, update

from agreements.terms import exhibit_h_changes, pinned_terms, terms_named
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import NAMED_IN_ONE, TermsPinned
from models.bulk import among, insert_rows, table_of
from models.enums import ContactRole
from models.errors import InvalidFields, InvalidInput, NotFound, Refused
from models.grouping import KEYS_A_QUERY, parts
from models.tables import Agreement, AgreementContact, Case, CaseAgreement, TermsSnapshot
from terms.catalogue import Catalogue
from terms.effective import Amendment, EffectiveClause, EffectiveTerms, effective_terms


@dataclass(frozen=True)
class AgreementFilter:
    """Which agreements to read: those whose name or reference holds ``find``, of one state or form if given."""

    find: str = ""
    state: str = ""
    form: str = ""

    def conditions(self) -> list[ColumnElement[bool]]:
        """The conditions as SQL."""
        conditions: list[ColumnElement[bool]] = []
        if self.find:
            named = col(Agreement.lea_name).icontains(self.find, autoescape=True)
            conditions.append(named | col(Agreement.reference).icontains(self.find, autoescape=True))
        if self.state:
            conditions.append(col(Agreement.state) == self.state)
        if self.form:
            conditions.append(col(Agreement.form) == self.form)
        return conditions


EVERY_AGREEMENT = AgreementFilter()


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
    return {name: _clauses(terms, case.event) for name, terms in sorted(pinned_terms(session, case.id).items())}


def clauses_of_agreement(session: Session, case_id: UUID, agreement_id: UUID) -> tuple[EffectiveClause, ...]:
    """The clauses about a case's matter under the terms that the case pinned for one agreement; none before that."""
    found = session.exec(
        select(CaseAgreement.terms_hash, Case.event)
        .join(Case, col(Case.id) == col(CaseAgreement.case_id))
        .where(CaseAgreement.case_id == case_id, CaseAgreement.agreement_id == agreement_id)
    ).one_or_none()
    if found is None or found[0] is None:
        return ()
    terms_hash, event = found
    return _clauses(terms_named(session, [terms_hash])[terms_hash], event)


def _clauses(terms: EffectiveTerms, event: str) -> tuple[EffectiveClause, ...]:
    return tuple(clause for clause in terms.clauses.values() if clause.event == event)


def unpin_terms(session: Session, case_id: UUID) -> None:
    """Let go of the terms pinned for a case, so that those in force now can be pinned."""
    session.execute(update(CaseAgreement).where(col(CaseAgreement.case_id) == case_id).values(terms_hash=None))


def pin_terms(session: Session, catalogue: Catalogue, case_id: UUID, now: datetime) -> None:
    """Give every agreement of the case that has none yet the terms in force for it on this day.

    Agreements with equal terms share one snapshot, stored under its hash.
    """
    rows = session.exec(
        select(Agreement.id, Agreement.form, Agreement.state, Agreement.choices)
        .join(CaseAgreement, col(CaseAgreement.agreement_id) == col(Agreement.id))
        .where(CaseAgreement.case_id == case_id, col(CaseAgreement.terms_hash).is_(None))
    )
    unpinned = [AgreedOn(*row) for row in rows]
    hashes: dict[str, list[UUID]] = {}
    for agreement_id, terms in terms_in_force(session, catalogue, unpinned, now.date()).items():
        if terms.hash not in hashes:
            _keep_snapshot(session, terms, now)
        hashes.setdefault(terms.hash, []).append(agreement_id)
    for terms_hash, agreements in hashes.items():
        _pin(session, case_id, terms_hash, agreements, now)


class AgreedOn(NamedTuple):
    """What the terms of an agreement follow from, besides changes that its parties made."""

    id: UUID
    form: str
    state: str
    choices: Sequence[str]


def terms_in_force(
    session: Session, catalogue: Catalogue, agreements: Sequence[Agreement | AgreedOn], on: date
) -> dict[UUID, EffectiveTerms]:
    """The terms in force for each of some agreements on a day.

    Agreements with the same form, state, choices and Exhibit H changes share theirs.
    """
    changes = exhibit_h_changes(session, [agreement.id for agreement in agreements])
    known: dict[tuple[str, str, tuple[Amendment, ...], tuple[str, ...]], EffectiveTerms] = {}
    found: dict[UUID, EffectiveTerms] = {}
    for agreement in agreements:
        key = (agreement.form, agreement.state, changes.get(agreement.id, ()), tuple(agreement.choices))
        if key not in known:
            form, state, amendments, choices = key
            known[key] = effective_terms(catalogue, form, state, amendments=amendments, choices=choices, on=on)
        found[agreement.id] = known[key]
    return found


def _keep_snapshot(session: Session, terms: EffectiveTerms, now: datetime) -> None:
    if session.get(TermsSnapshot, terms.hash) is None:
        session.add(
            TermsSnapshot(hash=terms.hash, form=terms.form, state=terms.state or "", body=terms.snapshot, taken_at=now)
        )
        session.flush()


_SCOPE = table_of(CaseAgreement)
_PIN = (
    update(_SCOPE)
    .where(_SCOPE.c.case_id == bindparam("case"), among(_SCOPE.c.agreement_id, "some"))
    .values(terms_hash=bindparam("pinned"))
)


def _pin(session: Session, case_id: UUID, terms_hash: str, agreements: list[UUID], now: datetime) -> None:
    for some in parts(agreements, KEYS_A_QUERY):
        session.execute(_PIN, {"case": case_id, "some": some, "pinned": terms_hash})
    append(
        session,
        *(
            TermsPinned(case_id=case_id, actor=ENGINE, at=now, terms_hash=terms_hash, agreements=tuple(some))
            for some in parts(agreements, NAMED_IN_ONE)
        ),
    )


def affected_agreements(session: Session, references: Iterable[str], *, where: str = "agreements") -> list[UUID]:
    """The ids of the agreements named, each once.

    Raises:
        InvalidFields: a reference is unknown, or nobody can be written to under it.
    """
    wanted = set(references)
    found: dict[str, UUID] = {}
    reachable: set[UUID] = set()
    for some in parts(sorted(wanted), KEYS_A_QUERY):
        rows = session.exec(select(Agreement.reference, Agreement.id).where(col(Agreement.reference).in_(some)))
        these = dict(rows.all())
        found |= these
        reachable |= set(
            session.exec(
                select(Agreement.id)
                .join(AgreementContact, col(AgreementContact.agreement_id) == col(Agreement.id))
                .where(col(Agreement.id).in_(these.values()))
                .where(AgreementContact.role != ContactRole.COPY_TO, col(AgreementContact.case_id).is_(None))
                .distinct()
            )
        )
    problems = [
        InvalidInput(f"There is no agreement {reference}.", where=where, next_step="Import it first.")
        for reference in sorted(wanted - set(found))
    ]
    problems += [
        InvalidInput(
            f"Agreement {reference} names no contact, so its LEA cannot be told.",
            where=where,
            next_step="Import the agreement again with a general contact.",
        )
        for reference, agreement in sorted(found.items())
        if agreement not in reachable
    ]
    if problems:
        raise InvalidFields(tuple(problems))
    return sorted(found.values())


def extend_scope(session: Session, case_id: UUID, references: Iterable[str], now: datetime) -> list[UUID]:
    """Add agreements to a case; return their ids.

    Raises: as ``agreements_to_add``.
    """
    agreements = agreements_to_add(session, case_id, references)
    add_to_scope(session, case_id, agreements, now)
    return agreements


def add_to_scope(session: Session, case_id: UUID, agreements: Iterable[UUID], now: datetime) -> None:
    """Note that a case touches some agreements, whose terms are not pinned yet."""
    rows = [{"case_id": case_id, "agreement_id": agreement, "added_at": now} for agreement in agreements]
    insert_rows(session, CaseAgreement, rows)


def agreements_to_add(session: Session, case_id: UUID, references: Iterable[str]) -> list[UUID]:
    """The ids of agreements that could be added to a case.

    Raises:
        InvalidFields: one of them is unknown, or nobody can be written to under it.
        InvalidInput: none is named.
        Refused: one of them is in the case already.
    """
    agreements = affected_agreements(session, references)
    if not agreements:
        raise InvalidInput(
            "This names no agreement that could be added.",
            where="agreements",
            next_step="Give references, or a state or form of which agreements are not in the case yet.",
        )
    there = set(session.exec(select(CaseAgreement.agreement_id).where(CaseAgreement.case_id == case_id)))
    if again := there.intersection(agreements):
        raise Refused(
            f"{len(again)} of these agreements are in this case already.",
            where="agreements",
            next_step="Leave them out.",
        )
    return agreements


def references_to_add(session: Session, case_id: UUID, which: AgreementFilter) -> tuple[str, ...]:
    """The references of the matching agreements that a case does not touch yet."""
    there = select(CaseAgreement.agreement_id).where(CaseAgreement.case_id == case_id)
    return tuple(
        session.exec(
            select(Agreement.reference)
            .where(*which.conditions(), col(Agreement.id).not_in(there))
            .order_by(col(Agreement.reference))
        )
    )
