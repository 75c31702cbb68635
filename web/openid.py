"""Signing in at an OpenID provider: the way there, and the way back."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from models.enums import ChallengePurpose
from models.errors import DuenoticeError, NotFound
from people.challenges import begin_challenge, take_challenge
from people.openid import DIGEST_PURPOSE, OpenIdRefusal, record_refusal, sign_in_by_openid
from web.access import browser_of, check_tries, former_of, own_path, show_sign_in
from web.openid_provider import CALLBACK, OpenIdProvider
from web.site import Site, TheSite

router = APIRouter(include_in_schema=False)


@router.get("/sign-in/openid")
def go(request: Request, site: TheSite, next: str = "/") -> Response:
    """Send the browser to the provider.

    A link and no form: the policy of our pages lets forms lead to this site alone, and so do browsers follow it.
    """
    back, now = own_path(next), site.clock()
    try:
        check_tries(request, site)
        purpose, former = ChallengePurpose.OPENID_CONNECT, former_of(request)
        challenge = begin_challenge(site.resources.database, purpose, now, back=back, session_id=former)
        response = RedirectResponse(_provider(site).address(challenge), HTTPStatus.SEE_OTHER)
    except DuenoticeError as problem:
        return show_sign_in(request, site, back=back, problem=problem)
    site.sessions.give_challenge(response, challenge)
    return response


@router.get(CALLBACK)
def come_back(request: Request, site: TheSite) -> Response:
    """Begin a session for whom the provider has signed in.

    It answers with a page that goes on by itself: a redirect would still be part of the way from another site, on which
    browsers leave the session's cookie out.
    """
    database, now, secret = site.resources.database, site.clock(), site.sessions.challenge_of(request)
    try:
        provider = _provider(site)
        challenge = take_challenge(database, secret, ChallengePurpose.OPENID_CONNECT, now)
        try:
            identity = provider.identity(challenge, request.query_params)
        except OpenIdRefusal as refusal:
            record_refusal(database, provider.issuer, refusal.reason, now)
            raise
        key, rules = site.resources.keyring.derive(DIGEST_PURPOSE), site.sessions.rules
        begun = sign_in_by_openid(database, key, identity, rules, browser_of(request), now)
    except DuenoticeError as problem:
        return show_sign_in(request, site, problem=problem)
    response = site.pages.show(request, "signed_in.html", back=challenge.back)
    site.sessions.give(response, begun, challenge.session_id, now)
    return response


def _provider(site: Site) -> OpenIdProvider:
    if site.openid is None:
        raise NotFound("No OpenID provider is set up here.", next_step="Sign in another way.")
    return site.openid
