"""Whom a case writes to besides the sides of its agreements, and what it passes on to its LEAs of what was reported."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID, uuid5

from sqlmodel import Session, select

from cases.intake import Intake, Person
from cases.kinds import kind_named
from ledger.actors import ENGINE
from ledger.append import append
from ledger.artifacts import store
from ledger.entries import DocumentAdded
from mail.facts import checked_address, clean_line
from models import identifiers
from models.enums import ContactRole
from models.errors import InvalidInput
from models.tables import AgreementContact, Case, CaseAgreement, CaseDocument
from records.case_context import current_facts
from records.documents_at_hand import documents_at_hand
from records.file_types import TEXT


def contact_problems(intake: Intake) -> Iterator[InvalidInput]:
    """Say which of those whom an intake names cannot be written to."""
    for where in intake.writes_to.values():
        person: Person = getattr(intake, where)
        try:
            checked_address(person.email, where=f"{where}.email")
        except InvalidInput as problem:
            yield problem


def contacts_of(intake: Intake, case_id: UUID | None) -> list[AgreementContact]:
    """Those whom an intake names and its case writes to; without a case, as they would be."""
    found = []
    for party, where in intake.writes_to.items():
        person: Person = getattr(intake, where)
        found.append(
            AgreementContact(
                id=uuid5(case_id or identifiers.NAMESPACE, f"party:{party}"),
                case_id=case_id,
                party=party,
                role=ContactRole.GENERAL,
                name=clean_line(person.name),
                email=person.email,
            )
        )
    return found


def pass_on(session: Session, case: Case, now: datetime) -> None:
    """Put what was reported behind the link of each LEA of a case whose kind passes it on, once."""
    kind = kind_named(case.kind)
    if kind.passes_on is None:
        return
    there = documents_at_hand(session, case.id)
    agreements = session.exec(select(CaseAgreement.agreement_id).where(CaseAgreement.case_id == case.id)).all()
    missing = [key for key in agreements if kind.passes_on not in there.of(key)]
    facts = current_facts(session, case.id) if missing else {}
    said = "\n\n".join(f"{label}:\n{facts[name].value}" for name, label in kind.shown.items() if name in facts)
    for agreement_id in missing:
        sha256 = store(session, f"{said}\n".encode(), TEXT.media_type, now, case=case.id)
        document = CaseDocument(
            id=uuid5(case.id, f"passed-on:{agreement_id}"),
            case_id=case.id,
            agreement_id=agreement_id,
            element=kind.passes_on,
            file_name=f"request-{identifiers.case_reference(case.id)}.txt",
            content_sha256=sha256,
            added_by=ENGINE,
            added_at=now,
        )
        session.add(document)
        session.flush()
        added = DocumentAdded(
            case_id=case.id,
            actor=ENGINE,
            at=now,
            document_id=document.id,
            element=document.element,
            agreement=agreement_id,
            content_sha256=sha256,
        )
        append(session, added)
