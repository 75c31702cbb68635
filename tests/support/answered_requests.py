"""Requests for access that are played in virtual time: entered, asked about, answered, corrected and confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from cases.acts import parse_act
from cases.parent_access import PARENT_ACCESS
from starter.case_service import CaseService
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.access_requests import access_request, corrected, given
from tests.support.incidents import OFFICER, QUIET
from tests.support.officers import officer

DAY = timedelta(days=1)


async def open_request_of_today(engine: VirtualEngine, reference: str, **changed: object) -> UUID:
    """Enter a request that an LEA made today, and let its case come to rest."""
    settings = engine.resources.settings.model_copy(update=QUIET)
    service = CaseService(replace(engine.resources, settings=settings))
    request = access_request(reference, requested_on=utc_now().date(), **changed)
    opened = await service.open_case(PARENT_ACCESS, request, actor=OFFICER)
    assert opened.clocks_run
    await engine.settle(opened.case_id)
    return opened.case_id


async def act(engine: VirtualEngine, case_id: UUID, says: Mapping[str, object]) -> None:
    """Do an act in a case, and let it come to rest."""
    await engine.service.take(case_id, parse_act(says), actor=OFFICER)
    await engine.settle(case_id)


async def give(engine: VirtualEngine, case_id: UUID) -> None:
    """Record now that the LEA was given what it asked for."""
    await act(engine, case_id, given(await engine.now(case_id)))


async def answered_and_corrected(engine: VirtualEngine, reference: str = "IL-001") -> UUID:
    """The LEA is asked what it means, finds an inaccuracy, is given the data, and told by letter of the correction."""
    case_id = await open_request_of_today(engine, reference)
    now = await engine.advance(case_id, DAY)
    await act(engine, case_id, {"act": "put-question", "asked_at": now, "question": "Which of two students is meant?"})
    now = await engine.advance(case_id, DAY)
    await act(engine, case_id, {"act": "record-answer", "answered_at": now, "answer": "The older one."})
    received = (await engine.now(case_id)).date()
    note = {
        "act": "note-inaccuracy",
        "received_on": received,
        "to_correct": "Born on 2 May, not on 5 February.",
    }
    await act(engine, case_id, note)
    await engine.advance(case_id, DAY)
    await give(engine, case_id)
    now = await engine.advance(case_id, 40 * DAY)
    await act(engine, case_id, corrected(now))
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    return case_id
