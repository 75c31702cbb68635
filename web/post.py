"""Letters to post, across all cases: printed, and recorded once somebody has posted them."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from activities.postal_letters import bring_up_to_date
from cases.acts import Act, NotPosted, Posted
from models.errors import DuenoticeError
from queries.postal_letters import SERVICES as SERVICE_NAMES
from queries.postal_letters import (
    UNOPENED,
    case_of_letter,
    letters_posted,
    letters_to_post,
    read_mailing_receipt,
)
from records.needs import POST_PAGE
from records.printing import MOST_PRINTED, print_letters
from records.uploads import kept_file
from web.act_forms import act_form, read_act
from web.cases import Kept
from web.failures import status_of
from web.files import attachment
from web.pages import problems_of
from web.paging import asked_text, read_page
from web.sessions import Session
from web.site import CheckedForm, SignedIn, Site, TheSite, id_of, sent_as_of, text_of
from web.times import zone_names

router = APIRouter(include_in_schema=False)

LETTERS_SHOWN = 50

DONE = {"posted": Posted.done_says, "not-posted": NotPosted.done_says}
"""What is told once something was recorded."""


@router.get(POST_PAGE)
def post_page(request: Request, site: TheSite) -> Response:
    """The letters to post, and those posted."""
    return _show(request, site)


@router.post(f"{POST_PAGE}/print")
async def print_(request: Request, site: TheSite, session: SignedIn, form: CheckedForm) -> Response:
    """One file of the letters that are named, or of all; a form, since it is noted who was given them."""
    named = [id_of(str(value)) for value in form.getlist("letter")]

    def printed() -> bytes:
        now = site.clock()
        bring_up_to_date(site.resources.database, site.notice_writer, named, now)
        with site.resources.database.writing() as writing:
            return print_letters(writing, named, actor=session.actor, now=now)

    try:
        pdf = await asyncio.to_thread(printed)
    except DuenoticeError as error:
        return await asyncio.to_thread(_show, request, site, error)
    return attachment(kept_file("letter" if len(named) == 1 else "letters", pdf, "application/pdf"))


@router.post(f"{POST_PAGE}/{{letter_id}}/posted")
async def posted(request: Request, site: TheSite, session: SignedIn, letter_id: UUID, form: CheckedForm) -> Response:
    """Record that a letter was handed to the post, on the word of whoever is signed in."""
    return await _take(request, site, session, letter_id, Posted, form)


@router.post(f"{POST_PAGE}/{{letter_id}}/not-posted")
async def not_posted(
    request: Request, site: TheSite, session: SignedIn, letter_id: UUID, form: CheckedForm
) -> Response:
    """Take back that a letter was posted."""
    return await _take(request, site, session, letter_id, NotPosted, form)


@router.get(f"{POST_PAGE}/{{letter_id}}/receipt")
def receipt(site: TheSite, letter_id: UUID) -> Response:
    """The receipt or photo that came with a mailing, to save."""
    return attachment(read_mailing_receipt(site.resources.database, letter_id))


async def _take(
    request: Request, site: Site, session: Session, letter_id: UUID, act: type[Act], form: FormData
) -> Response:
    try:
        asked = await read_act(act, form)
        taking = site.service.take(
            await asyncio.to_thread(case_of_letter, site.resources.database, letter_id),
            asked,
            actor=session.actor,
            authenticated=session.authenticated,
            sent_as=sent_as_of(text_of(form, "sent_as")),
        )
        await site.to_the_end(taking)
    except DuenoticeError as error:
        typed = Kept(f"{act.act_name()}-{letter_id}", {name: text_of(form, name) for name in form})
        return await asyncio.to_thread(_show, request, site, error, typed)
    return RedirectResponse(f"{POST_PAGE}?done={act.act_name()}", HTTPStatus.SEE_OTHER)


def _asked_case(text: str) -> UUID | None:
    """The one case whose letters an address asks for; one that is no id asks for all."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _show(request: Request, site: Site, problem: DuenoticeError | None = None, kept: Kept | None = None) -> Response:
    database, now, asked = site.resources.database, site.clock(), request.query_params
    case_id = _asked_case(asked_text(asked, "case"))
    return site.pages.show(
        request,
        "post.html",
        status=status_of(problem) if problem else HTTPStatus.OK,
        waiting=read_page(
            lambda offset, limit: letters_to_post(database, now, case_id=case_id, offset=offset, limit=limit),
            asked.get("page", "1"),
            LETTERS_SHOWN,
        ),
        gone=read_page(
            lambda offset, limit: letters_posted(database, now, case_id=case_id, offset=offset, limit=limit),
            asked.get("posted", "1"),
            LETTERS_SHOWN,
        ),
        of_case=case_id,
        most_printed=MOST_PRINTED,
        done=DONE.get(asked.get("done", "")),
        problems=problems_of(problem) if problem else (),
        kept=kept or Kept(),
        posted=act_form(Posted),
        not_posted=act_form(NotPosted),
        service_names=SERVICE_NAMES,
        UNOPENED=UNOPENED,
        zones=zone_names(),
        new_id=uuid4,
    )
