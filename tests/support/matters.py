"""Dated matters that are recorded and played in virtual time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

from cases.intake import parse_intake
from cases.standing_duty import STANDING_DUTY, DatedMatter
from starter.case_service import CaseService
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import OFFICER, QUIET
from tests.support.officers import officer


def dated_matter(what: str, when: datetime | date, *agreements: str) -> DatedMatter:
    """A matter of which nothing else is told."""
    happened = {"kind": "instant", "at": when} if isinstance(when, datetime) else {"kind": "date", "first_day": when}
    given = {"title": "A matter", "matter": what, "happened": happened, "description": "What is planned."}
    return parse_intake(DatedMatter, given | {"agreements": agreements})


async def open_matter(engine: VirtualEngine, intake: DatedMatter, **settings: object) -> UUID:
    """Record a matter, and let its case come to rest."""
    changed = engine.resources.settings.model_copy(update=QUIET | settings)
    service = CaseService(replace(engine.resources, settings=changed))
    opened = await service.open_case(STANDING_DUTY, intake, actor=OFFICER, dates_confirmed=True)
    assert opened.clocks_run
    await engine.settle(opened.case_id)
    return opened.case_id


async def an_addendum_nobody_objects_to(engine: VirtualEngine) -> UUID:
    """An addendum to the schedule of data is told; sending it is its receipt, and silence lets it in."""
    case_id = await open_matter(engine, dated_matter("addendum.notice@schedule_changed", utc_now(), "OR-001"))
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    await engine.advance(case_id, timedelta(days=32))
    return case_id
