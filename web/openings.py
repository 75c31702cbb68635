"""The pages on which a person opens a case, one for each kind, made from what the kind asks."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from cases.fields import Shape
from cases.intake import Intake
from cases.kinds import kind_named
from ledger.artifacts import store
from models.errors import DoubtfulDates, DuenoticeError
from queries.agreements import agreement_kinds
from records.choices import intake_fields
from records.intake_files import takes_files
from web.checking import CHANGE, ToCheck, confirms_dates, in_words, page_asked, show_check, was_checked
from web.failures import status_of
from web.files import files_of
from web.opening_form import OpeningForm, field_of, offered_lines
from web.pages import problems_of
from web.site import CheckedForm, SignedIn, Site, TheSite, text_of
from web.times import zone_names
from web.told import back_to

router = APIRouter(prefix="/cases/new", include_in_schema=False)

OPEN = "open"
"""The button that opens the case; the others look for agreements."""


@router.get("/{kind}")
def blank_form(request: Request, site: TheSite, kind: str) -> Response:
    """The form of a kind of case, with whom districts may ask filled in from the settings."""
    contact = site.resources.settings.organisation.security_contact
    return _show(request, site, OpeningForm.blank(kind_named(kind), contact))


@router.post("/{kind}")
async def open_case(request: Request, site: TheSite, session: SignedIn, kind: str, posted: CheckedForm) -> Response:
    """Show what would follow, and once that was checked, open a case.

    What is wrong shows the form again, with every value kept.
    """
    form = OpeningForm.read(kind_named(kind), posted)
    form = form.with_files(await _keep_files(site, form, posted))
    button = text_of(posted, "act")
    if button != OPEN and not page_asked(posted):
        return await asyncio.to_thread(_show, request, site, form, button="" if button == CHANGE else button)
    try:
        intake = form.intake(site.clock())
        if not was_checked(posted):
            return await _check(request, site, form, intake, session.actor, page_asked(posted))
        opening = site.service.open_case(
            form.kind,
            intake,
            actor=session.actor,
            authenticated=session.authenticated,
            dates_confirmed=confirms_dates(posted),
        )
        try:
            opened = await site.to_the_end(opening)
        except DoubtfulDates as doubtful:
            return await _check(request, site, form, intake, session.actor, error=doubtful)
    except DuenoticeError as error:
        return await asyncio.to_thread(_show, request, site, form, error=error)
    done = "already" if opened.existed else "opened"
    return back_to(opened.case_id, done)


async def _keep_files(site: Site, form: OpeningForm, posted: FormData) -> dict[str, str]:
    """Keep the files that were chosen, so that the pages that follow need only name them; by field, the SHA-256.

    What is never recorded is dropped a day later.
    """
    asked = [one.name for one in form.fields if one.shape is Shape.FILE]
    chosen = {name: (await files_of(posted, name))[:1] for name in asked}

    def keep() -> dict[str, str]:
        with site.resources.database.writing() as session:
            return {
                name: store(session, file.content, file.media_type, site.clock(), claimed=False)
                for name, files in chosen.items()
                for file in files
            }

    return await asyncio.to_thread(keep) if any(chosen.values()) else {}


async def _check(
    request: Request,
    site: Site,
    form: OpeningForm,
    intake: Intake,
    actor: str,
    page: str = "",
    error: DuenoticeError | None = None,
) -> Response:
    asked = ToCheck(
        title=form.kind.opening_title,
        button=form.kind.opening_title,
        address=f"/cases/new/{form.kind.name}",
        says={field.name: field.label for field in form.fields},
        given=in_words(intake, intake_fields(form.kind), form.typed["zone"]),
        kept=form.kept,
    )
    checked = await site.service.check_opening(form.kind, intake, actor=actor)
    return await asyncio.to_thread(show_check, request, site, asked, checked, page, error)


def _show(
    request: Request, site: Site, form: OpeningForm, *, button: str = "", error: DuenoticeError | None = None
) -> Response:
    database = site.resources.database
    kinds = agreement_kinds(database)
    if button:
        form = form.choosing(form.choice.after(button, database))
    problems = form.in_order(problems_of(error)) if error else ()
    return site.pages.show(
        request,
        "opening.html",
        takes_files=takes_files(form.kind),
        status=status_of(error) if error else HTTPStatus.OK,
        form=form,
        waits_for_release=site.resources.settings.release == "officer",
        problems=problems,
        faulty={problem.where for problem in problems},
        offered={one.name: offered_lines(one.offered) for one in form.fields if one.offered},
        field_of=field_of,
        near_zones=kinds.zones,
        zones=zone_names(),
        shown=form.choice.shown(database),
        has_agreements=kinds.total > 0,
        states=kinds.states,
        forms=kinds.forms,
    )
