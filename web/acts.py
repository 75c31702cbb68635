"""What an officer decides about a case on its page: one address for each act of its kind."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from models.errors import DuenoticeError, NotFound
from records.queries.cases import kind_of_case
from web.act_forms import read_act
from web.cases import show_refusal
from web.site import CheckedForm, SignedIn, TheSite, text_of

router = APIRouter(prefix="/cases/{case_id}/acts", include_in_schema=False)


@router.post("/{act}")
async def act(
    request: Request, site: TheSite, session: SignedIn, case_id: UUID, act: str, form: CheckedForm
) -> Response:
    """Do what one of the page's forms asks; a refusal shows it again with what was typed."""
    kind = await asyncio.to_thread(kind_of_case, site.resources.database, case_id)
    found = next((known for known in kind.all_acts if known.act_name() == act), None)
    if found is None:
        raise NotFound("There is no such act.", next_step="Use the forms of the case's page.")
    try:
        asked = await read_act(found, form)
        sent_as = sent_as_of(text_of(form, "sent_as"))
        await site.to_the_end(site.service.take(case_id, asked, actor=session.actor, sent_as=sent_as))
    except DuenoticeError as error:
        return await show_refusal(request, site, case_id, error)
    return RedirectResponse(f"/cases/{case_id}?done={act}#acts", HTTPStatus.SEE_OTHER)


def sent_as_of(text: str) -> UUID | None:
    """The name that the page gave its form, so that a form sent twice is one act."""
    try:
        return UUID(text)
    except ValueError:
        return None
