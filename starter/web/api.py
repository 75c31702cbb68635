"""The same acts and pictures for programs, in JSON, under the same session."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from models.incident import IncidentReport
from models.messages import CaseStanding
from starter.reading import list_cases, read_case
from starter.views import CaseRow, CaseView
from starter.web.site import SignedIn, TheSite

router = APIRouter(prefix="/api")


class Reported(BaseModel):
    """The case of a report; ``existed`` if the same report had opened it before."""

    case_id: UUID
    existed: bool


class Confirmation(BaseModel):
    """When the breach was confirmed, with its offset."""

    model_config = ConfigDict(extra="forbid")

    confirmed_at: datetime


@router.post("/incidents", status_code=HTTPStatus.CREATED)
async def report_incident(site: TheSite, session: SignedIn, report: IncidentReport, response: Response) -> Reported:
    """Open a case for a suspected breach: 201, or 200 with the same case if it was reported before."""
    reported = await site.to_the_end(site.office.report_breach(report, actor=session.actor))
    if reported.existed:
        response.status_code = HTTPStatus.OK
    response.headers["Location"] = f"/api/cases/{reported.case_id}"
    return Reported(case_id=reported.case_id, existed=reported.existed)


@router.get("/cases")
def all_cases(site: TheSite) -> tuple[CaseRow, ...]:
    """Every case."""
    return list_cases(site.resources.database, site.clock())


@router.get("/cases/{case_id}")
def one_case(site: TheSite, case_id: UUID) -> CaseView:
    """One case, whole."""
    return read_case(site.resources.database, case_id, site.clock())


@router.post("/cases/{case_id}/confirm")
async def confirm(site: TheSite, session: SignedIn, case_id: UUID, confirmation: Confirmation) -> CaseStanding:
    """Confirm the breach, which starts the clocks that run from confirmation."""
    return await site.to_the_end(site.office.confirm_breach(case_id, confirmation.confirmed_at, actor=session.actor))


@router.post("/cases/{case_id}/release")
async def release(site: TheSite, session: SignedIn, case_id: UUID) -> CaseStanding:
    """Release every notice of the case that waits for an officer."""
    return await site.to_the_end(site.office.release_notices(case_id, actor=session.actor))
