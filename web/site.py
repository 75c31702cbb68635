"""What every page works with: the engine's parts, the sessions, the templates, and the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, TypeVar
from uuid import UUID

from anyio import CapacityLimiter
from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from cases.acts import Act
from config.database import Database
from config.settings import Limits
from ledger.entries import CaseRead
from models.enums import Authentication, Reading
from models.errors import InvalidInput, NotAllowed
from models.identifiers import sha256_hex
from people.accounts import with_article
from people.passkeys import RelyingParty
from people.sessions import record_refusal
from records.answers import AnswerBox
from records.outbox import NoticeWriter
from records.readings import note_reading
from starter.bounces import BounceIntake
from starter.case_service import CaseService
from starter.health import HealthCheck
from starter.many_openings import ManyOpenings
from starter.resources import Resources
from starter.writing import notice_writer
from web.openid_provider import OpenIdProvider
from web.pages import Pages
from web.quotas import HOUR, TRIES_A_MINUTE, Quota
from web.rights import Right, act_takes, rights_of, takes
from web.sessions import Session, Sessions
from web.shared_quotas import SharedCounts

Result = TypeVar("Result")

REQUESTS_AN_HOUR = 5
"""How many requests of parents and students one address may send by the public form in an hour."""

REPORTS_AN_HOUR = 60
"""How many cases one program may report in an hour: people have to look at each."""

MAX_PART_BYTES = 16 * 2**20
"""The largest single field or file that a form may carry."""


HASHES_AT_ONCE = 2
"""How many passwords of strangers are checked at a time: each takes 64 MiB and a core for a moment.

