"""What an officer decides about a case on its page: one form for each act."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import TypeAlias
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from models.errors import DuenoticeError, InvalidInput, NotFound
from starter.acts import (
    Add,
    Adopt,
    Approve,
    AskedAct,
    Decline,
    Dismiss,
    Done,
    Hold,
    Impossible,
    Learn,
    Lift,
    Propose,
    SetDate,
    Withhold,
    carry_out,
    read_references,
)
from web.cases import show_refusal
from web.files import files_of
from web.site import CheckedForm, SignedIn, TheSite, text_of
from web.times import read_date, read_instant

router = APIRouter(prefix="/cases/{case_id}/acts", include_in_schema=False)

Reader: TypeAlias = Callable[[FormData], Awaitable[AskedAct]]


@router.post("/{act}")
async def act(
    request: Request, site: TheSite, session: SignedIn, case_id: UUID, act: str, form: CheckedForm
) -> Response:
    """Do what one of the page's forms asks; a refusal shows it again with what was typed."""
    read = _READERS.get(act)
    if read is None:
        raise NotFound("There is no such act.", next_step="Use the forms of the case's page.")
    try:
        asked = await read(form)
        await site.to_the_end(carry_out(site.service, site.resources.database, case_id, asked, actor=session.actor))
    except DuenoticeError as error:
        return await show_refusal(request, site, case_id, error)
    return RedirectResponse(f"/cases/{case_id}?done={asked.act}#acts", HTTPStatus.SEE_OTHER)


async def _dismiss(form: FormData) -> AskedAct:
    return Dismiss(reason=text_of(form, "reason"))


async def _date(form: FormData) -> AskedAct:
    return SetDate(
        name=_chosen(form, "name", "Which date it is"),
        instant=_instant(form, "instant"),
        first_day=read_date(text_of(form, "first_day"), "first_day"),
        last_day=read_date(text_of(form, "last_day"), "last_day"),
        reason=text_of(form, "reason") or None,
        agreement=text_of(form, "agreement") or None,
    )


async def _learn(form: FormData) -> AskedAct:
    element = _chosen(form, "element", "Which element it is")
    if text_of(form, "how") == "impossible":
        return Impossible(element=element)
    return Learn(element=element, value=text_of(form, "value"))


async def _withhold(form: FormData) -> AskedAct:
    return Withhold(reason=text_of(form, "reason"), clause=text_of(form, "clause") or None)


async def _propose(form: FormData) -> AskedAct:
    return Propose(
        clause=_chosen(form, "clause", "The clause"),
        ground=_chosen(form, "ground", "The ground"),
        reason=text_of(form, "reason"),
        agreements=tuple(text_of(form, "agreements").split()),
    )


async def _approve(form: FormData) -> AskedAct:
    return Approve(proposal_id=_id(form, "proposal_id"))


async def _decline(form: FormData) -> AskedAct:
    return Decline(proposal_id=_id(form, "proposal_id"))


async def _hold(form: FormData) -> AskedAct:
    begins_at = _instant(form, "begins_at")
    if begins_at is None:
        raise InvalidInput("Nothing says since when.", where="begins_at", next_step="Give the date and time.")
    return Hold(
        particulars=text_of(form, "particulars"),
        begins_at=begins_at,
        until=_instant(form, "until"),
        agreement=text_of(form, "agreement") or None,
        shareable=not text_of(form, "secret"),
    )


async def _lift(form: FormData) -> AskedAct:
    return Lift(hold_id=_id(form, "hold_id"))


async def _done(form: FormData) -> AskedAct:
    files = await files_of(form, "proof")
    if not files:
        raise InvalidInput("No file is chosen.", where="proof", next_step="Choose the one that proves it.")
    return Done(clause=_chosen(form, "clause", "The clause"), proof=files[0].content)


async def _adopt(form: FormData) -> AskedAct:
    return Adopt(reason=text_of(form, "reason"))


async def _add(form: FormData) -> AskedAct:
    lists = [read_references(file.content.decode("utf-8", "replace")) for file in await files_of(form, "file")]
    return Add(
        references=(*text_of(form, "agreements").split(), *(reference for found in lists for reference in found)),
        state=text_of(form, "state").upper(),
        form=text_of(form, "form"),
        confirmed_at=_instant(form, "confirmed_at"),
        reason=text_of(form, "reason") or None,
    )


_READERS: dict[str, Reader] = {
    "dismiss": _dismiss,
    "date": _date,
    "learn": _learn,
    "withhold": _withhold,
    "propose": _propose,
    "approve": _approve,
    "decline": _decline,
    "hold": _hold,
    "lift": _lift,
    "done": _done,
    "adopt-terms": _adopt,
    "add": _add,
}


def _instant(form: FormData, name: str) -> datetime | None:
    return read_instant(text_of(form, name), text_of(form, "zone"), name)


def _chosen(form: FormData, name: str, what: str) -> str:
    value = text_of(form, name)
    if not value:
        raise InvalidInput(f"{what} is not chosen.", where=name, next_step="Choose one.")
    return value


def _id(form: FormData, name: str) -> UUID:
    try:
        return UUID(text_of(form, name))
    except ValueError:
        raise InvalidInput("This form is incomplete.", next_step="Reload the page, and try again.") from None
