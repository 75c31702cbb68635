"""What an officer decides about a case on its page: one address for each act of its kind."""

from __future__ import annotations

import asyncio
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from cases.acts import Act
from cases.fields import Shape, fields_of
from models.errors import DoubtfulDates, DuenoticeError, NotFound
from queries.cases import kind_of_case
from web.act_forms import read_act
from web.cases import show_again, show_refusal
from web.checking import CHANGE, ToCheck, confirms_dates, in_words, kept_values, page_asked, show_check, was_checked
from web.sessions import Session
from web.site import CheckedForm, SignedIn, Site, TheSite, check_act, sent_as_of, text_of
from web.told import back_to

router = APIRouter(prefix="/cases/{case_id}/acts", include_in_schema=False)


@router.post("/{act}")
async def act(
    request: Request, site: TheSite, session: SignedIn, case_id: UUID, act: str, form: CheckedForm
) -> Response:
    """Do what one of the page's forms asks; a refusal shows it again with what was typed.

    What would follow from an act that starts clocks, or the letter that it sends, is shown first.
    """
    kind = await asyncio.to_thread(kind_of_case, site.resources.database, case_id)
    found = next((known for known in kind.all_acts if known.act_name() == act), None)
    if found is None:
        raise NotFound("There is no such act.", next_step="Use the forms of the case's page.")
    await check_act(site, session, found)
    if text_of(form, "act") == CHANGE:
        return await show_again(request, site, case_id)
    try:
        asked = await read_act(found, form)
        if found.is_checked_first() and not was_checked(form):
            return await _check(request, site, session, case_id, asked, form)
        taking = site.service.take(
            case_id,
            asked,
            actor=session.actor,
            authenticated=session.authenticated,
            sent_as=sent_as_of(text_of(form, "sent_as")),
            dates_confirmed=confirms_dates(form),
        )
        try:
            await site.to_the_end(taking)
        except DoubtfulDates as doubtful:
            return await _check(request, site, session, case_id, asked, form, doubtful)
    except DuenoticeError as error:
        return await show_refusal(request, site, case_id, error)
    return back_to(case_id, act)


async def _check(
    request: Request,
    site: Site,
    session: Session,
    case_id: UUID,
    act: Act,
    form: FormData,
    error: DuenoticeError | None = None,
) -> Response:
    """Show what would follow from an act; a list that came as a file goes on as text."""
    fields = fields_of(type(act))
    lists = {
        field.name: "\n".join(getattr(act, field.name).references)
        for field in fields
        if field.shape is Shape.REFERENCES
    }
    kept = [(name, value) for name, value in kept_values(form) if name not in lists]
    asked = ToCheck(
        title=act.says(),
        button="Send this letter" if act.sends_letter else "Record",
        address=f"/cases/{case_id}/acts/{act.act}",
        says={field.name: field.label for field in fields},
        given=in_words(act, fields, text_of(form, "zone")),
        kept=(*kept, *lists.items()),
    )
    checked = await site.service.check_act(case_id, act, actor=session.actor)
    return await asyncio.to_thread(show_check, request, site, asked, checked, page_asked(form), error)
