"""What officers may do with a case, and what is refused without a trace in its history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from cases.intake import ApproximateTime
from models.enums import DutyStatus
from models.errors import InvalidInput, NotFound, Refused
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import NOTICE, OFFICER, case, duties, incident, only_notice, open_case
from tests.support.officers import officer
from tests.support.refusing import leaving_no_trace, refusal

DAY = timedelta(days=1)


async def test_a_breach_is_confirmed_once(engine: VirtualEngine) -> None:
    confirmed = utc_now()
    case_id = await open_case(engine, incident("TN-001", confirmed=confirmed))
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).confirm_breach(case_id, utc_now(), actor=OFFICER))
    assert isinstance(error, Refused)
    assert "already confirmed" in str(error)
    assert duties(engine, case_id, "TN")[NOTICE].starts_at == confirmed


async def test_a_confirmation_in_the_future_is_refused(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001"))
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).confirm_breach(case_id, utc_now() + DAY, actor=OFFICER))
    assert isinstance(error, InvalidInput)
    assert "is in the future" in str(error)


async def test_a_confirmation_before_the_occurrence_is_refused(engine: VirtualEngine) -> None:
    occurred = ApproximateTime(kind="instant", at=utc_now() - DAY)
    case_id = await open_case(engine, incident("TN-001", occurred=occurred))
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).confirm_breach(case_id, utc_now() - 2 * DAY, actor=OFFICER))
    assert isinstance(error, InvalidInput)
    assert "before the breach occurred" in str(error)


async def test_a_confirmation_without_a_zone_is_refused(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001"))
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).confirm_breach(case_id, datetime(2026, 3, 7, 22, 15), actor=OFFICER))
    assert isinstance(error, InvalidInput)
    assert "no zone" in str(error)


async def test_a_confirmation_may_be_written_in_any_zone(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001"))
    confirmed = utc_now().astimezone(tz=None)
    await officer(engine).confirm_breach(case_id, confirmed, actor=OFFICER)
    assert duties(engine, case_id, "TN")[NOTICE].starts_at == confirmed.astimezone(UTC)


async def test_an_officer_releases_every_notice_that_waits(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", "OR-001", expected=utc_now(), confirmed=utc_now()))
    assert case(engine, case_id).waiting_notices == 3
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    found = case(engine, case_id)
    noticed = [duty for duty in found.duties if duty.notices]
    assert {duty.status for duty in noticed} == {DutyStatus.PERFORMED}
    assert [only_notice(duty).released_by for duty in noticed] == [OFFICER] * 3
    assert {entry.actor for entry in found.evidence if entry.kind == "notice_released"} == {OFFICER}


async def test_releasing_where_nothing_waits_is_refused(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001"))
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).release_notices(case_id, actor=OFFICER))
    assert isinstance(error, Refused)
    assert "waits for release" in str(error)


async def test_a_release_does_not_reach_notices_that_a_later_fact_brings(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", expected=utc_now()))
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    await officer(engine).confirm_breach(case_id, utc_now(), actor=OFFICER)
    await engine.settle(case_id)
    assert case(engine, case_id).waiting_notices == 1
    assert duties(engine, case_id, "VA")[NOTICE].status is DutyStatus.RUNNING


async def test_an_act_on_a_case_that_does_not_exist_is_refused(engine: VirtualEngine) -> None:
    nowhere = UUID(int=0)
    assert isinstance(await refusal(officer(engine).confirm_breach(nowhere, utc_now(), actor=OFFICER)), NotFound)
    assert isinstance(await refusal(officer(engine).release_notices(nowhere, actor=OFFICER)), NotFound)


async def test_an_act_on_a_closed_case_is_refused(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()), release="immediate")
    await engine.case(case_id).result()
    error = await refusal(officer(engine).release_notices(case_id, actor=OFFICER))
    assert isinstance(error, Refused)
    assert "closed" in str(error)
