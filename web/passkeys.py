"""Passkeys: what the page's script asks for, and the forms that it sends with what the browser answered."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from models.enums import ChallengePurpose
from models.errors import DuenoticeError, NotAllowed, NotFound
from people.challenges import begin_challenge, take_challenge
from people.passkeys import (
    RelyingParty,
    add_passkey,
    options_to_add,
    options_to_sign_in,
    remove_passkey,
    sign_in_by_passkey,
)
from people.sessions import check_fresh
from web.access import browser_of, check_tries, former_of, own_path, show_sign_in
from web.accounts import show_own
from web.site import OWN_FORM, CheckedForm, SignedIn, Site, TheSite, text_of

router = APIRouter(include_in_schema=False)


@router.post("/api/sign-in/passkey")
def begin_signing_in(request: Request, site: TheSite) -> Response:
    """What the browser needs in order to ask for a passkey."""
    check_tries(request, site)
    party, purpose = _party(site), ChallengePurpose.PASSKEY
    challenge = begin_challenge(site.resources.database, purpose, site.clock())
    response = Response(options_to_sign_in(party, challenge), media_type="application/json")
    site.sessions.give_challenge(response, challenge)
    return response


@router.post("/sign-in/passkey")
async def sign_in(request: Request, site: TheSite) -> Response:
    """Begin a session by a passkey."""
    form = await request.form()
    back, database, now = own_path(text_of(form, "next")), site.resources.database, site.clock()
    secret, credential, browser = site.sessions.challenge_of(request), text_of(form, "credential"), browser_of(request)

    def begin() -> Response:
        check_tries(request, site)
        party, rules = _party(site), site.sessions.rules
        challenge = take_challenge(database, secret, ChallengePurpose.PASSKEY, now)
        begun = sign_in_by_passkey(database, party, challenge, credential, rules, browser, now)
        response = RedirectResponse(back, HTTPStatus.SEE_OTHER)
        site.sessions.give(response, begun, former_of(request), now)
        return response

    try:
        return await run_in_threadpool(begin)
    except NotAllowed as problem:
        return show_sign_in(request, site, back=back, problem=problem)


@router.post("/api/account/passkeys", dependencies=[OWN_FORM])
def begin_adding(site: TheSite, session: SignedIn) -> Response:
    """What the browser needs in order to make a passkey for one's account."""
    party, database, now = _party(site), site.resources.database, site.clock()
    check_fresh(session, now)
    challenge = begin_challenge(database, ChallengePurpose.ADD_PASSKEY, now, account_id=session.account_id)
    response = Response(options_to_add(database, session, party, challenge), media_type="application/json")
    site.sessions.give_challenge(response, challenge)
    return response


@router.post("/account/passkeys")
def add(request: Request, site: TheSite, session: SignedIn, form: CheckedForm) -> Response:
    """Keep a passkey that the browser has made."""
    database, now, secret = site.resources.database, site.clock(), site.sessions.challenge_of(request)
    try:
        party, purpose = _party(site), ChallengePurpose.ADD_PASSKEY
        challenge = take_challenge(database, secret, purpose, now, account_id=session.account_id)
        name = text_of(form, "passkey_name")
        add_passkey(database, session, party, challenge, text_of(form, "credential"), name, now)
    except DuenoticeError as error:
        return show_own(request, site, session, error)
    return RedirectResponse("/account?done=passkey", HTTPStatus.SEE_OTHER)


@router.post("/account/passkeys/{passkey_id}/remove", dependencies=[OWN_FORM])
def remove(request: Request, site: TheSite, session: SignedIn, passkey_id: UUID) -> Response:
    """Let one of one's own passkeys sign nobody in any more."""
    try:
        remove_passkey(site.resources.database, session, passkey_id, site.clock())
    except NotAllowed as error:
        return show_own(request, site, session, error)
    return RedirectResponse("/account?done=no-passkey", HTTPStatus.SEE_OTHER)


def _party(site: Site) -> RelyingParty:
    if site.party is None:
        raise NotFound(
            "No passkey works at the address of this site.",
            next_step="Whoever runs it sets DUENOTICE_PUBLIC_URL to an address on https with a name.",
        )
    return site.party
