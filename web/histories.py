"""What Temporal keeps of a case's workflow beside the ledger: a page for people, and the same as JSON."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from models.enums import Reading
from models.errors import Unavailable
from queries.cases import read_case_head
from starter.history.beside import HistoryView, read_beside, view_of
from starter.history.comparing import Standing
from web.api import Limit, Offset
from web.failures import status_of
from web.paging import read_page
from web.site import SignedIn, TheSite

router = APIRouter()

LINES_SHOWN = 100


@router.get("/api/cases/{case_id}/history")
async def history(
    site: TheSite,
    session: SignedIn,
    case_id: UUID,
    only: Annotated[Standing | None, Query(description="Only lines that stand so.")] = None,
    offset: Offset = 0,
    limit: Limit = 100,
) -> HistoryView:
    """Some of what Temporal keeps of a case, decoded, beside the entries of the ledger, and whether they agree."""
    await asyncio.to_thread(site.note_read, session, case_id, Reading.HISTORY)
    return view_of(await read_beside(site.resources, case_id, site.clock()), only, offset=offset, limit=limit)


@router.get("/cases/{case_id}/history", include_in_schema=False)
async def history_page(request: Request, site: TheSite, session: SignedIn, case_id: UUID) -> Response:
    """The same as a time line; while Temporal is away, the page says so."""
    await asyncio.to_thread(site.note_read, session, case_id, Reading.HISTORY)
    asked = request.query_params
    only = next((standing for standing in Standing if standing.value == asked.get("only")), None)
    case = await asyncio.to_thread(read_case_head, site.resources.database, case_id, site.clock())
    try:
        found = await read_beside(site.resources, case_id, site.clock())
    except Unavailable as error:
        return site.pages.show(request, "history.html", status=status_of(error), case=case, away=error)
    lines = read_page(
        lambda offset, limit: ((view := view_of(found, only, offset=offset, limit=limit)).items, view.total),
        asked.get("page", "1"),
        LINES_SHOWN,
    )
    return site.pages.show(
        request,
        "history.html",
        case=case,
        away=None,
        found=view_of(found, only, offset=0, limit=0),
        lines=lines,
        only=only,
        standings=tuple(Standing),
    )
