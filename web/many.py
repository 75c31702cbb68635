"""The pages and routes on which many cases of a kind are opened from one CSV file.

The file is kept while it is checked and opened, by its SHA-256, and dropped a day later: what each case says is kept
with that case.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.responses import JSONResponse, RedirectResponse, Response

from cases.kind import Kind
from cases.kinds import kind_named
from cases.values import Sha256
from ledger.artifacts import fetch, store
from models.errors import DuenoticeError, InvalidInput, NotFound
from records.intake_files import (
    LARGEST_BYTES,
    MOST_ROWS,
    IntakeFile,
    columns_of,
    read_intakes,
    takes_files,
    template_of,
)
from records.uploads import UploadedFile
from starter.many_openings import CheckedFile, DueLine, Progress, require_sound
from web.api import Confirmed, DoubtfulDate, DryRun
from web.failures import status_of
from web.files import attachment
from web.pages import problems_of
from web.sessions import Session
from web.site import CheckedForm, SignedIn, Site, TheSite, incomplete, text_of

router = APIRouter(include_in_schema=False)

PAGE = "/cases/new/{kind}/many"
SHOWN = 200
"""How many problems, due dates or doubts a page lists; all are counted."""

_SHA256: TypeAdapter[str] = TypeAdapter(Sha256)


@router.get(PAGE)
def empty_page(request: Request, site: TheSite, kind: str) -> Response:
    """Where a file is chosen, with its columns."""
    return _show(request, site, _kind(kind))


@router.get(PAGE + "/template.csv")
def template(kind: str) -> Response:
    """The header that a file of this kind has."""
    found = _kind(kind)
    return attachment(UploadedFile(f"{found.name}.csv", template_of(found).encode(), "text/csv"))


@router.post(PAGE)
async def choose_or_open(
    request: Request, site: TheSite, session: SignedIn, kind: str, posted: CheckedForm
) -> Response:
    """Show what would follow from a file, and once that was checked, open its cases."""
    found = _kind(kind)
    try:
        sha256 = text_of(posted, "kept")
        if sha256:
            return await _open(request, site, session, found, sha256, posted)
        name, content = await _chosen(posted)
        file = await asyncio.to_thread(read_intakes, found, content, site.clock(), file_name=name)
        sha256 = await asyncio.to_thread(_keep, site, content)
        return await _check(request, site, found, sha256, file)
    except DuenoticeError as error:
        return await asyncio.to_thread(_show, request, site, found, error=error)


@router.get(PAGE + "/{sha256}")
def progress_page(request: Request, site: TheSite, kind: str, sha256: str) -> Response:
    """How far the opening of a file has come, and the button by which it goes on."""
    found = _kind(kind)
    file = _kept(site, found, sha256)
    return site.pages.show(
        request,
        "many_progress.html",
        kind=found,
        sha256=sha256,
        progress=site.openings.progress(found, file),
        bad_rows=file.bad_rows,
        under_way=site.openings.is_under_way(sha256),
        ended=problems_of(error) if (error := site.openings.why_ended(sha256)) else (),
        shown=SHOWN,
    )


class WouldOpen(BaseModel):
    """What would follow if the cases of a file were opened; ``doubts`` have to be confirmed for that."""

    rows: int
    open_already: int
    dues: tuple[DueLine, ...]
    doubts: tuple[DoubtfulDate, ...]


class OpeningFile(Progress):
    """How far the opening of a file has come, and whether it runs at present."""

    under_way: bool


CsvFile = Annotated[bytes, Body(media_type="text/csv")]


@router.post("/api/cases/new/{kind}/many", include_in_schema=True)
async def open_many(
    site: TheSite,
    session: SignedIn,
    kind: str,
    content: CsvFile,
    dry_run: DryRun = False,
    good_rows: bool = False,
    dates_confirmed: Confirmed = False,
) -> Response:
    """Open a case for each row of a CSV file: 202, and ``Location`` says how far that has come.

    Nothing is opened where something is wrong with a row, unless ``good_rows`` asks for the others alone.
    """
    found = _kind(kind)
    file = await asyncio.to_thread(read_intakes, found, content, site.clock(), file_name="file")
    checked = await asyncio.to_thread(site.openings.check, found, file)
    require_sound(checked, good_rows=good_rows, dates_confirmed=dates_confirmed or dry_run)
    if dry_run:
        return JSONResponse(_would_open(checked).model_dump(mode="json"))
    sha256 = await asyncio.to_thread(_keep, site, content)
    _begin(site, session, found, file, sha256, good_rows=good_rows, dates_confirmed=dates_confirmed)
    answer = _progress(site, found, sha256, file)
    where = {"Location": f"/api/cases/new/{found.name}/many/{sha256}"}
    return JSONResponse(answer.model_dump(mode="json"), HTTPStatus.ACCEPTED, where)


@router.get("/api/cases/new/{kind}/many/{sha256}", include_in_schema=True)
def progress(site: TheSite, kind: str, sha256: str) -> OpeningFile:
    """How far the opening of a file has come; the file posted again goes on."""
    found = _kind(kind)
    file = _kept(site, found, sha256)
    if (error := site.openings.why_ended(sha256)) and not site.openings.is_under_way(sha256):
        raise error
    return _progress(site, found, sha256, file)


def _kind(name: str) -> Kind:
    kind = kind_named(name)
    if not takes_files(kind):
        raise NotFound(f"Each {kind.label} case is opened by itself, since a file comes with it.")
    return kind


def _progress(site: Site, kind: Kind, sha256: str, file: IntakeFile) -> OpeningFile:
    come = site.openings.progress(kind, file)
    return OpeningFile(**come.model_dump(), under_way=site.openings.is_under_way(sha256))


def _would_open(checked: CheckedFile) -> WouldOpen:
    doubts = tuple(DoubtfulDate(where=doubt.where or "", message=doubt.message) for doubt in checked.doubts)
    return WouldOpen(rows=len(checked.rows), open_already=checked.open_already, dues=checked.dues, doubts=doubts)


async def _chosen(posted: FormData) -> tuple[str, bytes]:
    file = posted.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise InvalidInput("No file is chosen.", where="file", next_step="Choose a CSV file.")
    return file.filename, await file.read(LARGEST_BYTES + 1)


def _keep(site: Site, content: bytes) -> str:
    with site.resources.database.writing() as session:
        return store(session, content, "text/csv", site.clock(), claimed=False)


def _kept(site: Site, kind: Kind, sha256: str) -> IntakeFile:
    try:
        name = _SHA256.validate_python(sha256)
    except ValidationError:
        raise incomplete() from None
    with site.resources.database.reading() as session:
        content = fetch(session, name)
    return read_intakes(kind, content, site.clock(), file_name="file")


def _begin(
    site: Site,
    session: Session,
    kind: Kind,
    file: IntakeFile,
    sha256: str,
    *,
    good_rows: bool,
    dates_confirmed: bool,
) -> None:
    opening = site.openings.open(
        kind,
        file,
        actor=session.actor,
        authenticated=session.authenticated,
        good_rows=good_rows,
        dates_confirmed=dates_confirmed,
    )
    site.openings.begin(sha256, opening)


async def _open(request: Request, site: Site, session: Session, kind: Kind, sha256: str, posted: FormData) -> Response:
    file = await asyncio.to_thread(_kept, site, kind, sha256)
    good_rows, confirmed = bool(text_of(posted, "good_rows")), bool(text_of(posted, "dates_confirmed"))
    checked = await asyncio.to_thread(site.openings.check, kind, file)
    try:
        require_sound(checked, good_rows=good_rows, dates_confirmed=confirmed)
    except DuenoticeError as error:
        return await asyncio.to_thread(_show, request, site, kind, checked=checked, sha256=sha256, error=error)
    _begin(site, session, kind, file, sha256, good_rows=good_rows, dates_confirmed=confirmed)
    return RedirectResponse(f"/cases/new/{kind.name}/many/{sha256}", HTTPStatus.SEE_OTHER)


async def _check(request: Request, site: Site, kind: Kind, sha256: str, file: IntakeFile) -> Response:
    checked = await asyncio.to_thread(site.openings.check, kind, file)
    return await asyncio.to_thread(_show, request, site, kind, checked=checked, sha256=sha256)


def _show(
    request: Request,
    site: Site,
    kind: Kind,
    *,
    checked: CheckedFile | None = None,
    sha256: str = "",
    error: DuenoticeError | None = None,
) -> Response:
    problems = problems_of(error) if error else checked.problems if checked else ()
    return site.pages.show(
        request,
        "many.html",
        status=status_of(error) if error else HTTPStatus.OK,
        kind=kind,
        columns=columns_of(kind),
        checked=checked,
        sha256=sha256,
        problems=problems,
        error=error,
        most_rows=MOST_ROWS,
        shown=SHOWN,
    )
