"""The page of all ways to sign in; one-time links, passwords, and signing out."""

from __future__ import annotations

import re
from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from models.errors import DuenoticeError, NotAllowed
from people.passwords import sign_in_by_password
from people.sessions import NewSession, end_session
from people.sign_in import redeem_token
from web.failures import status_of, told_when
from web.sessions import Session
from web.site import OWN_FORM, SignedIn, Site, TheSite, password_of, text_of
from web.strangers import address_of

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def sign_in_page(request: Request, site: TheSite, token: str = "", next: str = "/") -> Response:
    """Ask for one click: whatever previews a link in a mail or a terminal also fetches it, and would use it up."""
    return show_sign_in(request, site, token=token, back=own_path(next))


@router.post("/sign-in")
async def sign_in(request: Request, site: TheSite) -> Response:
    """Begin a session: by a link, which that uses up, or by a password."""
    form = await request.form()
    back, now = own_path(text_of(form, "next")), site.clock()
    try:
        if not text_of(form, "token"):
            await run_in_threadpool(check_tries, request, site)
        begun = await to_thread.run_sync(_begin, site, form, browser_of(request), now, limiter=site.hashing)
    except NotAllowed as problem:
        return show_sign_in(request, site, name=text_of(form, "name"), back=back, problem=problem)
    response = RedirectResponse(back, HTTPStatus.SEE_OTHER)
    await run_in_threadpool(site.sessions.give, response, begun, former_of(request), now)
    return response


def show_sign_in(
    request: Request,
    site: Site,
    *,
    token: str = "",
    name: str = "",
    back: str = "/",
    problem: DuenoticeError | None = None,
) -> Response:
    """The page with all ways to sign in, or with the button of a link."""
    page = site.pages.show(
        request,
        "sign_in.html",
        status=status_of(problem) if problem else HTTPStatus.OK,
        token=token,
        name=name,
        back=back,
        problem=problem,
        party=site.party,
        openid=site.openid,
    )
    return told_when(page, problem)


def _begin(site: Site, form: FormData, browser: str, now: datetime) -> NewSession:
    database, rules, token = site.resources.database, site.sessions.rules, text_of(form, "token")
    if token:
        return redeem_token(database, token, rules, browser, now)
    name, password, code = text_of(form, "name"), password_of(form, "password"), text_of(form, "code")
    return sign_in_by_password(database, name, password, code, rules, browser, now)


def check_tries(request: Request, site: Site) -> None:
    """Count a try to sign in; return where the address that it comes from did not make too many.

    Raises:
        TooManyTries: it did.
    """
    site.quotas.sign_ins.check(address_of(request))


def former_of(request: Request) -> UUID | None:
    """The session that the browser has in which somebody signs in; it is over once that is done (ASVS 7.2.4)."""
    former: Session | None = request.state.session
    return former.id if former else None


def browser_of(request: Request) -> str:
    """What the browser says that it is."""
    return request.headers.get("user-agent", "")


@router.post("/sign-out", dependencies=[OWN_FORM])
def sign_out(site: TheSite, session: SignedIn) -> Response:
    """End the session, so that its cookie is worth nothing wherever it is kept."""
    end_session(site.resources.database, session.id, actor=session.actor, now=site.clock())
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    site.sessions.take_away(response)
    # Not "cookies": that takes those of every other site under the same registered name as well.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def own_path(path: str) -> str:
    """``path`` if it is one of this site, else the first page: a link must not lead elsewhere after signing in."""
    return path if re.fullmatch(r"/([\w-][\w./-]*)?", path) else "/"
