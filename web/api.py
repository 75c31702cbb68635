"""The same acts and pictures for programs, in JSON, under the same session."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Generic, TypeAlias, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from cases.incident import IncidentReport
from cases.messages import CaseSummary
from models.enums import CaseStatus, DutyStatus
from records.queries.cases import (
    CaseFilter,
    DutyFilter,
    list_cases,
    read_case,
    read_case_head,
    read_cohorts,
    read_duties,
    read_evidence,
    read_progress,
)
from records.queries.views import CaseHead, CaseRow, CaseView, CohortView, DutyView, EvidenceView, ProgressView
from starter.acts import AnyAct, Carried, carry_out
from web.paging import LAST_OFFSET
from web.site import SignedIn, TheSite

router = APIRouter(prefix="/api")

Item = TypeVar("Item")
Offset: TypeAlias = Annotated[int, Query(ge=0, le=LAST_OFFSET)]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=1000)]
Word: TypeAlias = Annotated[str | None, Query(pattern=r"^[\w-]*$")]
"""One of a set of words that the data decide on, such as a state."""


class Reported(BaseModel):
    """The case of a report; ``existed`` if the same report had opened it before."""

    case_id: UUID
    existed: bool


class Part(BaseModel, Generic[Item]):
    """Some items of a list, and how many it has in all."""

    items: tuple[Item, ...]
    total: int


class Confirmation(BaseModel):
    """When the breach was confirmed, with its offset."""

    model_config = ConfigDict(extra="forbid")

    confirmed_at: datetime


@router.post("/incidents", status_code=HTTPStatus.CREATED)
async def report_incident(site: TheSite, session: SignedIn, report: IncidentReport, response: Response) -> Reported:
    """Open a case for a suspected breach: 201, or 200 with the same case if it was reported before."""
    reported = await site.to_the_end(site.service.report_breach(report, actor=session.actor))
    if reported.existed:
        response.status_code = HTTPStatus.OK
    response.headers["Location"] = f"/api/cases/{reported.case_id}"
    return Reported(case_id=reported.case_id, existed=reported.existed)


@router.get("/cases")
def cases(
    site: TheSite, status: CaseStatus | None = None, kind: Word = None, offset: Offset = 0, limit: Limit = 100
) -> Part[CaseRow]:
    """Some of the cases, what is due soonest first: in one status, of one kind, or all."""
    which = CaseFilter(status=status, kind=kind)
    items, total = list_cases(site.resources.database, site.clock(), which, offset=offset, limit=limit)
    return Part(items=items, total=total)


@router.get("/cases/{case_id}")
def one_case(site: TheSite, case_id: UUID) -> CaseView:
    """One case, whole."""
    return read_case(site.resources.database, case_id, site.clock())


@router.get("/cases/{case_id}/head")
def case_head(site: TheSite, case_id: UUID) -> CaseHead:
    """One case without its duties and evidence, which are read a part at a time."""
    return read_case_head(site.resources.database, case_id, site.clock())


@router.get("/cases/{case_id}/cohorts")
def cohorts(site: TheSite, case_id: UUID) -> tuple[CohortView, ...]:
    """The duties of a case, counted by clause and due instant, overdue ones first."""
    return read_cohorts(site.resources.database, case_id, site.clock())


@router.get("/cases/{case_id}/duties")
def duties(
    site: TheSite,
    case_id: UUID,
    state: Word = None,
    status: DutyStatus | None = None,
    offset: Offset = 0,
    limit: Limit = 100,
) -> Part[DutyView]:
    """Some of the duties of a case, overdue ones first: of one state, in one status, or all."""
    which = DutyFilter(state=state, status=status)
    items, total = read_duties(site.resources.database, case_id, site.clock(), which, offset=offset, limit=limit)
    return Part(items=items, total=total)


@router.get("/cases/{case_id}/evidence")
def evidence(site: TheSite, case_id: UUID, offset: Offset = 0, limit: Limit = 100) -> Part[EvidenceView]:
    """Some of the evidence of a case, in order."""
    items, total = read_evidence(site.resources.database, case_id, offset=offset, limit=limit)
    return Part(items=items, total=total)


@router.get("/cases/{case_id}/progress")
def progress(site: TheSite, case_id: UUID) -> tuple[ProgressView, ...]:
    """How far the notices that are being sent have come; none once nothing is being sent."""
    return read_progress(site.resources.database, case_id)


@router.post("/cases/{case_id}/acts")
async def act(site: TheSite, session: SignedIn, case_id: UUID, asked: AnyAct) -> Carried:
    """Do what an officer decides; every act of the pages and of the command line is one of these."""
    return await site.to_the_end(carry_out(site.service, site.resources.database, case_id, asked, actor=session.actor))


@router.post("/cases/{case_id}/confirm")
async def confirm(site: TheSite, session: SignedIn, case_id: UUID, confirmation: Confirmation) -> CaseSummary:
    """Confirm the breach, which starts the clocks that run from confirmation."""
    return await site.to_the_end(site.service.confirm_breach(case_id, confirmation.confirmed_at, actor=session.actor))


@router.post("/cases/{case_id}/release")
async def release(site: TheSite, session: SignedIn, case_id: UUID) -> CaseSummary:
    """Release every notice of the case that waits for an officer."""
    return await site.to_the_end(site.service.release_notices(case_id, actor=session.actor))
