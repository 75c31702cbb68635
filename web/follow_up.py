"""What follows a notice: an officer reads answers, adds documents for families, and records costs."""

from __future__ import annotations

import asyncio
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from models.enums import Reading
from models.errors import DuenoticeError, InvalidInput
from records.answers import adopt_contact, settle_answer
from records.costs import read_receipt, record_cost
from records.documents import NewDocument, add_documents, read_document, withdraw_document
from web.cases import show_refusal
from web.files import attachment, files_of
from web.site import OWN_FORM, CheckedForm, SignedIn, TheSite, id_of, text_of
from web.told import back_to

router = APIRouter(prefix="/cases/{case_id}", include_in_schema=False)


@router.post("/answers/{answer_id}/adopt", dependencies=[OWN_FORM])
async def adopt(request: Request, site: TheSite, session: SignedIn, case_id: UUID, answer_id: UUID) -> Response:
    """Take a contact that an LEA named into its agreement."""
    try:
        await asyncio.to_thread(
            adopt_contact, site.resources.database, case_id, answer_id, actor=session.actor, now=site.clock()
        )
        await site.service.look_again(case_id)  # a notice that nobody took can be given now
    except DuenoticeError as error:
        return await show_refusal(request, site, case_id, error)
    return back_to(case_id, "adopted")


@router.post("/answers/{answer_id}/settle", dependencies=[OWN_FORM])
async def settle(request: Request, site: TheSite, session: SignedIn, case_id: UUID, answer_id: UUID) -> Response:
    """Note that an answer was dealt with."""
    try:
        await asyncio.to_thread(
            settle_answer, site.resources.database, case_id, answer_id, actor=session.actor, now=site.clock()
        )
    except DuenoticeError as error:
        return await show_refusal(request, site, case_id, error)
    return back_to(case_id, "settled")


@router.post("/documents")
async def add_to_documents(
    request: Request, site: TheSite, session: SignedIn, case_id: UUID, form: CheckedForm
) -> Response:
    """Add files to the documents for families, for one LEA or for all."""
    try:
        files = await files_of(form, "file")
        if not files:
            raise InvalidInput("No file is chosen.", where="file", next_step="Choose one or more.")
        agreement = text_of(form, "agreement") or None
        documents = [NewDocument(file, text_of(form, "element"), agreement) for file in files]
        await asyncio.to_thread(
            add_documents, site.resources.database, case_id, documents, actor=session.actor, now=site.clock()
        )
        await site.service.look_again(case_id)
    except DuenoticeError as error:
        return await show_refusal(request, site, case_id, error)
    return back_to(case_id, "documents")


@router.get("/documents/{document_id}")
def document(site: TheSite, session: SignedIn, case_id: UUID, document_id: UUID) -> Response:
    """One document of the documents for families, as it was uploaded."""
    file = read_document(site.resources.database, case_id, document_id)
    site.note_read(session, case_id, Reading.DOCUMENT, document_id, file.content)
    return attachment(file)


@router.post("/documents/{document_id}/withdraw", dependencies=[OWN_FORM])
async def withdraw(request: Request, site: TheSite, session: SignedIn, case_id: UUID, document_id: UUID) -> Response:
    """Take a document out of the documents for families."""
    try:
        await asyncio.to_thread(
            withdraw_document, site.resources.database, case_id, document_id, actor=session.actor, now=site.clock()
        )
    except DuenoticeError as error:
        return await show_refusal(request, site, case_id, error)
    return back_to(case_id, "withdrawn")


@router.post("/costs")
async def add_cost(request: Request, site: TheSite, session: SignedIn, case_id: UUID, form: CheckedForm) -> Response:
    """Record an amount with its receipt; the page's form has an id, so that a second click records nothing more."""
    try:
        receipts = await files_of(form, "receipt")
        await asyncio.to_thread(
            record_cost,
            site.resources.database,
            case_id,
            id_of(text_of(form, "cost_id")),
            agreement=text_of(form, "agreement"),
            amount=text_of(form, "amount"),
            note=text_of(form, "note"),
            receipt=receipts[0] if receipts else None,
            actor=session.actor,
            now=site.clock(),
        )
    except DuenoticeError as error:
        return await show_refusal(request, site, case_id, error)
    return back_to(case_id, "costs")


@router.get("/costs/{cost_id}/receipt")
def receipt(site: TheSite, session: SignedIn, case_id: UUID, cost_id: UUID) -> Response:
    """The receipt of one amount."""
    file = read_receipt(site.resources.database, case_id, cost_id)
    site.note_read(session, case_id, Reading.RECEIPT, cost_id, file.content)
    return attachment(file)
