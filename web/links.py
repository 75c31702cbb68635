"""The pages behind a notice's link: an LEA acknowledges or decides, asks, names a contact, fetches its documents.

No account is needed. Looking changes nothing and hands out no document, since mail programs and gateways look at
every link that they see; each act, fetching a document included, is a form that somebody sends.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from cases.end_of_agreement import SAYINGS
from ledger.actors import LEA
from mail.links import LINK_FOLDER, LinkOfNotice, read_notice_token
from models.enums import DECISIONS, AnswerKind
from models.errors import Gone, InvalidFields, NotFound
from queries.sent_letters import read_sent_letter
from records.answers import (
    LinkedNotice,
    check_room,
    checked_answer,
    checked_decision,
    read_linked_notice,
    read_linked_questions,
)
from records.documents import fetch_document, read_lea_documents, read_lea_facts
from records.open_links import check_link, count_refusal
from starter.writing import sender_of, templates_of
from web.failures import status_of
from web.files import attachment
from web.site import Site, TheSite, text_of
from web.strangers import address_of

router = APIRouter(prefix=LINK_FOLDER.rstrip("/"), include_in_schema=False)

FIELDS = ("name", "email", "question", "ground", "on", "attested")
_KINDS = {kind.value: kind for kind in AnswerKind}


async def _link(site: TheSite, token: str) -> LinkOfNotice:
    link = read_notice_token(site.link_key, token)
    if link is None:
        raise NotFound(
            "This link leads to no notice.",
            next_step="Copy the whole link from the mail, or write to whoever sent it.",
        )
    return link


HeldLink: TypeAlias = Annotated[LinkOfNotice, Depends(_link)]


def _notice_id(request: Request, site: TheSite, link: HeldLink) -> UUID:
    """The notice that a link opens.

    Raises:
        NotFound: it is not kept here.
        Gone: the link was replaced or taken back, or has expired; that somebody came with it is counted.
    """
    now = site.clock()
    try:
        check_link(site.resources.database, link, site.links_last, now)
    except Gone:
        if site.quotas.refused_links.allow(address_of(request)):
            count_refusal(site.resources.database, link)
        raise
    return link.notice_id


NoticeId: TypeAlias = Annotated[UUID, Depends(_notice_id)]


def _linked_notice(site: TheSite, notice_id: NoticeId) -> LinkedNotice:
    return read_linked_notice(site.resources.database, notice_id)


TheNotice: TypeAlias = Annotated[LinkedNotice, Depends(_linked_notice)]


@router.get("/{token}")
def notice_page(request: Request, site: TheSite, notice: TheNotice) -> Response:
    """The notice in full, the documents of its LEA, and the forms to answer it."""
    return _show(request, site, notice)


@router.post("/{token}")
async def answer(request: Request, site: TheSite, link: HeldLink, token: str) -> Response:
    """Keep an answer; sent twice, it is kept once. The page that follows shows it.

    Whether the link opens its notice is looked at once more where the answer is kept, together with the answers that
    arrive in the same moment: for an acknowledgement, as thousands send it at once, there alone.
    """
    form = await request.form()
    kind = _KINDS.get(text_of(form, "kind"))
    if kind is not AnswerKind.ACKNOWLEDGED:
        await run_in_threadpool(_notice_id, request, site, link)
    if kind is None:
        raise NotFound("There is no such answer.", next_step="Go back, and use one of the page's forms.")
    typed = {field: text_of(form, field) for field in FIELDS}
    actor, name, email = _actor(request), typed["name"], typed["email"]
    try:
        if kind in DECISIONS:
            notice = await run_in_threadpool(read_linked_notice, site.resources.database, link.notice_id)
            given = checked_decision(
                notice,
                kind,
                actor=actor,
                name=name,
                email=email,
                ground=typed["ground"],
                on=typed["on"],
                now=site.clock(),
                attested=bool(typed["attested"]),
                link=link,
            )
        else:
            text = typed["question"]
            given = checked_answer(link.notice_id, kind, actor=actor, name=name, email=email, text=text, link=link)
    except InvalidFields as error:
        return await run_in_threadpool(_show_refused, request, site, link, kind, typed, error)
    if kind not in (AnswerKind.ACKNOWLEDGED, *DECISIONS):
        await run_in_threadpool(check_room, site.resources.database, link.notice_id)
    try:
        await site.to_the_end(site.answers.give(given))
    except Gone:
        await run_in_threadpool(_notice_id, request, site, link)
        raise
    if kind is AnswerKind.FACT:
        notice = await run_in_threadpool(read_linked_notice, site.resources.database, link.notice_id)
        await site.service.look_again(notice.case_id)
    return RedirectResponse(f"{LINK_FOLDER}{token}?done={kind.value}", HTTPStatus.SEE_OTHER)


@router.get("/{token}/facts")
def facts_page(request: Request, site: TheSite, notice: TheNotice, token: str) -> Response:
    """The facts that families are to be told, as the LEA was told them."""
    settings = site.resources.settings
    sender, texts = sender_of(settings.organisation), templates_of(settings).default_texts
    facts = read_lea_facts(site.resources.database, notice, sender, texts)
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


def _show_refused(
    request: Request, site: Site, link: LinkOfNotice, kind: AnswerKind, typed: dict[str, str], error: InvalidFields
) -> Response:
    notice = read_linked_notice(site.resources.database, _notice_id(request, site, link))
    return _show(request, site, notice, kind, typed, error)


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
        saying=SAYINGS.get(notice.may_say) if notice.may_say else None,
        questions=read_linked_questions(site.resources.database, notice.id),
        letter=read_sent_letter(site.resources.database, notice.id),
        documents=read_lea_documents(site.resources.database, site.resources.catalogue, notice),
        done=request.query_params.get("done"),
        refused=kind,
        typed=typed or dict.fromkeys(FIELDS, ""),
        problems=error.problems if error else (),
    )
