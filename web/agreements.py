"""The pages of agreements: finding them, and importing a file of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from agreements.importing import DEMO_FILE, ImportResult, import_agreements
from cases.acts import problems_of as problems_in
from models.enums import EndedBy, LifeAct
from models.errors import DuenoticeError, InvalidFields, InvalidInput, Refused
from queries.agreement_figures import read_figures
from queries.agreements import agreement_kinds, find_agreements, read_agreement
from queries.duty_search import MET_IN_WORDS
from queries.views import AgreementLifeView
from records.scope import AgreementFilter
from records.uploads import UploadedFile
from starter.agreement_service import AgreementService, Recorded
from starter.start import end_rules
from web.failures import status_of
from web.files import attachment, csv_of
from web.pages import problems_of
from web.paging import MOST_DIGITS, asked_text, read_page
from web.site import CheckedForm, SignedIn, Site, TheSite, text_of

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


@router.get("/agreements/example.csv")
def example() -> Response:
    """A file of fictional districts, to see how one is written, or to try the product with."""
    return attachment(UploadedFile("agreements-example.csv", DEMO_FILE.read_bytes(), "text/csv"))


@router.get("/agreements/{agreement_id}")
def agreement_page(request: Request, site: TheSite, agreement_id: UUID) -> Response:
    """One agreement: whether it is in force, what follows from its end, and the forms to record what becomes of it."""
    return _show_one(request, site, agreement_id)


@router.post("/agreements/{agreement_id}")
async def record_life(
    request: Request, site: TheSite, session: SignedIn, agreement_id: UUID, form: CheckedForm
) -> Response:
    """Record what became of an agreement."""
    typed = {name: text_of(form, name) for name in LifeRecord.model_fields}
    try:
        asked = parse_life(typed)
        await site.to_the_end(record_of(site, agreement_id, asked, session.actor))
    except (InvalidInput, Refused) as error:
        return await asyncio.to_thread(_show_one, request, site, agreement_id, typed, error)
    return RedirectResponse(f"/agreements/{agreement_id}?done=yes", HTTPStatus.SEE_OTHER)


class LifeRecord(BaseModel):
    """What somebody records of an agreement's life: ``on`` which day, ``by`` whom it was terminated, and why.

    ``on`` is the day of the termination, the new last day of a renewal, or the day of the LEA's notice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    act: LifeAct
    on: date | None = None
    by: EndedBy | None = None
    reason: str


def parse_life(typed: dict[str, str]) -> LifeRecord:
    """What a form says; what is left empty is not given.

    Raises:
        InvalidFields: something is not what it has to be; each problem names its field.
    """
    try:
        return LifeRecord.model_validate({"reason": ""} | {name: value for name, value in typed.items() if value})
    except ValidationError as error:
        raise InvalidFields(problems_in(error)) from None


async def record_of(site: Site, agreement_id: UUID, asked: LifeRecord, actor: str) -> Recorded:
    """Record what was asked of one agreement."""
    reference = (await asyncio.to_thread(life_of, site, agreement_id)).reference
    return await AgreementService(site.service).record(
        reference, asked.act, on=asked.on, by=asked.by, reason=asked.reason, actor=actor
    )


def life_of(site: Site, agreement_id: UUID) -> AgreementLifeView:
    """One agreement with its life so far."""
    return read_agreement(site.resources.database, agreement_id, end_rules(site.resources), site.clock())


def _show_one(
    request: Request,
    site: Site,
    agreement_id: UUID,
    typed: dict[str, str] | None = None,
    error: DuenoticeError | None = None,
) -> Response:
    return site.pages.show(
        request,
        "agreement.html",
        status=status_of(error) if error else HTTPStatus.OK,
        agreement=life_of(site, agreement_id),
        figures=read_figures(site.resources.database, agreement_id, site.clock()),
        met_words=MET_IN_WORDS,
        typed=typed or dict.fromkeys(LifeRecord.model_fields, ""),
        done=request.query_params.get("done"),
        problems=problems_of(error) if error else (),
    )


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
        leads=site.resources.leads,
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
        imported=_counts(asked),
        problems=problems_of(error) if error else (),
    )


def _counts(asked: Mapping[str, str]) -> dict[str, int]:
    """How many agreements a file that was just loaded brought, as the address of the page says."""
    given = {name: asked_text(asked, name) for name in ("added", "changed", "unchanged")}
    if not all(count.isdecimal() and len(count) < MOST_DIGITS for count in given.values()):
        return {}
    return {name: int(count) for name, count in given.items()}
