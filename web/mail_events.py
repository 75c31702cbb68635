"""Where mail providers post what became of messages; whoever posts is known by the provider's signature alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import httpx
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from config.logging import get_logger
from mail.provider_events import (
    NotSigned,
    ProviderEvent,
    SnsMessage,
    read_mailgun,
    read_sendgrid,
    read_sns,
    ses_events,
)
from models.errors import InvalidInput, NotFound, Unavailable
from web.quotas import TooManyTries
from web.rights import MAILGUN_PATH, SENDGRID_PATH, SES_PATH
from web.site import Site, TheSite
from web.strangers import address_of

router = APIRouter(include_in_schema=False)
_log = get_logger("web.mail_events")

Given = TypeVar("Given")

FETCH_SECONDS = 10.0
"""How long Amazon may take to give a certificate, or to take a confirmation."""


@router.post(SENDGRID_PATH)
async def sendgrid(request: Request, site: TheSite) -> Response:
    """Events of SendGrid's signed Event Webhook."""
    key, body = site.resources.settings.bounces.sendgrid_public_key, await request.body()
    return await _take(request, site, "sendgrid", lambda: read_sendgrid(body, request.headers, _expected(key)))


@router.post(MAILGUN_PATH)
async def mailgun(request: Request, site: TheSite) -> Response:
    """One event of a Mailgun webhook."""
    key, body = site.resources.settings.bounces.mailgun_signing_key, await request.body()
    return await _take(request, site, "mailgun", lambda: read_mailgun(body, _expected(key).get_secret_value()))


@router.post(SES_PATH)
async def ses(request: Request, site: TheSite) -> Response:
    """A notification of Amazon SES, or Amazon's question whether the topic's notifications are wanted."""
    named, body = site.resources.settings.bounces, await request.body()

    def read() -> list[ProviderEvent]:
        said = read_sns(body, _expected(named.ses_topic), _certificates(named.ses_certificate))
        if said.asks:
            _confirm(said)
            return []
        return ses_events(said)

    return await _take(request, site, "ses", read)


async def _take(request: Request, site: Site, provider: str, read: Callable[[], Sequence[ProviderEvent]]) -> Response:
    """Record what a provider posted; what is not signed by it is refused, and its content stays out of the log.

    Providers post as often as they have to tell something; only an address that sends ever other things is refused.
    """
    address = address_of(request)
    if site.quotas.refused_events.is_used_up(address):
        raise TooManyTries(site.quotas.refused_events.seconds_left(address))
    try:
        events = await run_in_threadpool(read)
    except (InvalidInput, NotSigned) as error:
        site.quotas.refused_events.allow(address)
        _log.warning("mail event refused", provider=provider, reason=error.code)
        raise
    for event in events:
        await site.bounces.take_event(event)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _expected(given: Given | None) -> Given:
    if given is None:
        raise NotFound("No mail provider is expected to post here.", next_step="Set its key in DUENOTICE_BOUNCES__….")
    return given


def _certificates(file: Path | None) -> Callable[[str], bytes]:
    return (lambda _: file.read_bytes()) if file else _fetched


@lru_cache(maxsize=8)
def _fetched(address: str) -> bytes:
    """What stands at an address of Amazon's; ``read_sns`` asks for no other."""
    return _get(address).content


def _confirm(said: SnsMessage) -> None:
    """Say that the notifications of a topic are wanted: its message is verified, and its address Amazon's."""
    if said.subscribe:
        _get(said.subscribe)
        _log.info("notifications of Amazon SES confirmed")


def _get(address: str) -> httpx.Response:
    try:
        return httpx.get(address, timeout=FETCH_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        raise Unavailable(f"Amazon does not answer ({type(error).__name__}).", next_step="It is tried again.") from None
