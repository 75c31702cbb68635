"""Signing in by a one-time link, signing out, and telling that the site runs."""

from __future__ import annotations

import re
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from models.errors import NotAllowed
from records.sessions import end_session
from records.sign_in import redeem_token
from web.failures import status_of
from web.site import OWN_FORM, SignedIn, TheSite, text_of

router = APIRouter(include_in_schema=False)


@router.get("/health")
async def health() -> PlainTextResponse:
    """Say that the site answers; nothing about what it knows."""
    return PlainTextResponse("ok")


@router.get("/sign-in")
def sign_in_page(request: Request, site: TheSite, token: str = "", next: str = "/") -> Response:
    """Ask for one click: whatever previews a link in a mail or a terminal also fetches it, and would use it up."""
    return site.pages.show(request, "sign_in.html", token=token, back=_own_path(next), problem=None)


@router.post("/sign-in")
async def sign_in(request: Request, site: TheSite) -> Response:
    """Use the link up and begin a session."""
    form = await request.form()
    back, now = _own_path(text_of(form, "next")), site.clock()
    try:
        begun = await run_in_threadpool(
            redeem_token,
            site.resources.database,
            text_of(form, "token"),
            site.sessions.rules,
            request.headers.get("user-agent", ""),
            now,
        )
    except NotAllowed as problem:
        return site.pages.show(request, "sign_in.html", status=status_of(problem), token="", back=back, problem=problem)
    response = RedirectResponse(back, HTTPStatus.SEE_OTHER)
    site.sessions.give(response, begun)
    return response


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
