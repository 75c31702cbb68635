"""The links that a party holds in a case: an officer replaces them, or takes them back."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from models.errors import DuenoticeError
from queries.cases import read_case_head
from records.links import read_links, revoke_links
from starter.link_mails import replace_and_mail_links
from web.failures import status_of
from web.pages import problems_of
from web.site import CheckedForm, SignedIn, Site, TheSite, id_of, incomplete, text_of

router = APIRouter(prefix="/cases/{case_id}/notices/{notice_id}/link", include_in_schema=False)


@router.get("")
def links_page(request: Request, site: TheSite, case_id: UUID, notice_id: UUID) -> Response:
    """The links of the party that was told by a notice; none of them is shown, since each is its reader's alone."""
    return _show(request, site, case_id, notice_id)


@router.post("")
async def change_links(
    request: Request, site: TheSite, session: SignedIn, case_id: UUID, notice_id: UUID, form: CheckedForm
) -> Response:
    """Replace the links and mail the new ones, or take them back: whichever of the page's forms was sent."""
    resources, now, act, reason = site.resources, site.clock(), text_of(form, "act"), text_of(form, "reason")
    try:
        match act:
            case "replace":
                replacing = replace_and_mail_links(
                    resources.database,
                    resources.settings,
                    resources.keyring,
                    case_id,
                    notice_id,
                    id_of(text_of(form, "contact")),
                    reason,
                    actor=session.actor,
                    now=now,
                )
                await site.to_the_end(replacing)
            case "revoke":
                await asyncio.to_thread(
                    revoke_links, resources.database, case_id, notice_id, reason, actor=session.actor, now=now
                )
            case _:
                raise incomplete()
    except DuenoticeError as error:
        return await asyncio.to_thread(_show, request, site, case_id, notice_id, error, reason)
    return RedirectResponse(f"{request.url.path}?done={act}", HTTPStatus.SEE_OTHER)


def _show(
    request: Request,
    site: Site,
    case_id: UUID,
    notice_id: UUID,
    error: DuenoticeError | None = None,
    reason: str = "",
) -> Response:
    database, now = site.resources.database, site.clock()
    return site.pages.show(
        request,
        "notice_links.html",
        status=status_of(error) if error else HTTPStatus.OK,
        case=read_case_head(database, case_id, now),
        held=read_links(database, case_id, notice_id, site.links_last),
        done=request.query_params.get("done"),
        problems=problems_of(error) if error else (),
        reason=reason,
    )
