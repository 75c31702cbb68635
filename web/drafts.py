"""The drafts of a case: read as each recipient will see them, edited where they are free, tested, and released."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from cases.acts import Act, Learn, Release, parse_act
from models.enums import FactStatus
from models.errors import DuenoticeError, NotFound
from queries.cases import read_case_head
from queries.drafts import Drafts
from starter.draft_tests import send_test
from web.failures import status_of
from web.messages import MAIL_POLICY, eml
from web.pages import problems_of
from web.paging import read_page
from web.sessions import Session
from web.site import CheckedForm, SignedIn, Site, TheSite, sent_as_of, text_of
from web.told import back_to

router = APIRouter(prefix="/cases/{case_id}/drafts", include_in_schema=False)

GROUPS_SHOWN = 20
RECIPIENTS_SHOWN = 50


@dataclass(frozen=True)
class Said:
    """What one of the page's forms asked that was refused, and what was typed into it."""

    error: DuenoticeError
    typed: dict[str, str] = field(default_factory=dict)


@router.get("")
def all_drafts(request: Request, site: TheSite, case_id: UUID) -> Response:
    """Every draft of the case, those alike together, and the release of all that wait."""
    return _show_all(request, site, case_id)


@router.post("/release")
async def release_all(request: Request, site: TheSite, session: SignedIn, case_id: UUID, form: CheckedForm) -> Response:
    """Release what waits, of one clause or all, or what is withheld; without a draft read only knowingly."""
    given = {
        "act": Release.act_name(),
        "clause": text_of(form, "clause") or None,
        "withheld": bool(text_of(form, "withheld")),
        "unread": bool(text_of(form, "unread")),
    }
    try:
        await _take(site, case_id, parse_act(given), session, text_of(form, "sent_as"))
    except DuenoticeError as error:
        typed = {name: text_of(form, name) for name in ("clause", "withheld")}
        return await asyncio.to_thread(_show_all, request, site, case_id, Said(error, typed))
    return back_to(case_id, Release.act_name())


@router.get("/release")
def release_asked_again(case_id: UUID) -> Response:
    """The drafts, for a browser that asks for the address to which their form was sent."""
    return RedirectResponse(f"/cases/{case_id}/drafts", HTTPStatus.SEE_OTHER)


@router.get("/{notice_id}.eml")
def draft_file(site: TheSite, case_id: UUID, notice_id: UUID) -> Response:
    """One draft as a message, with a link that leads nowhere."""
    with site.resources.database.reading() as session:
        mail = Drafts(session, site.notice_writer, case_id, site.clock()).mail(notice_id)
    return eml(mail, f"draft-{str(notice_id)[:8]}")


@router.get("/{notice_id}")
def one_draft(request: Request, site: TheSite, case_id: UUID, notice_id: UUID) -> Response:
    """One draft as its recipient will see it."""
    return _show(request, site, case_id, notice_id)


@router.post("/{notice_id}/release")
async def release(
    request: Request, site: TheSite, session: SignedIn, case_id: UUID, notice_id: UUID, form: CheckedForm
) -> Response:
    """Release what waits under the draft's clause, or is withheld there as the draft is, now that it was read."""
    given = {
        "act": Release.act_name(),
        "clause": text_of(form, "clause"),
        "withheld": bool(text_of(form, "withheld")),
        "read": text_of(form, "read"),
    }
    try:
        await _take(site, case_id, parse_act(given), session, text_of(form, "sent_as"))
    except DuenoticeError as error:
        return await asyncio.to_thread(_show_refusal, request, site, case_id, notice_id, Said(error))
    return back_to(case_id, Release.act_name())


@router.post("/{notice_id}/learn")
async def learn(
    request: Request, site: TheSite, session: SignedIn, case_id: UUID, notice_id: UUID, form: CheckedForm
) -> Response:
    """Change one of the texts that people write; the change is evidence, and the draft shows it at once."""
    typed = {name: text_of(form, name) for name in ("element", "value")}
    try:
        await _take(site, case_id, parse_act({"act": Learn.act_name(), **typed}), session, text_of(form, "sent_as"))
    except DuenoticeError as error:
        return await asyncio.to_thread(_show_refusal, request, site, case_id, notice_id, Said(error, typed))
    return RedirectResponse(f"/cases/{case_id}/drafts/{notice_id}?done=learn#done", HTTPStatus.SEE_OTHER)


@router.post("/{notice_id}/test")
async def test(
    request: Request, site: TheSite, session: SignedIn, case_id: UUID, notice_id: UUID, form: CheckedForm
) -> Response:
    """Mail the draft to an officer, marked as a test."""
    to = text_of(form, "to")
    try:
        await site.to_the_end(send_test(site.resources, case_id, notice_id, to, actor=session.actor, now=site.clock()))
    except DuenoticeError as error:
        return await asyncio.to_thread(_show_refusal, request, site, case_id, notice_id, Said(error, {"to": to}))
    return RedirectResponse(f"/cases/{case_id}/drafts/{notice_id}?done=test#done", HTTPStatus.SEE_OTHER)


async def _take(site: Site, case_id: UUID, act: Act, session: Session, sent_as: str) -> None:
    taking = site.service.take(
        case_id, act, actor=session.actor, authenticated=session.authenticated, sent_as=sent_as_of(sent_as)
    )
    await site.to_the_end(taking)


def _show_all(request: Request, site: Site, case_id: UUID, said: Said | None = None) -> Response:
    now = site.clock()
    with site.resources.database.reading() as session:
        drafts = Drafts(session, site.notice_writer, case_id, now)
        groups = read_page(drafts.groups, request.query_params.get("page", "1"), GROUPS_SHOWN)
        leaving = drafts.leaving()
    return site.pages.show(
        request,
        "drafts.html",
        status=status_of(said.error) if said else HTTPStatus.OK,
        case=read_case_head(site.resources.database, case_id, now),
        groups=groups,
        leaving=leaving,
        problems=problems_of(said.error) if said else (),
        typed=said.typed if said else {},
        new_id=uuid4,
    )


def _show_refusal(request: Request, site: Site, case_id: UUID, notice_id: UUID, said: Said) -> Response:
    """The draft with what was refused; those that wait, where somebody else let it go meanwhile."""
    try:
        return _show(request, site, case_id, notice_id, said)
    except NotFound:
        return _show_all(request, site, case_id, said)


def _show(request: Request, site: Site, case_id: UUID, notice_id: UUID, said: Said | None = None) -> Response:
    asked, now = request.query_params, site.clock()
    with site.resources.database.reading() as session:
        drafts = Drafts(session, site.notice_writer, case_id, now)
        draft = drafts.draft(notice_id)
        alike = read_page(
            lambda offset, limit: drafts.alike(notice_id, offset, limit), asked.get("page", "1"), RECIPIENTS_SHOWN
        )
        other = drafts.compared_with(notice_id)
        differences = drafts.differences(notice_id, other.notice_id) if other else ()
        leaving = next(each for each in drafts.leaving() if each.clause == draft.clause)
    case = read_case_head(site.resources.database, case_id, now)
    response = site.pages.show(
        request,
        "draft.html",
        status=status_of(said.error) if said else HTTPStatus.OK,
        case=case,
        draft=draft,
        alike=alike,
        other=other,
        differences=differences,
        leaving=leaving,
        editable=[
            fact
            for fact in case.facts
            if fact.told_by_officer and fact.element in draft.elements and fact.status is not FactStatus.IMPOSSIBLE
        ],
        done=asked.get("done"),
        problems=problems_of(said.error) if said else (),
        typed=said.typed if said else {},
        new_id=uuid4,
    )
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    return response
