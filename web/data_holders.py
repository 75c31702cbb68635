"""The pages of what stands behind disposals: the subprocessors that hold data, and the legal holds that keep it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from agreements.legal_holds import lift_legal_hold, place_legal_hold, read_legal_holds
from agreements.subprocessors import import_subprocessors, read_subprocessors, remove_subprocessor
from models.errors import DuenoticeError, InvalidInput
from web.failures import status_of
from web.files import csv_of
from web.pages import problems_of
from web.site import OWN_FORM, CheckedForm, SignedIn, Site, TheSite, text_of

router = APIRouter(include_in_schema=False)


@router.get("/subprocessors")
def subprocessors_page(request: Request, site: TheSite) -> Response:
    """The subprocessors that hold data, and whom to ask."""
    return _show_subprocessors(request, site)


@router.post("/subprocessors")
async def import_file(request: Request, site: TheSite, session: SignedIn, form: CheckedForm) -> Response:
    """Load a CSV file, all of it or nothing, and list every line that is wrong."""
    try:
        name, text = await csv_of(form.get("file"), "subprocessors")
        result = await asyncio.to_thread(
            import_subprocessors,
            site.resources.database,
            text,
            file_name=name,
            now=site.clock(),
            actor=session.actor,
        )
    except DuenoticeError as error:
        return await asyncio.to_thread(_show_subprocessors, request, site, error)
    counts = f"added={result.added}&changed={result.changed}&unchanged={result.unchanged}"
    return RedirectResponse(f"/subprocessors?{counts}", HTTPStatus.SEE_OTHER)


@router.post("/subprocessors/{subprocessor_id}/remove", dependencies=[OWN_FORM])
def remove(site: TheSite, session: SignedIn, subprocessor_id: UUID) -> Response:
    """Take a subprocessor off the list."""
    remove_subprocessor(site.resources.database, subprocessor_id, now=site.clock(), actor=session.actor)
    return RedirectResponse("/subprocessors", HTTPStatus.SEE_OTHER)


@router.get("/legal-holds")
def legal_holds_page(request: Request, site: TheSite) -> Response:
    """The legal holds, those that last first."""
    return _show_holds(request, site)


@router.post("/legal-holds")
async def place(request: Request, site: TheSite, session: SignedIn, form: CheckedForm) -> Response:
    """Keep the data of one agreement, or of all."""
    try:
        _, cases = await asyncio.to_thread(
            place_legal_hold,
            site.resources.database,
            agreement=text_of(form, "agreement") or None,
            reason=text_of(form, "reason"),
            actor=session.actor,
            now=site.clock(),
        )
    except DuenoticeError as error:
        typed = {name: text_of(form, name) for name in ("agreement", "reason")}
        return await asyncio.to_thread(_show_holds, request, site, error, typed)
    return await _look_again(site, cases)


@router.post("/legal-holds/{hold_id}/lift")
async def lift(request: Request, site: TheSite, session: SignedIn, hold_id: UUID, form: CheckedForm) -> Response:
    """End a legal hold, with the reason."""
    try:
        cases = await asyncio.to_thread(
            lift_legal_hold,
            site.resources.database,
            hold_id,
            reason=text_of(form, "reason"),
            actor=session.actor,
            now=site.clock(),
        )
    except InvalidInput as error:
        return await asyncio.to_thread(_show_holds, request, site, error)
    return await _look_again(site, cases)


async def _look_again(site: Site, cases: tuple[UUID, ...]) -> Response:
    """Tell the cases whose data is concerned; one that cannot be reached now is told by the watchdog."""
    for case_id in cases:
        await site.service.look_again(case_id)
    return RedirectResponse("/legal-holds?done=yes", HTTPStatus.SEE_OTHER)


def _show_subprocessors(request: Request, site: Site, error: DuenoticeError | None = None) -> Response:
    asked = request.query_params
    return site.pages.show(
        request,
        "subprocessors.html",
        status=status_of(error) if error else HTTPStatus.OK,
        subprocessors=read_subprocessors(site.resources.database),
        imported={name: asked[name] for name in ("added", "changed", "unchanged") if name in asked},
        problems=problems_of(error) if error else (),
    )


def _show_holds(
    request: Request, site: Site, error: DuenoticeError | None = None, typed: dict[str, str] | None = None
) -> Response:
    return site.pages.show(
        request,
        "legal_holds.html",
        status=status_of(error) if error else HTTPStatus.OK,
        holds=read_legal_holds(site.resources.database),
        done=request.query_params.get("done"),
        typed=typed or {"agreement": "", "reason": ""},
        problems=problems_of(error) if error else (),
    )
