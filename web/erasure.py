"""How long cases are kept, and the erasing of one: proposed here or by command, and decided here by a second person."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from cases.kinds import KINDS
from models.errors import DuenoticeError, InvalidInput
from queries.cases import read_case_head
from records.erasure import approve_erasure, decline_erasure, propose_erasure, read_erasable, read_erasure
from terms.retention import rules_by_kind
from web.failures import status_of
from web.pages import problems_of
from web.paging import read_page
from web.rights import APPROVE_ERASURE_PATH, DECLINE_ERASURE_PATH
from web.site import OWN_FORM, CheckedForm, SignedIn, Site, TheSite, text_of

router = APIRouter(include_in_schema=False)

CASES_SHOWN = 50


@router.get("/retention")
def retention_page(request: Request, site: TheSite) -> Response:
    """How long what is kept of a case has to be kept, by kind and state, and the cases whose time is over."""
    defaults, now = site.resources.settings.defaults, site.clock()
    return site.pages.show(
        request,
        "retention.html",
        kinds={name: kind.label for name, kind in KINDS.items()},
        rules=rules_by_kind(),
        default=defaults.retention_years,
        cases=read_page(
            lambda offset, limit: read_erasable(site.resources.database, now, defaults, offset=offset, limit=limit),
            request.query_params.get("page", "1"),
            CASES_SHOWN,
        ),
    )


@router.get("/cases/{case_id}/erasure")
def erasure_page(request: Request, site: TheSite, case_id: UUID) -> Response:
    """Whether a case can be erased, what is proposed, and what was decided."""
    return _show(request, site, case_id)


@router.post("/cases/{case_id}/erasure")
async def propose(request: Request, site: TheSite, session: SignedIn, case_id: UUID, form: CheckedForm) -> Response:
    """Propose that the personal data of a closed case be erased."""
    try:
        await asyncio.to_thread(
            propose_erasure,
            site.resources.database,
            case_id,
            reason=text_of(form, "reason"),
            actor=session.actor,
            now=site.clock(),
            defaults=site.resources.settings.defaults,
            authenticated=session.authenticated,
        )
    except InvalidInput as error:
        return await asyncio.to_thread(_show, request, site, case_id, error)
    return _back(case_id)


@router.post(APPROVE_ERASURE_PATH, dependencies=[OWN_FORM])
def approve(site: TheSite, session: SignedIn, case_id: UUID, erasure_id: UUID) -> Response:
    """Erase the personal data of a case, as a second person."""
    approve_erasure(
        site.resources.database,
        case_id,
        erasure_id,
        actor=session.actor,
        now=site.clock(),
        defaults=site.resources.settings.defaults,
        authenticated=session.authenticated,
    )
    return _back(case_id)


@router.post(DECLINE_ERASURE_PATH, dependencies=[OWN_FORM])
def decline(site: TheSite, session: SignedIn, case_id: UUID, erasure_id: UUID) -> Response:
    """Decline it, or take one's own proposal back."""
    decline_erasure(
        site.resources.database,
        case_id,
        erasure_id,
        actor=session.actor,
        now=site.clock(),
        authenticated=session.authenticated,
    )
    return _back(case_id)


def _back(case_id: UUID) -> Response:
    return RedirectResponse(f"/cases/{case_id}/erasure", HTTPStatus.SEE_OTHER)


def _show(request: Request, site: Site, case_id: UUID, error: DuenoticeError | None = None) -> Response:
    database, now = site.resources.database, site.clock()
    return site.pages.show(
        request,
        "erasure.html",
        status=status_of(error) if error else HTTPStatus.OK,
        case=read_case_head(database, case_id, now),
        erasure=read_erasure(database, case_id, now, site.resources.settings.defaults),
        problems=problems_of(error) if error else (),
    )
