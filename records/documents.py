"""What an LEA needs to tell families: facts, documents, and the list of its own students.

It is reached through the link of a notice, and never travels in a mail. A list that names students belongs to one LEA
and is shown to no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from cases.kinds import kind_named
from cases.values import AnchorValue
from config.database import Database
from ledger.append import append
from ledger.artifacts import fetch, media_type_of, store
from ledger.entries import DocumentAdded, DocumentFetched, DocumentWithdrawn
from mail.contents import said_of
from mail.default_texts import DefaultTexts, load_default_texts
from mail.facts import ElementStatus, Sender
from models import identifiers
from models.enums import FactStatus, Party
from models.errors import InvalidFields, InvalidInput, NotFound
from models.tables import Agreement, Artifact, Case, CaseDocument, Notice
from models.view import View
from records.anchors import current_anchors
from records.answers import LinkedNotice
from records.case_context import current_facts
from records.cases import note_change
from records.scope import agreement_in_scope, clauses_of_agreement, pinned_clauses, require_case
from records.uploads import UploadedFile
from terms.catalogue import Catalogue
from terms.effective import EffectiveClause

GENERAL = "general"
"""What a document is that no clause asks for by name: letters, translations, answers to expect. Only such a document
can be for every LEA of a case."""

GENERAL_LABEL = "Material for families"

_DOCUMENT, _FACT, _ANCHOR = "artifact", "fact", "anchor"
"""The kinds of source (``config/clauses/contents.yaml``) that they draw on."""


@dataclass(frozen=True)
class NewDocument:
    """A file for families: what it is, and the reference of the agreement that it is for, or None for all."""

    file: UploadedFile
    element: str
    agreement: str | None


class DocumentView(View):
    """One document for families; ``lea_name`` is None where it is for every LEA of the case."""

    id: UUID
    file_name: str
    element: str
    label: str
    lea_name: str | None
    size: int
    added_by: str
    added_at: datetime


class DocumentsView(View):
    """A case's documents for families, for its officer: ``elements`` are what one can be, by id, with their labels."""

    elements: dict[str, str]
    documents: tuple[DocumentView, ...]
    total: int


class FamilyFact(View):
    """One fact that families are to be told: its text, its date, or that it could not be determined."""

    label: str
    status: FactStatus
    value: str | None = None
    anchor: AnchorValue | None = None


def add_documents(
    database: Database, case_id: UUID, documents: Sequence[NewDocument], *, actor: str, now: datetime
) -> int:
    """Keep documents for a case, all or none, with evidence; return how many were new.

    Raises:
        NotFound: there is no such case.
        InvalidFields: a document is nothing that the terms know, names no agreement though it must, or names one that
            the case does not touch.
    """
    with database.writing() as session:
        case = require_case(session, case_id)
        elements = _elements_by_terms(session, case)
        problems: list[InvalidInput] = []
        rows: dict[UUID, CaseDocument] = {}
        for document in documents:
            try:
                agreement_id = _checked_agreement(session, case, document, elements)
            except InvalidInput as problem:
                problems.append(problem)
                continue
            file = document.file
            row = _kept(session, case_id, agreement_id, document.element, file, actor, now)
            rows[row.id] = row
        if problems:
            raise InvalidFields(tuple(problems))
        for known in session.exec(select(CaseDocument.id).where(CaseDocument.case_id == case_id)):
            rows.pop(known, None)
        session.add_all(rows.values())
        append(session, *(_event(DocumentAdded, row, actor, now) for row in rows.values()))
        if rows:
            note_change(session, case_id, now)
        return len(rows)


def keep_for_all(
    session: Session, case_id: UUID, element: str, file: UploadedFile, *, actor: str, now: datetime
) -> CaseDocument:
    """Keep a document that every LEA of a case may fetch, with evidence; the same again is kept once.

    What it is was checked by whoever has it kept.
    """
    document = _kept(session, case_id, None, element, file, actor, now)
    if known := session.get(CaseDocument, document.id):
        return known
    session.add(document)
    session.flush()
    append(session, _event(DocumentAdded, document, actor, now))
    return document


