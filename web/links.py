"""The pages behind a notice's link: an LEA acknowledges, asks, names another contact and fetches its documents.

No account is needed. Looking changes nothing and hands out no document, since mail programs and gateways look at
every link that they see; each act, fetching a document included, is a form that somebody sends.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from mail.links import LINK_FOLDER, read_notice_token
from models.enums import AnswerKind
from models.errors import InvalidFields, NotFound
from queries.sent_letters import read_sent_letter
from records.answers import LEA, LinkedNotice, checked_answer, read_linked_notice
from records.documents import fetch_document, read_lea_documents, read_lea_facts
from starter.writing import sender_of
from web.failures import status_of
from web.files import attachment
from web.site import Site, TheSite, text_of

router = APIRouter(prefix=LINK_FOLDER.rstrip("/"), include_in_schema=False)

FIELDS = ("name", "email", "question")
_KINDS = {kind.value: kind for kind in AnswerKind}


async def _notice_id(site: TheSite, token: str) -> UUID:
    notice_id = read_notice_token(site.link_key, token)
    if notice_id is None:
        raise NotFound(
            "This link leads to no notice.",
            next_step="Copy the whole link from the mail, or write to whoever sent it.",
        )
    return notice_id


NoticeId: TypeAlias = Annotated[UUID, Depends(_notice_id)]


def _linked_notice(site: TheSite, notice_id: NoticeId) -> LinkedNotice:
    return read_linked_notice(site.resources.database, notice_id)


TheNotice: TypeAlias = Annotated[LinkedNotice, Depends(_linked_notice)]


@router.get("/{token}")
def notice_page(request: Request, site: TheSite, notice: TheNotice) -> Response:
    """The notice in full, the documents of its LEA, and the forms to answer it."""
    return _show(request, site, notice)


@router.post("/{token}")
async def answer(request: Request, site: TheSite, notice_id: NoticeId, token: str) -> Response:
    """Keep an answer; sent twice, it is kept once. The page that follows shows it."""
    form = await request.form()
    kind = _KINDS.get(text_of(form, "kind"))
    if kind is None:
        raise NotFound("There is no such answer.", next_step="Go back, and use one of the page's forms.")
    typed = {name: text_of(form, name) for name in FIELDS}
    try:
        given = checked_answer(
            notice_id, kind, actor=_actor(request), name=typed["name"], email=typed["email"], text=typed["question"]
        )
    except InvalidFields as error:
        notice = await asyncio.to_thread(read_linked_notice, site.resources.database, notice_id)
        return await asyncio.to_thread(_show, request, site, notice, kind, typed, error)
    await site.to_the_end(site.answers.give(given))
    return RedirectResponse(f"{LINK_FOLDER}{token}?done={kind.value}", HTTPStatus.SEE_OTHER)


@router.get("/{token}/facts")
def facts_page(request: Request, site: TheSite, notice: TheNotice, token: str) -> Response:
    """The facts that families are to be told, as the LEA was told them."""
    facts = read_lea_facts(site.resources.database, notice, sender_of(site.resources.settings.organisation))
    return site.pages.show(request, "documents.html", notice=notice, facts=facts, token=token)


@router.post("/{token}/documents/{document_id}")
def document(request: Request, site: TheSite, notice: TheNotice, document_id: UUID) -> Response:
    """One document of the documents for families, with evidence that it was fetched."""
    return attachment(
        fetch_document(site.resources.database, notice, document_id, actor=_actor(request), now=site.clock())
    )


def _actor(request: Request) -> str:
    """Who acts, as evidence names them: an officer who is signed in does not pass for the LEA."""
    session = request.state.session
    return session.actor if session else LEA


def _show(
    request: Request,
    site: Site,
    notice: LinkedNotice,
    kind: AnswerKind | None = None,
    typed: dict[str, str] | None = None,
    error: InvalidFields | None = None,
) -> Response:
    return site.pages.show(
        request,
        "notice.html",
        status=status_of(error) if error else HTTPStatus.OK,
        notice=notice,
        letter=read_sent_letter(site.resources.database, notice.id),
        documents=read_lea_documents(site.resources.database, site.resources.catalogue, notice),
        done=request.query_params.get("done"),
        refused=kind,
        typed=typed or dict.fromkeys(FIELDS, ""),
        problems=error.problems if error else (),
    )
