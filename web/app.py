"""The web application: pages for people and JSON for programs, behind one guard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from importlib.resources import files
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from cases.kinds import KINDS
from mail.links import LINK_PURPOSE
from models.errors import DuenoticeError
from people.passkeys import RelyingParty
from records.answers import AnswerBox
from starter.bounces import BounceIntake
from starter.case_service import CaseService
from starter.health import health_check
from starter.many_openings import ManyOpenings
from starter.resources import Resources, utc_now
from web import (
    access,
    accounts,
    acts,
    agreements,
    api,
    bundles,
    cases,
    data_holders,
    drafts,
    duty_search,
    erasure,
    follow_up,
    handed_over,
    health,
    histories,
    holder_links,
    ledger,
    links,
    mail,
    mail_events,
    many,
    messages,
    notice_links,
    openid,
    openings,
    passkeys,
    post,
    proposals,
    referral,
    upcoming,
    vendor_links,
)
from web.failures import Failures
from web.guard import Guard
from web.openid_provider import openid_provider
from web.pages import Pages
from web.sessions import Sessions
from web.site import Quotas, Site, check_route

PARTS = (
    links,
    vendor_links,
    holder_links,
    handed_over,
    referral,
    access,
    health,
    passkeys,
    openid,
    accounts,
    openings,
    cases,
    acts,
    drafts,
    proposals,
    follow_up,
    notice_links,
    messages,
    bundles,
    histories,
    agreements,
    api,
    many,
    data_holders,
    erasure,
    upcoming,
    duty_search,
    ledger,
    mail,
    mail_events,
    post,
)
"""The modules of pages; each has a router."""

ROUTES = APIRouter(dependencies=[Depends(check_route)])
"""The routes of all pages. FastAPI analyses a route when it first looks for one, and once for all applications here.

What opens a case is not among them: a kind from outside is registered after this module is read.
"""

for part in PARTS:
    ROUTES.include_router(part.router)


def create_app(resources: Resources, clock: Callable[[], datetime] = utc_now) -> FastAPI:
    """Return the application for one installation; serve it with the access log off, since addresses hold tokens."""
    settings = resources.settings
    address = urlsplit(settings.public_url)
    sessions = Sessions(
        resources.database,
        resources.keyring,
        idle=timedelta(minutes=settings.session_idle_minutes),
        longest=timedelta(hours=settings.session_hours),
        secure=address.scheme == "https",
    )
    pages = Pages(sessions, clock, settings.organisation.name, tuple(KINDS.values()), settings.time_zone)
    failures = Failures(pages)
    link_key = resources.keyring.derive(LINK_PURPOSE)
    answers = AnswerBox(resources.database, link_key, clock, timedelta(days=settings.link_days_after_closing))
    quotas = Quotas.of(settings.limits, resources.database)
    site = Site(
        resources,
        CaseService(resources, clock),
        ManyOpenings(resources, clock),
        sessions,
        pages,
        answers,
        link_key,
        clock,
        party=RelyingParty.at(settings.public_url),
        openid=openid_provider(settings, clock),
        bounces=BounceIntake(resources, clock),
        health=health_check(resources, clock),
        quotas=quotas,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await site.finish()

    app = FastAPI(
        title="Duenotice",
        routes=ROUTES.routes,
        lifespan=lifespan,
        dependencies=[Depends(check_route)],
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's page of documentation loads scripts from elsewhere
        redoc_url=None,
        exception_handlers=dict.fromkeys((DuenoticeError, RequestValidationError, HTTPException), failures.on_error),
    )
    app.state.site = site
    app.include_router(api.openings(KINDS.values()))
    app.mount("/static", StaticFiles(directory=str(files("web").joinpath("static"))))
    app.add_middleware(
        Guard,
        hosts=[address.hostname] if address.hostname else [],
        sessions=sessions,
        failures=failures,
        limits=settings.limits,
        link_answers=quotas.link_answers,
        clock=clock,
    )
    return app