def _kept(
    session: Session,
    case_id: UUID,
    agreement_id: UUID | None,
    element: str,
    file: UploadedFile,
    actor: str,
    now: datetime,
) -> CaseDocument:
    """The row of a document whose content is kept; the same document of the same LEA has one id."""
    sha256 = store(session, file.content, file.media_type, now, case=case_id)
    return CaseDocument(
        id=uuid5(case_id, f"document:{element}:{agreement_id}:{sha256}"),
        case_id=case_id,
        agreement_id=agreement_id,
        element=element,
        file_name=file.name,
        content_sha256=sha256,
        added_by=actor,
        added_at=now,
    )


def _checked_agreement(
    session: Session, case: Case, document: NewDocument, elements: dict[str, dict[str, str]]
) -> UUID | None:
    """The agreement that a document is for; None for all."""
    if document.agreement:
        agreement, terms_hash = agreement_in_scope(session, case.id, document.agreement)
        asked, agreement_id = elements.get(terms_hash or "", {}), agreement.id
    else:
        asked, agreement_id = _together(elements.values()), None
    if document.element == GENERAL:
        return agreement_id
    if says := kind_named(case.kind).only_by.get(document.element):
        raise InvalidInput(says, where="element", next_step="Look at the case's page.")
    if document.element not in asked:
        raise InvalidInput(
            f"The terms ask for no document {document.element}.",
            where="element",
            next_step=f"It can be one of: {', '.join((GENERAL, *asked))}.",
        )
    if agreement_id is None:
        raise InvalidInput(
            f"{asked[document.element]}: such a document tells of one LEA's students, so it cannot be for all.",
            where="agreement",
            next_step="Give the reference of the agreement that it is for.",
        )
    return agreement_id


def withdraw_document(database: Database, case_id: UUID, document_id: UUID, *, actor: str, now: datetime) -> None:
    """Withdraw a document for families, so that no link leads to it any more; the evidence of it stays.

    Raises:
        NotFound: the case has no such document.
    """
    with database.writing() as session:
        document = _document(session, case_id, document_id)
        append(session, _event(DocumentWithdrawn, document, actor, now))
        session.delete(document)
        note_change(session, case_id, now)


def read_documents(database: Database, case_id: UUID, *, listed: int | None = None) -> DocumentsView:
    """A case's documents for families, at most ``listed`` documents, those for all LEAs first.

    Raises:
        NotFound: there is no such case.
    """
    with database.reading() as session:
        case = require_case(session, case_id)
        elements = {GENERAL: GENERAL_LABEL, **_together(_elements_by_terms(session, case).values())}
        total = session.exec(
            select(func.count()).select_from(CaseDocument).where(CaseDocument.case_id == case_id)
        ).one()
        documents = _documents(session, elements, CaseDocument.case_id == case_id, listed=listed)
        return DocumentsView(elements=elements, documents=documents, total=total)


def read_document(database: Database, case_id: UUID, document_id: UUID) -> UploadedFile:
    """One document of a case's documents for families, for its officer.

    Raises:
        NotFound: the case has no such document.
    """
    with database.reading() as session:
        document = _document(session, case_id, document_id)
        return _file(session, document)


def read_lea_documents(database: Database, catalogue: Catalogue, notice: LinkedNotice) -> tuple[DocumentView, ...]:
    """The documents that the holder of a notice's link may fetch: those for its LEA, and those for all."""
    labels = {element: text.label for element, text in catalogue.words.contents.items()}
    of_case, agreement = CaseDocument.case_id == notice.case_id, col(CaseDocument.agreement_id)
    with database.reading() as session:
        # Two questions, since SQLite answers one with OR by reading the documents of every LEA.
        return tuple(
            document
            for whom in (agreement.is_(None), agreement == notice.agreement_id)
            for document in _documents(session, {GENERAL: GENERAL_LABEL, **labels}, of_case, whom)
        )


def read_lea_facts(
    database: Database, notice: LinkedNotice, sender: Sender, texts: DefaultTexts | None = None
) -> tuple[FamilyFact, ...]:
    """The facts that the holder of a notice's link may pass on: what the notices gave that LEA, as it is known now.

    What waits to be released is not among them. Where the case knows nothing, the default texts of the LEA's state are,
    as ``sender`` gives them.
    """
    with database.reading() as session:
        clauses = clauses_of_agreement(session, notice.case_id, notice.agreement_id)
        return tuple(_family_facts(session, notice, clauses, sender, texts or load_default_texts()))


