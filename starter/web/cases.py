"""The pages of cases: what is due next, one case whole, and the acts of an officer on it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from models.errors import DuenoticeError, InvalidInput
from models.words import DutyStatus, Verdict
from starter.answers import read_answers
from starter.costs import read_costs
from starter.kit import read_kit
from starter.reading import list_agreements, list_cases, read_case
from starter.views import CaseView, DutyView
from starter.web.failures import status_of
from starter.web.pages import problems_of
from starter.web.paging import cut
from starter.web.site import OWN_FORM, CheckedForm, SignedIn, Site, TheSite, text_of
from starter.web.times import iso, read_instant, zone_names

router = APIRouter(include_in_schema=False)

DUTIES_SHOWN = 50
EVIDENCE_SHOWN = 100
UNACKNOWLEDGED_SHOWN = 50
DOCUMENTS_SHOWN = 50

TYPED = ("confirmed_at", "zone", "element", "agreement", "amount", "note")
"""The fields of the page's forms, which keep what was typed when it is refused."""


@dataclass(frozen=True)
class Cohort:
    """The duties of a case that share clause and due instant; ``key`` names it in an address."""

    key: str
    clause: str
    title: str
    due_at: datetime | None
    duties: tuple[DutyView, ...]

    def count(self, *statuses: DutyStatus) -> int:
        """How many of its duties have one of these statuses."""
        return sum(duty.status in statuses for duty in self.duties)

    @property
    def late(self) -> int:
        """How many are overdue, or were discharged late."""
        return sum(duty.overdue or duty.verdict is Verdict.LATE for duty in self.duties)


def cohorts_of(duties: Sequence[DutyView]) -> tuple[Cohort, ...]:
    """The cohorts of some duties, the earliest due first; those that are not due yet come last."""
    grouped: defaultdict[tuple[str, datetime | None], list[DutyView]] = defaultdict(list)
    for duty in duties:
        grouped[duty.clause, duty.due_at].append(duty)
    cohorts = (
        Cohort(f"{clause}@{iso(due_at) if due_at else 'pending'}", clause, members[0].title, due_at, tuple(members))
        for (clause, due_at), members in grouped.items()
    )
    return tuple(sorted(cohorts, key=lambda cohort: (cohort.due_at is None, cohort.due_at, cohort.clause)))


@router.get("/")
def what_is_due(request: Request, site: TheSite) -> Response:
    """Every case, what is due next first; on a new installation, what to do first."""
    database = site.resources.database
    cases = list_cases(database, site.clock())
    return site.pages.show(
        request,
        "cases.html",
        cases=cases,
        has_agreements=bool(cases) or bool(list_agreements(database)),
    )


@router.get("/cases/{case_id}")
def case_page(request: Request, site: TheSite, case_id: UUID) -> Response:
    """One case: what is known, what is owed and why, what was sent, and the evidence."""
    return _show(request, site, read_case(site.resources.database, case_id, site.clock()))


@router.post("/cases/{case_id}/confirm")
async def confirm(request: Request, site: TheSite, session: SignedIn, case_id: UUID, form: CheckedForm) -> Response:
    """Confirm the breach as of an instant, which starts the clocks that run from confirmation."""
    try:
        confirmed_at = read_instant(text_of(form, "confirmed_at"), text_of(form, "zone"), "confirmed_at")
        if confirmed_at is None:
            raise InvalidInput(
                "Nothing says when it was confirmed.", where="confirmed_at", next_step="Give the date and time."
            )
        await site.to_the_end(site.office.confirm_breach(case_id, confirmed_at, actor=session.actor))
    except DuenoticeError as error:
        return await show_refusal(request, site, case_id, error)
    return RedirectResponse(f"/cases/{case_id}?done=confirmed", HTTPStatus.SEE_OTHER)


@router.post("/cases/{case_id}/release", dependencies=[OWN_FORM])
async def release(request: Request, site: TheSite, session: SignedIn, case_id: UUID) -> Response:
    """Release every notice of the case that waits for an officer."""
    try:
        await site.to_the_end(site.office.release_notices(case_id, actor=session.actor))
    except DuenoticeError as error:
        return await show_refusal(request, site, case_id, error)
    return RedirectResponse(f"/cases/{case_id}?done=released", HTTPStatus.SEE_OTHER)


async def show_refusal(request: Request, site: Site, case_id: UUID, error: DuenoticeError) -> Response:
    """The case page again, with the reason and with what was typed."""
    form = await request.form()
    case = await asyncio.to_thread(read_case, site.resources.database, case_id, site.clock())
    typed = {name: text_of(form, name) for name in TYPED}
    return await asyncio.to_thread(_show, request, site, case, error, typed)


def _show(
    request: Request,
    site: Site,
    case: CaseView,
    error: DuenoticeError | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    asked, database = request.query_params, site.resources.database
    cohorts = cohorts_of(case.duties)
    chosen = next((cohort for cohort in cohorts if cohort.key == asked.get("cohort")), None)
    listed = chosen.duties if chosen else tuple(duty for cohort in cohorts for duty in cohort.duties)
    zones = sorted({duty.time_zone for duty in case.duties})
    return site.pages.show(
        request,
        "case.html",
        status=status_of(error) if error else HTTPStatus.OK,
        case=case,
        cohorts=cohorts,
        chosen=chosen,
        duties=cut(listed, asked.get("page", "1"), DUTIES_SHOWN),
        evidence=cut(case.evidence, asked.get("evidence", "1"), EVIDENCE_SHOWN),
        done=asked.get("done"),
        problems=problems_of(error) if error else (),
        answers=read_answers(database, case.id, listed=UNACKNOWLEDGED_SHOWN),
        kit=read_kit(database, case.id, listed=DOCUMENTS_SHOWN),
        costs=read_costs(database, case.id),
        new_cost_id=uuid4(),
        typed=typed or dict.fromkeys(TYPED, ""),
        near_zones=zones,
        zones=zone_names(),
    )
