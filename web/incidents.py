"""The page on which a person reports a suspected breach."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from cases.breach import BREACH
from models.errors import DuenoticeError
from records.queries.cases import agreement_kinds
from web.failures import status_of
from web.form import LABELS, IncidentForm, in_form_order, label_of, offered_data_types
from web.pages import problems_of
from web.site import CheckedForm, SignedIn, Site, TheSite, text_of
from web.times import zone_names

router = APIRouter(include_in_schema=False)


@router.get("/incidents/new")
def new_incident(request: Request, site: TheSite) -> Response:
    """The form, with whom districts may ask filled in from the settings."""
    contact = site.resources.settings.organisation.security_contact
    form = IncidentForm(
        point_of_contact_name=contact.name, point_of_contact_email=contact.email, point_of_contact_phone=contact.phone
    )
    return _show(request, site, form)


@router.post("/incidents/new")
async def report_incident(request: Request, site: TheSite, session: SignedIn, posted: CheckedForm) -> Response:
    """Open a case; or show the form again with every value kept and everything that is wrong."""
    form = IncidentForm.read(posted)
    act = text_of(posted, "act")
    if act != "report":
        return await asyncio.to_thread(_show, request, site, form, act=act)
    try:
        report = form.report(site.clock())
        reported = await site.to_the_end(site.service.open_case(BREACH, report, actor=session.actor))
    except DuenoticeError as error:
        return await asyncio.to_thread(_show, request, site, form, error=error)
    done = "already" if reported.existed else "reported"
    return RedirectResponse(f"/cases/{reported.case_id}?done={done}", HTTPStatus.SEE_OTHER)


def _show(
    request: Request, site: Site, form: IncidentForm, *, act: str = "", error: DuenoticeError | None = None
) -> Response:
    database = site.resources.database
    kinds = agreement_kinds(database)
    if act:
        form = form.choosing(form.choice.after(act, database))
    problems = in_form_order(problems_of(error)) if error else ()
    return site.pages.show(
        request,
        "incident.html",
        status=status_of(error) if error else HTTPStatus.OK,
        form=form,
        labels=LABELS,
        waits_for_release=site.resources.settings.release == "officer",
        problems=problems,
        faulty={problem.where for problem in problems},
        label_of=label_of,
        data_types=offered_data_types(),
        near_zones=kinds.zones,
        zones=zone_names(),
        shown=form.choice.shown(database),
        has_agreements=kinds.total > 0,
        states=kinds.states,
        forms=kinds.forms,
    )
