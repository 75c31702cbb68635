"""The public form by which a parent or student who asks the provider is told whom to ask, without an account.

What it answers is the same whatever is known here: nothing is looked up when a request arrives, so neither its words
nor its time tell whether a student or a district is known. An officer finds the district, and only then anybody is
written to, so that no stranger can have us fill somebody's mailbox.
"""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from cases.fields import FormField, Shape, fields_of
from cases.intake import check_intake, parse_intake
from cases.referral import REFERRAL, DirectRequest
from ledger.actors import PUBLIC_FORM
from models.enums import Party
from models.errors import DuenoticeError, InvalidFields, NotFound
from records.parties import contact_problems
from web.failures import status_of, told_when
from web.opening_form import PERSON_PARTS
from web.pages import problems_of
from web.quotas import TooManyTries
from web.rights import REQUEST_PATH
from web.site import Site, TheSite, text_of
from web.strangers import address_of

router = APIRouter(include_in_schema=False)

TITLE = "Sent by the public form"
"""By which officers know such a case, besides what it shows."""

ASKED = ("asks_as", "district", "asked_for", "request")
"""The fields of a request that the form asks for, besides who asks."""

LABELS = {
    "asker.name": "Your name",
    "asker.email": "Your e-mail address",
    "asker.phone": "Your telephone number",
    "asks_as": "Who you are",
    "district": "Your school or school district",
    "asked_for": "What you ask for",
    "request": "Your request",
}
"""What the form calls each field, for whoever asks."""


@router.get(REQUEST_PATH)
def form_page(request: Request, site: TheSite) -> Response:
    """The form, or that a request has arrived."""
    _check_open(site)
    return _show(request, site, sent=request.query_params.get("sent") == "yes")


@router.post(REQUEST_PATH)
async def send(request: Request, site: TheSite) -> Response:
    """Keep a request for an officer; what is wrong shows the form again, with what was typed."""
    _check_open(site)
    form = await request.form()
    try:
        asked = _read(form, site)
    except InvalidFields as error:
        return _show(request, site, form, error)
    try:
        await run_in_threadpool(site.quotas.direct_requests.check, address_of(request))
    except TooManyTries as error:
        return _show(request, site, form, error)
    session = request.state.session
    opening = site.service.open_case(
        REFERRAL, asked, actor=session.actor if session else PUBLIC_FORM, from_outside=True
    )
    await site.to_the_end(opening)
    return RedirectResponse(f"{REQUEST_PATH}?sent=yes", HTTPStatus.SEE_OTHER)


def _check_open(site: Site) -> None:
    """A form that is switched off is not there; a district is asked directly by its own ways."""
    settings = site.resources.settings
    if not settings.public_requests or settings.side is not Party.PROVIDER:
        raise NotFound("There is nothing at this address.", next_step="Write to your school district.")


def _read(form: FormData, site: Site) -> DirectRequest:
    """The request that a form gives.

    Raises:
        InvalidFields: with everything that is wrong at once.
    """
    now = site.clock()
    given = {name: text for name in ASKED if (text := text_of(form, name))}
    asker = {part: text for part in PERSON_PARTS if (text := text_of(form, part))}
    asked = parse_intake(DirectRequest, given | {"title": TITLE, "asked_directly": now.date(), "asker": asker})
    check_intake(asked, now)
    if problems := tuple(contact_problems(asked)):
        raise InvalidFields(problems)
    return asked


def _show(
    request: Request,
    site: Site,
    form: FormData | None = None,
    error: DuenoticeError | None = None,
    *,
    sent: bool = False,
) -> Response:
    problems = problems_of(error) if error else ()
    page = site.pages.show(
        request,
        "referral.html",
        status=status_of(error) if error else HTTPStatus.OK,
        fields=_fields(),
        labels=LABELS,
        typed={name: text_of(form, name) if form else "" for name in (*ASKED, *PERSON_PARTS)},
        problems=problems,
        sent=sent,
    )
    return told_when(page, error)


def _fields() -> tuple[FormField, ...]:
    by_name = {one.name: one for one in fields_of(DirectRequest) if one.shape is not Shape.PERSON}
    return tuple(by_name[name] for name in ASKED)
