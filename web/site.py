"""What every page works with: the engine's parts, the sessions, the templates, and the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from starlette.datastructures import FormData

from models.errors import NotAllowed
from records.answers import AnswerBox
from records.outbox import NoticeWriter
from starter.case_service import CaseService
from starter.resources import Resources
from starter.writing import notice_writer
from web.pages import Pages
from web.sessions import Session, Sessions

Result = TypeVar("Result")

MAX_PART_BYTES = 16 * 2**20
"""The largest single field or file that a form may carry."""


@dataclass(frozen=True)
class Site:
    """One web application; it lives as long as the process serves."""

    resources: Resources
    service: CaseService
    sessions: Sessions
    pages: Pages
    answers: AnswerBox
    link_key: bytes
    clock: Callable[[], datetime]
    _unfinished: set[asyncio.Task[object]] = field(default_factory=set)

    @property
    def notice_writer(self) -> NoticeWriter:
        """What writes this installation's notices."""
        return notice_writer(self.resources.settings, self.resources.keyring)

    async def to_the_end(self, work: Coroutine[object, object, Result]) -> Result:
        """Await ``work``, and let it run to its end even if the browser that asked for it has gone away."""
        task = asyncio.create_task(work)
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Wait for all work whose browser went away; called when the site stops."""
        await asyncio.gather(*self._unfinished, return_exceptions=True)


async def _site_of(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


async def _session_of(request: Request) -> Session:
    session: Session = request.state.session
    return session


TheSite = Annotated[Site, Depends(_site_of)]
SignedIn = Annotated[Session, Depends(_session_of)]


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


def texts_of(form: FormData, name: str) -> tuple[str, ...]:
    """Every text that a form gives for ``name`` (checkboxes)."""
    return tuple(value for value in form.getlist(name) if isinstance(value, str))
