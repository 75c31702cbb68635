"""Duties of all cases, searched for: a page for people, the same as JSON, and as a CSV file to take away."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from config.database import Database
from models.errors import DuenoticeError, InvalidFields, InvalidInput
from queries.agreements import agreement_states
from queries.case_lists import case_kinds
from queries.duty_search import (
    MET_IN_WORDS,
    DutyPlace,
    DutySearch,
    FoundDuties,
    FoundDuty,
    Met,
    find_duties,
)
from terms.catalogue import Catalogue
from web.api import Limit
from web.failures import status_of
from web.files import harmless_cell
from web.pages import problems_of
from web.paging import asked_text
from web.rights import DUTIES_FILE_PATH
from web.site import TheSite

router = APIRouter()

SHOWN = 50
"""How many duties a page has."""

_ROWS_A_QUERY = 200

COLUMNS = (
    "lea",
    "agreement",
    "state",
    "form",
    "clause",
    "duty",
    "case",
    "case_kind",
    "owed_by",
    "due_utc",
    "due_local",
    "performed_utc",
    "stands",
    "late_by",
    "why",
    "proofs",
)

Text = Annotated[str, Query(max_length=300, pattern=r"^[^\x00]*$")]


@router.get("/api/duties")
def duties(
    site: TheSite,
    district: Text = "",
    agreement: Text = "",
    state: Text = "",
    clause: Text = "",
    kind: Text = "",
    met: Met | None = None,
    since: Annotated[date | None, Query(alias="from")] = None,
    until: Annotated[date | None, Query(alias="to")] = None,
    after: Text = "",
    limit: Limit = 100,
) -> FoundDuties:
    """Some of the duties of all cases, the last due first, each with why, what became of it, and its proofs.

    ``district`` is in the name of the LEA or in its agreement's reference; ``from`` and ``to`` are days in UTC. The
    next part begins ``after`` what ``next`` names.
    """
    which = DutySearch(district, agreement, state, clause, kind, met, since, until)
    place = DutyPlace.read(after) if after else None
    return find_duties(site.resources.database, which, site.clock(), after=place, limit=limit)


@router.get("/duties", include_in_schema=False)
def duties_page(request: Request, site: TheSite) -> Response:
    """The same as a page, with what can be searched for."""
    asked, database = request.query_params, site.resources.database
    problem: DuenoticeError | None = None
    found, which = FoundDuties(items=(), total=0, next=None), DutySearch()
    try:
        which = search_of(asked)
        after = asked_text(asked, "after")
        place = DutyPlace.read(after) if after else None
        found = find_duties(database, which, site.clock(), after=place, limit=SHOWN)
    except DuenoticeError as error:
        problem = error
    return site.pages.show(
        request,
        "duty_search.html",
        status=status_of(problem) if problem else 200,
        asked={name: asked_text(asked, name) for name in ("district", "agreement", "clause", "from", "to")},
        which=which,
        found=found,
        goes_on=f"/duties?{urlencode(_address_of(which) | {'after': found.next})}" if found.next else None,
        begins=f"/duties?{urlencode(_address_of(which))}" if asked.get("after") else None,
        file=f"{DUTIES_FILE_PATH}?{urlencode(_address_of(which))}",
        met_words=MET_IN_WORDS,
        kinds=case_kinds(database),
        states=agreement_states(database),
        clauses=clause_ids(site.resources.catalogue),
        problems=problems_of(problem) if problem else (),
    )


@router.get(DUTIES_FILE_PATH, include_in_schema=False)
def duties_file(request: Request, site: TheSite) -> Response:
    """All duties that are found, as a CSV file, with the reasons of each."""
    which, database, now = search_of(request.query_params), site.resources.database, site.clock()
    return StreamingResponse(
        _lines(database, which, now, site.resources.settings.public_url),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="duties.csv"'},
    )


def search_of(asked: Mapping[str, str]) -> DutySearch:
    """What an address searches for; a word that there is not is left open.

    Raises:
        InvalidFields: a day is none, or the first one is after the last.
    """
    texts = {name: asked_text(asked, name).strip() for name in ("district", "agreement", "state", "clause", "kind")}
    days: dict[str, date | None] = {}
    problems = []
    for name in ("from", "to"):
        try:
            days[name] = date.fromisoformat(given) if (given := asked_text(asked, name).strip()) else None
        except ValueError:
            problems.append(InvalidInput("This is no day.", where=name, next_step="Write it as 2026-03-07."))
    if problems:
        raise InvalidFields(tuple(problems))
    first, last = days["from"], days["to"]
    if first and last and first > last:
        raise InvalidFields((InvalidInput("The last day is before the first one.", where="to"),))
    met = next((word for word in Met if word.value == asked.get("met")), None)
    return DutySearch(**texts, met=met, since=first, until=last)


def _address_of(which: DutySearch) -> dict[str, str]:
    names = {"since": "from", "until": "to"}
    return {names.get(name, name): value for name, value in which.asked.items()}


def clause_ids(catalogue: Catalogue) -> tuple[str, ...]:
    """Every clause of every form, in alphabetical order."""
    return tuple(sorted(frozenset().union(*(form.clause_ids for form in catalogue.forms.values()))))


def _lines(database: Database, which: DutySearch, now: datetime, site: str) -> Iterator[str]:
    """The file's lines, a part at a time."""
    yield _line(COLUMNS)
    place: DutyPlace | None = None
    while True:
        found = find_duties(database, which, now, after=place, limit=_ROWS_A_QUERY)
        yield "".join(_line(_cells(duty, site)) for duty in found.items)
        if found.next is None:
            return
        place = DutyPlace.read(found.next)


def _cells(duty: FoundDuty, site: str) -> tuple[str, ...]:
    return (
        duty.lea_name,
        duty.reference,
        duty.state,
        duty.form,
        duty.clause,
        duty.title,
        str(duty.case_id),
        duty.case_kind,
        duty.owed_by,
        duty.due_at.isoformat() if duty.due_at else "",
        duty.due_local,
        duty.performed_at.isoformat() if duty.performed_at else "",
        duty.stands,
        duty.late_by,
        " ".join(duty.why),
        " | ".join(f"{proof.says}: {site}{proof.link}" for proof in duty.proofs),
    )


def _line(cells: tuple[str, ...]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow([harmless_cell(cell) for cell in cells])
    return written.getvalue()
