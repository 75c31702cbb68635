"""Cases about one clause in virtual time: an order that forbids telling, and an addendum that nobody objects to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cases.standing_duty import CarriedOut
from models.enums import CaseStatus, DutyStatus, Verdict
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import OFFICER, case, duties, know_offices
from tests.support.matters import dated_matter, open_matter
from tests.support.officers import officer

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DISCLOSURE, ADDENDUM = "disclosure.notice", "addendum.notice"


@pytest.mark.long
async def test_an_order_that_forbids_telling_holds_the_notice_until_it_ends(engine: VirtualEngine) -> None:
    know_offices(engine, "MA-720")
    now = utc_now()
    case_id = await open_matter(engine, dated_matter(f"{DISCLOSURE}@disclosure", now + 2 * DAY, "MA-720"))
    hold = await officer(engine).place_hold(case_id, "Court B, order 7", begins_at=now, actor=OFFICER)
    await engine.advance(case_id, 10 * DAY)
    held = duties(engine, case_id, "MA")[DISCLOSURE]
    assert (held.status, held.notices[0].given_at if held.notices else None) == (DutyStatus.SUSPENDED, None)
    lifted = await engine.now(case_id)
    await officer(engine).lift_hold(case_id, hold, actor=OFFICER)
    await engine.advance(case_id, 25 * HOUR)
    told = duties(engine, case_id, "MA")[DISCLOSURE]
    assert (told.status, told.verdict) == (DutyStatus.PERFORMED, Verdict.ON_TIME)
    assert told.due_at
    assert abs(told.due_at - lifted - DAY) < timedelta(minutes=1)
    assert len([notice for notice in told.notices if notice.given_at]) == 1


@pytest.mark.long
async def test_silence_incorporates_an_addendum_and_closes_its_case(engine: VirtualEngine) -> None:
    case_id = await open_matter(engine, dated_matter(f"{ADDENDUM}@schedule_changed", utc_now(), "OR-001"))
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    objection = duties(engine, case_id, "OR")["addendum.objection"]
    assert objection.status is DutyStatus.RUNNING, "sending the notice is its receipt"
    await engine.advance(case_id, 29 * DAY)
    assert duties(engine, case_id, "OR")["addendum.objection"].status is DutyStatus.RUNNING
    await engine.advance(case_id, 2 * DAY)
    assert duties(engine, case_id, "OR")["addendum.objection"].status is DutyStatus.ELAPSED
    assert case(engine, case_id).status is CaseStatus.CLOSED


async def test_an_audit_that_was_allowed_closes_its_case(engine: VirtualEngine) -> None:
    know_offices(engine, "MA-721")
    case_id = await open_matter(engine, dated_matter("audit.notice@requested", utc_now().date(), "MA-721"))
    now = await engine.now(case_id)
    given = {"done_at": now, "what": "Sam Lee led them through the controls.", "proof": b"minutes"}
    await officer(engine).do(case_id, CarriedOut, OFFICER, **given)
    await engine.settle(case_id)
    found = case(engine, case_id)
    assert found.status is CaseStatus.CLOSED
    assert [duty.verdict for duty in found.duties] == [Verdict.ON_TIME]
