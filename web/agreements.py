"""The pages of agreements: finding them, and importing a file of them."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from models.errors import DuenoticeError
from queries.agreements import agreement_kinds, find_agreements
from records.agreements import ImportResult, import_agreements
from records.scope import AgreementFilter
from web.failures import status_of
from web.files import csv_of
from web.pages import problems_of
from web.paging import asked_text, read_page
from web.site import CheckedForm, SignedIn, Site, TheSite

router = APIRouter(include_in_schema=False)

AGREEMENTS_SHOWN = 100


@router.get("/agreements")
def agreements_page(request: Request, site: TheSite) -> Response:
    """The agreements on file, filtered by ``find``, ``state`` and ``form``."""
    return _show(request, site)


@router.post("/agreements")
async def import_file(request: Request, site: TheSite, session: SignedIn, form: CheckedForm) -> Response:
    """Load a CSV file, all of it or nothing, and list every line that is wrong."""
    try:
        result = await site.to_the_end(_import(site, session.actor, form.get("file")))
    except DuenoticeError as error:
        return await asyncio.to_thread(_show, request, site, error)
    counts = f"added={result.added}&changed={result.changed}&unchanged={result.unchanged}"
    return RedirectResponse(f"/agreements?{counts}", HTTPStatus.SEE_OTHER)


async def _import(site: Site, actor: str, file: UploadFile | str | None) -> ImportResult:
    name, text = await csv_of(file, "agreements")
    return await asyncio.to_thread(
        import_agreements,
        site.resources.database,
        site.resources.catalogue,
        text,
        file_name=name,
        now=site.clock(),
        actor=actor,
        defaults=site.resources.settings.defaults,
    )


def _show(request: Request, site: Site, error: DuenoticeError | None = None) -> Response:
    asked = request.query_params
    database = site.resources.database
    kinds = agreement_kinds(database)
    wanted = AgreementFilter(*(asked_text(asked, name) for name in ("find", "state", "form")))
    return site.pages.show(
        request,
        "agreements.html",
        status=status_of(error) if error else HTTPStatus.OK,
        wanted=wanted,
        shown=read_page(
            lambda offset, limit: find_agreements(database, wanted, offset=offset, limit=limit),
            asked.get("page", "1"),
            AGREEMENTS_SHOWN,
        ),
        total=kinds.total,
        states=kinds.states,
        forms=kinds.forms,
        imported={name: asked[name] for name in ("added", "changed", "unchanged") if name in asked},
        problems=problems_of(error) if error else (),
    )
