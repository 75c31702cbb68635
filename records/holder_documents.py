"""The written confirmation that an LEA gets: made once every holder has confirmed or was excused, and never before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import assert_never
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from agreements.terms import pinned_terms
from cases.certificate import CERTIFICATE_STANDARD
from cases.kind import Kind
from cases.kinds import kind_named
from ledger.actors import ENGINE
from ledger.append import append
from ledger.artifacts import store
from ledger.entries import HoldersConfirmed
from mail.verification import HolderSaid, Line, Verification, verification_pdf
from mail.wording import date_in_words, local_instant
from models import identifiers
from models.enums import HolderStatus
from models.tables import Agreement, Case, CaseAgreement, CaseDocument, HolderAnswer, HolderTask, Proposal
from records.case_context import current_facts
from records.holder_links import HOLDER
from records.holder_words import lines_of
from records.holders import contact_name, tasks_of
from terms.catalogue import load_catalogue

TITLE = "Verification of disposition of student data"


def write_confirmations(session: Session, case: Case, organisation: str, now: datetime) -> None:
    """Write the confirmation for each LEA of a case whose data every holder has disposed of, as all of them said.

    One whose data was restored and disposed of again gets another.
    """
    kind = kind_named(case.kind)
    if kind.holders_document is None:
        return
    tasks = tasks_of(session, case.id)
    for own in tasks:
        if own.owing_contact_id:
            continue  # the other side's word is its own, and not ours to write
        confirmed = own.contact_id is None and own.status is HolderStatus.CONFIRMED
        if confirmed and not _is_written(session, case.id, own, kind.holders_document):
            of_agreement = [task for task in tasks if task.agreement_id == own.agreement_id]
            _write(session, case, kind, own, of_agreement, organisation, now)


def _is_written(session: Session, case_id: UUID, own: HolderTask, element: str) -> bool:
    return (
        session.exec(
            select(CaseDocument.id).where(
                CaseDocument.case_id == case_id,
                CaseDocument.agreement_id == own.agreement_id,
                CaseDocument.element == element,
                col(CaseDocument.added_at) >= own.settled_at,
            )
        ).first()
        is not None
    )


def _write(
    session: Session,
    case: Case,
    kind: Kind,
    own: HolderTask,
    tasks: list[HolderTask],
    organisation: str,
    now: datetime,
) -> None:
    agreement = session.get_one(Agreement, own.agreement_id)
    said = _verification(session, case, kind, agreement, tasks, organisation)
    sha256 = store(session, verification_pdf(said, now), "application/pdf", now, case=case.id)
    document = CaseDocument(
        id=uuid5(case.id, f"confirmation:{own.agreement_id}:{sha256}"),
        case_id=case.id,
        agreement_id=agreement.id,
        element=kind.holders_document or "",
        file_name=f"verification-{identifiers.case_reference(case.id)}.pdf",
        content_sha256=sha256,
        added_by=ENGINE,
        added_at=now,
    )
    session.add(document)
    session.flush()
    append(
        session,
        HoldersConfirmed(
            case_id=case.id,
            actor=ENGINE,
            at=now,
            agreement=agreement.id,
            document=document.id,
            content_sha256=sha256,
        ),
    )


def _verification(
    session: Session, case: Case, kind: Kind, agreement: Agreement, tasks: list[HolderTask], organisation: str
) -> Verification:
    facts, zone = current_facts(session, case.id), ZoneInfo(agreement.time_zone)
    own = next(task for task in tasks if task.contact_id is None)
    assert own.settled_at, "it is written once the provider has confirmed"
    in_order = sorted(tasks, key=lambda task: (task.contact_id is None, contact_name(session, task) or ""))
    holders = tuple(_said_by(session, task, organisation, zone) for task in in_order)
    return Verification(
        title=TITLE,
        provider=organisation,
        about=(
            Line(label="Agreement", value=load_catalogue().form(agreement.form).standard.document.title),
            Line(label="Reference", value=agreement.reference),
            Line(label="Between", value=f"{organisation} and {agreement.lea_name}"),
            Line(label="Signed", value=date_in_words(agreement.executed_on)),
            Line(label="Our case", value=identifiers.case_reference(case.id)),
            Line(label="Standard", value=_standard(session, case, agreement)),
            Line(label="Confirmed", value=local_instant(own.settled_at, zone)),
        ),
        directed=tuple(
            Line(label=label, value=facts[name].value or "") for name, label in kind.shown.items() if name in facts
        ),
        holders=holders,
        statement=(
            f"{organisation} confirms the disposition of this data as each holder above has said "
            "it. What is named there as not confirmed, as held by nobody or as still lying in backups is no part of "
            "that. Each word is kept as it was given, under the SHA-256 in the file attached to this document."
        ),
    )


def _standard(session: Session, case: Case, agreement: Agreement) -> str:
    """The standard of which the certificates have the fields, and the one that the agreement names."""
    pinned = session.get_one(CaseAgreement, (case.id, agreement.id)).terms_hash
    named = pinned_terms(session, case.id)[pinned].sanitization if pinned else None
    return f"{CERTIFICATE_STANDARD}; the agreement names {named}" if named else CERTIFICATE_STANDARD


def _said_by(session: Session, task: HolderTask, organisation: str, zone: ZoneInfo) -> HolderSaid:
    name = contact_name(session, task) or organisation
    held = (Line(label="Holds", value=task.data),) if task.data else ()
    assert task.settled_at, "nobody's answer is awaited any more"
    at = local_instant(task.settled_at, zone)
    answer = session.exec(
        select(HolderAnswer).where(HolderAnswer.task_id == task.id, col(HolderAnswer.superseded_at).is_(None))
    ).first()
    match task.status:
        case HolderStatus.CONFIRMED:
            assert answer, "a confirmation is an answer"
            by = "by its own link" if answer.given_by == HOLDER else f"as {answer.given_by} recorded its word"
            said = (*held, *_too_early(answer), *lines_of(session, answer))
            return HolderSaid(name=name, how=f"Certified {by}, {at}.", said=said, said_sha256=answer.said_sha256)
        case HolderStatus.HOLDS_NOTHING:
            assert answer, "an officer accepted what it said"
            how = f"Says that it holds none of the data; {answer.decided_by} accepted that, {at}."
            said = (*held, *lines_of(session, answer))
            return HolderSaid(name=name, how=how, said=said, said_sha256=answer.said_sha256)
        case HolderStatus.WAIVED:
            return HolderSaid(name=name, how=f"NOT CONFIRMED. {_waiver(session, task)}, {at}.", said=held)
        case HolderStatus.OPEN | HolderStatus.ANSWERED | HolderStatus.WITHDRAWN:
            raise ValueError("something is awaited from a holder still")
        case _:
            assert_never(task.status)


def _too_early(answer: HolderAnswer) -> Iterator[Line]:
    """What is said of data that went before it might: the LEA reads it, whoever it is about."""
    if answer.early:
        yield Line(label="Too early", value="Before the first day that the prior notice allowed.")


def _waiver(session: Session, task: HolderTask) -> str:
    proposal = session.exec(
        select(Proposal).where(Proposal.task_id == task.id, col(Proposal.approved).is_(True))
    ).first()
    if proposal is None:
        return "Nobody waits for it any more"
    return f"{proposal.proposed_by} and {proposal.decided_by} decided that nobody waits for it"