One more is checked beside them for whoever is signed in, so that nobody who works here waits for them.
"""


@dataclass(frozen=True)
class Quotas:
    """How often an address, or a link, may try what could be guessed or fills what people have to read.

    Where several processes serve one installation, these are counted for all of them together; what bounds the work of
    a process itself is counted in each.
    """

    sign_ins: Quota
    refused_links: Quota
    refused_files: Quota
    direct_requests: Quota
    link_answers: Quota
    reports: Quota
    refused_events: Quota = field(default_factory=lambda: Quota(TRIES_A_MINUTE))

    @classmethod
    def of(cls, limits: Limits, database: Database) -> Quotas:
        """Those of one installation."""
        shared = SharedCounts(database)
        return cls(
            sign_ins=Quota(TRIES_A_MINUTE, name="sign-ins", shared=shared),
            refused_links=Quota(TRIES_A_MINUTE, name="refused-links", shared=shared),
            refused_files=Quota(TRIES_A_MINUTE, name="refused-files", shared=shared),
            direct_requests=Quota(REQUESTS_AN_HOUR, HOUR, name="direct-requests", shared=shared),
            reports=Quota(REPORTS_AN_HOUR, HOUR, name="reports", shared=shared),
            link_answers=Quota(limits.link_answers_per_hour, HOUR, name="link-answers", shared=shared),
        )


@dataclass(frozen=True)
class Site:
    """One web application; it lives as long as the process serves."""

    resources: Resources
    service: CaseService
    openings: ManyOpenings
    sessions: Sessions
    pages: Pages
    answers: AnswerBox
    link_key: bytes
    clock: Callable[[], datetime]
    party: RelyingParty | None
    openid: OpenIdProvider | None
    bounces: BounceIntake
    health: HealthCheck
    quotas: Quotas
    hashing: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(HASHES_AT_ONCE))
    own_hashing: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))
    _unfinished: set[asyncio.Task[object]] = field(default_factory=set)

    @property
    def links_last(self) -> timedelta:
        """How long the link in a notice opens it once its case is closed."""
        return timedelta(days=self.resources.settings.link_days_after_closing)

    @property
    def notice_writer(self) -> NoticeWriter:
        """What writes this installation's notices."""
        return notice_writer(self.resources.settings, self.resources.keyring)

    def note_read(
        self,
        session: Session | None,
        case_id: UUID,
        what: Reading,
        thing: UUID | str | None = None,
        content: bytes | None = None,
        actor: str = "",
    ) -> None:
        """Leave evidence of who reads what of a case, before it is shown; ``actor`` is whose link it is.

        Raises:
            Unavailable: it cannot be left, so that nothing is shown.
        """
        reading = CaseRead(
            case_id=case_id,
            actor=session.actor if session else actor,
            at=self.clock(),
            what=what,
            thing=str(thing) if thing else None,
            authenticated=session.authenticated if session else None,
            content_sha256=sha256_hex(content) if content is not None else None,
        )
        note_reading(self.resources.database, reading)

    async def to_the_end(self, work: Coroutine[object, object, Result]) -> Result:
        """Await ``work``, and let it run to its end even if the browser that asked for it has gone away."""
        task = asyncio.create_task(work)
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Wait for all work whose browser went away, and stop opening files; called when the site stops."""
        await self.openings.stop()
        await asyncio.gather(*self._unfinished, return_exceptions=True)


async def _site_of(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


async def _session_of(request: Request) -> Session:
    session: Session = request.state.session
    return session


TheSite = Annotated[Site, Depends(_site_of)]
SignedIn = Annotated[Session, Depends(_session_of)]


async def check_route(request: Request, site: TheSite) -> None:
    """Let a request through to its route; whoever is not signed in was stopped before, save where all are let in.

    Raises:
        NotAllowed: the role of who is signed in may not do this.
    """
    session: Session | None = request.state.session
    if session is not None:
        route = str(request.scope["route"].path)
        await _check(site, session, takes(request.method, route), f"{request.method} {route}")


async def check_act(site: Site, session: Session, act: type[Act]) -> None:
    """Return where the role of who is signed in may do an act.

    Raises:
        NotAllowed: it may not.
    """
    await _check(site, session, act_takes(act), f"act {act.act_name()}")


async def _check(site: Site, session: Session, one_of: frozenset[Right], asked: str) -> None:
    if not one_of & rights_of(session.role, session.authenticated):
        await run_in_threadpool(record_refusal, site.resources.database, session, asked, site.clock())
        by_token = session.authenticated is Authentication.API_TOKEN
        raise NotAllowed(
            f"{'This token is that of' if by_token else 'You are signed in as'} {with_article(session.role)}, "
            "who may not do this.",
            next_step="Ask somebody whose account has the role for it.",
        )


async def _own_form(request: Request, site: TheSite, session: SignedIn) -> FormData:
    form = await request.form(max_part_size=MAX_PART_BYTES)
    if not site.sessions.is_form_token(session, text_of(form, "form_token")):
        raise NotAllowed(
            "This form was not made for you, so nothing was done.",
            next_step="Go back, reload the page, and send it again.",
        )
    return form


OWN_FORM = Depends(_own_form)
"""Refuses a posted form that another site made, or a page shown to somebody else."""

CheckedForm = Annotated[FormData, OWN_FORM]
"""A posted form that one of our pages made for this person."""


def text_of(form: FormData, name: str) -> str:
    """The text that a form gives for ``name``, stripped; blank if it gives none."""
    value = form.get(name, "")
    return value.replace("\0", "").strip() if isinstance(value, str) else ""


def id_of(text: str) -> UUID:
    """The id that a page's own form carries.

    Raises:
        InvalidInput: it carries none.
    """
    try:
        return UUID(text)
    except ValueError:
        raise incomplete() from None


def incomplete() -> InvalidInput:
    """What is said of a form that lacks what the page puts into it."""
    return InvalidInput("This form is incomplete.", next_step="Reload the page, and fill it in again.")


def sent_as_of(text: str) -> UUID | None:
    """The name that the page gave its form, so that a form sent twice is one act."""
    try:
        return UUID(text)
    except ValueError:
        return None


def password_of(form: FormData, name: str) -> str:
    """The password that a form gives for ``name``, as it was typed: blanks around it count."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def texts_of(form: FormData, name: str) -> tuple[str, ...]:
    """Every text that a form gives for ``name`` (checkboxes)."""
    return tuple(value for value in form.getlist(name) if isinstance(value, str))