def fetch_document(
    database: Database, notice: LinkedNotice, document_id: UUID, *, actor: str, now: datetime
) -> UploadedFile:
    """One document of the documents for families for the holder of a notice's link, with evidence that it was fetched.

    Raises:
        NotFound: the documents of that LEA has no such document.
    """
    with database.writing() as session:
        document = _document(session, notice.case_id, document_id)
        if document.agreement_id not in (None, notice.agreement_id):
            raise _no_document()
        fetched = DocumentFetched(
            case_id=document.case_id,
            actor=actor,
            at=now,
            document_id=document.id,
            element=document.element,
            agreement=document.agreement_id,
            content_sha256=document.content_sha256,
            notice=notice.id,
        )
        append(session, fetched)
        return _file(session, document)


def _file(session: Session, document: CaseDocument) -> UploadedFile:
    """A document with what its bytes were found to be when it was added."""
    media_type = media_type_of(session, document.content_sha256)
    return UploadedFile(document.file_name, fetch(session, document.content_sha256), media_type)


def _document(session: Session, case_id: UUID, document_id: UUID) -> CaseDocument:
    document = session.get(CaseDocument, document_id)
    if document is None or document.case_id != case_id:
        raise _no_document()
    return document


def _no_document() -> NotFound:
    return NotFound("There is no such document here.", next_step="Reload the page, and choose one that it lists.")


def _documents(
    session: Session, labels: dict[str, str], *which: ColumnElement[bool] | bool, listed: int | None = None
) -> tuple[DocumentView, ...]:
    rows = session.exec(
        select(CaseDocument, Agreement.lea_name, Artifact.size)
        .join(Artifact, col(Artifact.sha256) == col(CaseDocument.content_sha256))
        .outerjoin(Agreement, col(Agreement.id) == col(CaseDocument.agreement_id))
        .where(*which)
        .order_by(col(CaseDocument.agreement_id).is_not(None), col(Agreement.lea_name), col(CaseDocument.added_at))
        .limit(listed)
    )
    return tuple(
        DocumentView(
            label=labels.get(document.element, document.element),
            lea_name=lea_name,
            size=size,
            **document.model_dump(include={"id", "file_name", "element", "added_by", "added_at"}),
        )
        for document, lea_name, size in rows
    )


def _family_facts(
    session: Session, notice: LinkedNotice, clauses: Sequence[EffectiveClause], sender: Sender, texts: DefaultTexts
) -> Iterable[FamilyFact]:
    duties = [identifiers.duty_id(notice.case_id, notice.agreement_id, clause.id) for clause in clauses]
    given = session.exec(select(Notice.given).where(col(Notice.duty_id).in_(duties), col(Notice.given_at).is_not(None)))
    told = {element for some in given for element in some}
    contents = {element.id: element for clause in clauses for element in clause.notice_contents if element.id in told}
    facts, anchors = current_facts(session, notice.case_id), current_anchors(session, notice.case_id)
    default_texts = texts.of(session.get_one(Agreement, notice.agreement_id).state)
    for element in contents.values():
        kind, _, name = element.source.partition(":")
        if kind == _FACT:
            status, value = said_of(facts.get(name), default_texts.get(element.id), sender)
            if value or status is ElementStatus.IMPOSSIBLE:
                known = FactStatus.KNOWN if status is not ElementStatus.IMPOSSIBLE else FactStatus.IMPOSSIBLE
                yield FamilyFact(label=element.label, status=known, value=value)
        if kind == _ANCHOR and (anchor := anchors.get(name)):
            yield FamilyFact(label=element.label, status=FactStatus.KNOWN, anchor=anchor)


def _elements_by_terms(session: Session, case: Case) -> dict[str, dict[str, str]]:
    """By hash of terms: the documents that the provider must give under them, by element with their labels."""
    return {
        terms_hash: {
            element.id: element.label
            for clause in clauses
            if clause.owed_by == Party.PROVIDER.value
            for element in clause.contents
            if element.source.startswith(f"{_DOCUMENT}:")
        }
        for terms_hash, clauses in pinned_clauses(session, case).items()
    }


def _together(elements: Iterable[dict[str, str]]) -> dict[str, str]:
    return {element: label for some in elements for element, label in some.items()}


def _event(
    of: type[DocumentAdded | DocumentWithdrawn], document: CaseDocument, actor: str, now: datetime
) -> DocumentAdded | DocumentWithdrawn:
    return of(
        case_id=document.case_id,
        actor=actor,
        at=now,
        document_id=document.id,
        element=document.element,
        agreement=document.agreement_id,
        content_sha256=document.content_sha256,
    )
