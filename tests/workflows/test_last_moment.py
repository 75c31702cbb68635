"""A limit that is the last moment and not the plan: asked for at once and hourly, and gone once nothing is lacking."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cases.intake import ApproximateTime
from cases.values import AnchorValue
from models.enums import DutyStatus, Verdict
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import INITIAL, NOTICE, OFFICER, case, duties, incident, open_case
from tests.support.officers import officer
from tests.support.post import memos

pytestmark = pytest.mark.long

HOUR = timedelta(hours=1)
PROMPT = {"last_moment_reminder_minutes": 60, "last_moment_hours": 4}
WAITING = " for release"


async def test_its_release_is_asked_for_at_once_and_every_hour(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", expected=utc_now()), **PROMPT)
    (first,) = memos(engine, case_id, WAITING)
    assert "the last moment and not the plan" in " ".join(first.get_content().split())
    await engine.advance(case_id, 3 * HOUR + timedelta(minutes=1))
    assert len(memos(engine, case_id, WAITING)) == 4
    parts = [entry.body["part"] for entry in case(engine, case_id).evidence if entry.kind == "reminder_sent"]
    assert parts == ["0.0", "0.0417", "0.0833", "0.125"]


async def test_it_leaves_by_itself_some_hours_after_it_was_drafted_where_nothing_is_lacking(
    engine: VirtualEngine,
) -> None:
    reported = utc_now()
    case_id = await open_case(engine, incident("VA-001", expected=reported - 2 * HOUR), **PROMPT)
    await engine.advance(case_id, 4 * HOUR - timedelta(minutes=1))
    assert duties(engine, case_id, "VA")[INITIAL].status is DutyStatus.RUNNING
    await engine.advance(case_id, timedelta(minutes=2))
    given = duties(engine, case_id, "VA")[INITIAL]
    assert given.performed_at is not None
    assert reported + 4 * HOUR <= given.performed_at < reported + 4 * HOUR + timedelta(minutes=1)


async def test_while_something_is_lacking_it_waits_and_it_leaves_once_that_is_known(engine: VirtualEngine) -> None:
    report = incident("VA-001", expected=utc_now(), occurred=ApproximateTime(kind="unknown"))
    case_id = await open_case(engine, report, **PROMPT)
    await engine.advance(case_id, 6 * HOUR)
    assert duties(engine, case_id, "VA")[INITIAL].status is DutyStatus.RUNNING
    occurred = AnchorValue(name="occurred", first_day=(utc_now() - timedelta(days=3)).date())
    await officer(engine).set_anchor(case_id, occurred, reason="Found in the logs.", actor=OFFICER)
    await engine.settle(case_id)
    assert duties(engine, case_id, "VA")[INITIAL].verdict is Verdict.ON_TIME


async def test_with_something_lacking_to_the_end_it_still_goes_at_the_last_safe_moment(engine: VirtualEngine) -> None:
    report = incident("VA-001", expected=utc_now(), occurred=ApproximateTime(kind="unknown"))
    case_id = await open_case(engine, report, **PROMPT)
    await engine.advance(case_id, 22 * HOUR)
    assert duties(engine, case_id, "VA")[INITIAL].status is DutyStatus.RUNNING
    await engine.advance(case_id, HOUR + timedelta(minutes=1))
    assert duties(engine, case_id, "VA")[INITIAL].verdict is Verdict.ON_TIME


@pytest.mark.parametrize("state", ["TN", "OR"])
async def test_any_other_draft_waits_for_its_officer_as_before(engine: VirtualEngine, state: str) -> None:
    case_id = await open_case(engine, incident(f"{state}-001", confirmed=utc_now()), **PROMPT)
    await engine.advance(case_id, 12 * HOUR)
    assert duties(engine, case_id, state)[NOTICE].status is DutyStatus.RUNNING
    assert not memos(engine, case_id, WAITING)
