"""Signing in by a one-time link or a password, signing out, and telling that the site runs."""

from __future__ import annotations

import re
from datetime import datetime
from http import HTTPStatus

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from models.errors import NotAllowed
from records.passwords import sign_in_by_password
from records.sessions import NewSession, end_session
from records.sign_in import redeem_token
from web.failures import status_of
from web.site import OWN_FORM, SignedIn, Site, TheSite, address_of, password_of, text_of

router = APIRouter(include_in_schema=False)


@router.get("/health")
async def health() -> PlainTextResponse:
    """Say that the site answers; nothing about what it knows."""
    return PlainTextResponse("ok")


@router.get("/sign-in")
def sign_in_page(request: Request, site: TheSite, token: str = "", next: str = "/") -> Response:
    """Ask for one click: whatever previews a link in a mail or a terminal also fetches it, and would use it up."""
    return site.pages.show(request, "sign_in.html", token=token, name="", back=_own_path(next), problem=None)


@router.post("/sign-in")
async def sign_in(request: Request, site: TheSite) -> Response:
    """Begin a session: by a link, which that uses up, or by a password."""
    form = await request.form()
    back, now = _own_path(text_of(form, "next")), site.clock()
    try:
        if not text_of(form, "token") and not site.attempts.allow(address_of(request), now):
            raise TooManyTries
        begun = await to_thread.run_sync(_begin, site, form, _browser(request), now, limiter=site.hashing)
    except NotAllowed as problem:
        return site.pages.show(
            request,
            "sign_in.html",
            status=HTTPStatus.TOO_MANY_REQUESTS if isinstance(problem, TooManyTries) else status_of(problem),
            token="",
            name=text_of(form, "name"),
            back=back,
            problem=problem,
        )
    response = RedirectResponse(back, HTTPStatus.SEE_OTHER)
    site.sessions.give(response, begun)
    return response


class TooManyTries(NotAllowed):
    """Somebody tries to sign in more often than people do."""

    def __init__(self) -> None:
        super().__init__("Too many tries came from your address.", next_step="Try again in a minute.")


def _begin(site: Site, form: FormData, browser: str, now: datetime) -> NewSession:
    database, rules, token = site.resources.database, site.sessions.rules, text_of(form, "token")
    if token:
        return redeem_token(database, token, rules, browser, now)
    name, password, code = text_of(form, "name"), password_of(form, "password"), text_of(form, "code")
    return sign_in_by_password(database, name, password, code, rules, browser, now)


def _browser(request: Request) -> str:
    return request.headers.get("user-agent", "")


@router.post("/sign-out", dependencies=[OWN_FORM])
def sign_out(site: TheSite, session: SignedIn) -> Response:
    """End the session, so that its cookie is worth nothing wherever it is kept."""
    end_session(site.resources.database, session.id, actor=session.actor, now=site.clock())
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    site.sessions.take_away(response)
    return response


def _own_path(path: str) -> str:
    """``path`` if it is one of this site, else the first page: a link must not lead elsewhere after signing in."""
    return path if re.fullmatch(r"/([\w-][\w./-]*)?", path) else "/"
