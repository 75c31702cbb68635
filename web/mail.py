"""The pages that show how mail goes on the whole, and what each mail says by its template."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from models.errors import DuenoticeError
from queries.mail import MailView, read_mail
from records.mail_state import resume
from records.needs import MAIL_PAGE
from starter.templates import MailTemplate, list_templates, preview_template
from web.failures import status_of
from web.pages import problems_of
from web.site import OWN_FORM, SignedIn, Site, TheSite

router = APIRouter()


@router.get(f"/api{MAIL_PAGE}")
def mail(site: TheSite) -> MailView:
    """How mail goes on the whole: whether the server takes any, whether it is paused, and what waits for it."""
    return read_mail(site.resources.database)


@router.get(MAIL_PAGE, include_in_schema=False)
def mail_page(request: Request, site: TheSite) -> Response:
    """How mail goes."""
    return _show(request, site)


@router.post(f"{MAIL_PAGE}/resume", include_in_schema=False, dependencies=[OWN_FORM])
async def resume_mail(request: Request, site: TheSite, session: SignedIn) -> Response:
    """Let mail go on that is paused."""

    def record() -> None:
        with site.resources.database.writing() as writing:
            resume(writing, session.actor, site.clock())

    try:
        await asyncio.to_thread(record)
    except DuenoticeError as error:
        return await asyncio.to_thread(_show, request, site, error)
    return RedirectResponse(f"{MAIL_PAGE}?done=1", HTTPStatus.SEE_OTHER)


@router.get(f"/api{MAIL_PAGE}/templates")
def templates(site: TheSite) -> list[MailTemplate]:
    """Every mail, with its template's name and whether the organisation has one of its own."""
    return list_templates(site.resources.settings)


@router.get(f"{MAIL_PAGE}/templates", include_in_schema=False)
def templates_page(request: Request, site: TheSite) -> Response:
    """Every mail."""
    return site.pages.show(
        request,
        "mail_templates.html",
        listed=list_templates(site.resources.settings),
        folder=site.resources.settings.templates,
    )


@router.get(f"{MAIL_PAGE}/templates/{{name}}", include_in_schema=False)
def template_page(request: Request, site: TheSite, name: str) -> Response:
    """A mail as it is written from sample facts, once for each way that these may lie."""
    samples = preview_template(site.resources.settings, name)
    return site.pages.show(request, "mail_template.html", name=name, samples=samples)


@router.get(f"{MAIL_PAGE}/templates/{{folder}}/{{name}}", include_in_schema=False)
def template_in_folder_page(request: Request, site: TheSite, folder: str, name: str) -> Response:
    """A mail whose template stands in a folder, as those to our people do."""
    return template_page(request, site, f"{folder}/{name}")


def _show(request: Request, site: Site, problem: DuenoticeError | None = None) -> Response:
    return site.pages.show(
        request,
        "mail.html",
        status=status_of(problem) if problem else 200,
        mail=read_mail(site.resources.database),
        done="done" in request.query_params,
        problems=problems_of(problem) if problem else (),
    )
