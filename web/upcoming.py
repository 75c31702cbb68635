"""What is coming across all agreements: a page for people, and the same as JSON."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from models.errors import DuenoticeError, InvalidInput
from queries.agreement_clauses import ClauseView, read_clauses
from queries.upcoming import DAYS, MOST_DAYS, Coming, Looking, UpcomingView, read_upcoming
from web.failures import status_of
from web.pages import problems_of
from web.paging import MOST_DIGITS, asked_text
from web.site import Site, TheSite

router = APIRouter()

SHOWN = 50
"""How many duties a page has."""

Days: TypeAlias = Annotated[int, Query(ge=0, le=MOST_DAYS, description="How far ahead to look.")]
Text: TypeAlias = Annotated[str, Query(max_length=300)]


class UpcomingPart(BaseModel):
    """Some of what is coming, soonest first; ``next`` is the ``after`` of what follows, if anything does."""

    items: tuple[UpcomingView, ...]
    next: str | None


@router.get("/api/upcoming")
def upcoming(
    site: TheSite,
    days: Days = DAYS,
    agreement: Text = "",
    clause: Text = "",
    after: Text = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> UpcomingPart:
    """Open duties of cases and due dates that have no case yet, soonest first, each with its reasons."""
    which = Coming(days, *(text.replace("\0", "") for text in (agreement, clause, after)))
    items, following = _read(site, which, limit)
    return UpcomingPart(items=items, next=following)


@router.get("/api/upcoming/clauses")
def clauses(site: TheSite, agreement: Text) -> tuple[ClauseView, ...]:
    """Every clause of one agreement's terms: what is due next under it, or why nothing is."""
    return _clauses(site, agreement.replace("\0", ""))


@router.get("/upcoming", include_in_schema=False)
def upcoming_page(request: Request, site: TheSite) -> Response:
    """What is coming; with ``all``, every clause of one agreement instead."""
    asked = request.query_params
    agreement, clause, after = (asked_text(asked, name).strip() for name in ("agreement", "clause", "after"))
    which = Coming(_days(asked_text(asked, "days")), agreement, clause, after)
    problem: DuenoticeError | None = None
    duties: tuple[UpcomingView, ...] = ()
    following: str | None = None
    every: tuple[ClauseView, ...] = ()
    try:
        if asked_text(asked, "all"):
            every = _clauses(site, agreement)
        else:
            duties, following = _read(site, which, SHOWN)
    except DuenoticeError as error:
        problem = error
    return site.pages.show(
        request,
        "upcoming.html",
        status=status_of(problem) if problem else 200,
        which=which,
        duties=duties,
        following=following,
        every=every,
        lead_days=site.resources.settings.standing_lead_days,
        wants_all=bool(asked_text(asked, "all")),
        problems=problems_of(problem) if problem else (),
    )


def _read(site: Site, which: Coming, limit: int) -> tuple[tuple[UpcomingView, ...], str | None]:
    resources = site.resources
    settings = resources.settings
    looking = Looking(resources.catalogue, settings.side, timedelta(days=settings.standing_lead_days))
    return read_upcoming(resources.database, looking, which, site.clock(), limit=limit)


def _clauses(site: Site, agreement: str) -> tuple[ClauseView, ...]:
    if not agreement:
        raise InvalidInput(
            "All clauses are those of one agreement.", where="agreement", next_step="Give its reference."
        )
    resources = site.resources
    settings = resources.settings
    return read_clauses(
        resources.database, resources.catalogue, settings.defaults, settings.side, agreement, site.clock()
    )


def _days(text: str) -> int:
    """How far ahead an address looks; a number that makes no sense gives the usual one."""
    known = text.isdecimal() and len(text) < MOST_DIGITS
    return min(int(text), MOST_DAYS) if known else DAYS
