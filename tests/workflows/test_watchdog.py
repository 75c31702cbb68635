"""The watchdog: what the clocks should have seen to and have not is found in SQL, seen to, and raised once."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlmodel import col, select, update
from temporalio.client import WorkflowExecutionStatus

from cases.breach import BREACH
from models import identifiers
from models.enums import BatchStatus, CaseStatus, DutyStatus
from models.tables import Batch, Case, Duty
from records.intake import keep_intake
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from starter.schedules import WATCHDOG, keep_watchdog
from tests.support.incidents import NOTICE, OFFICER, case, duties, incident, only_notice, open_case
from tests.support.officers import officer
from tests.support.sweeping import sweep

DAY = timedelta(days=1)


def raised(engine: VirtualEngine, case_id: UUID, kind: str) -> int:
    """How often something was raised, as the ledger says."""
    return sum(entry.kind == kind for entry in case(engine, case_id).evidence)


def told(engine: VirtualEngine, case_id: UUID, words: str) -> int:
    """How many messages with these words the officer got about a case."""
    reference = identifiers.case_reference(case_id)
    return sum(
        reference in raw and words in raw and 'To: "Security Office"' in raw
        for raw in (" ".join(file.read_text("ascii").split()) for file in engine.mail.glob("*.eml"))
    )


def alter(engine: VirtualEngine, table: type[Batch] | type[Duty] | type[Case], case_id: UUID, **values: object) -> None:
    """Make SQL say what it would after something went wrong."""
    in_case = col(table.id if table is Case else table.case_id) == case_id  # type: ignore[union-attr]
    with engine.resources.database.writing() as session:
        session.execute(update(table).where(in_case).values(**values))


async def test_a_case_whose_workflow_was_ended_goes_on_where_it_stood(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", "OR-001", confirmed=utc_now()))
    proposal = await officer(engine).propose_not_required(
        case_id, NOTICE, "no_student_data", "Nothing of theirs was stored.", actor=OFFICER, agreements=("OR-001",)
    )
    hold = await officer(engine).place_hold(case_id, "Agency A", begins_at=utc_now(), actor=OFFICER, agreement="TN-001")
    await engine.case(case_id).terminate()

    await sweep(engine)
    await engine.settle(case_id)
    assert (await engine.case(case_id).describe()).status is WorkflowExecutionStatus.RUNNING
    assert raised(engine, case_id, "case_restarted") == told(engine, case_id, "Its clocks had stopped") == 1
    await officer(engine).decide_proposal(case_id, proposal, approve=True, actor="another")
    await officer(engine).lift_hold(case_id, hold, actor=OFFICER)
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    assert duties(engine, case_id, "OR")[NOTICE].status is DutyStatus.NOT_REQUIRED
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.PERFORMED


async def test_a_case_that_runs_is_left_alone(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    before = (await engine.case(case_id).describe()).run_id
    await sweep(engine)
    assert (await engine.case(case_id).describe()).run_id == before
    assert raised(engine, case_id, "case_restarted") == 0


async def test_a_closed_case_is_not_started_again(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()), release="immediate")
    await engine.case(case_id).result()
    await sweep(engine)
    assert (await engine.case(case_id).describe()).status is WorkflowExecutionStatus.COMPLETED
    assert case(engine, case_id).status is CaseStatus.CLOSED


async def test_withheld_notices_stay_withheld_when_their_case_is_started_again(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    await officer(engine).keep_back_past_due(case_id, "Counsel asks for it.", actor=OFFICER)
    await engine.case(case_id).terminate()
    await sweep(engine)
    await engine.advance(case_id, timedelta(hours=71, minutes=30))
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.RUNNING


async def test_notices_that_were_leaving_when_their_case_was_lost_leave_as_released(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    await engine.case(case_id).terminate()
    alter(engine, Batch, case_id, status=BatchStatus.SENDING, released_by=OFFICER)
    await sweep(engine)
    await engine.settle(case_id)
    assert only_notice(duties(engine, case_id, "TN")[NOTICE]).released_by == OFFICER


async def test_a_suspicion_dismissed_before_its_case_was_lost_stays_dismissed(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001"))
    await engine.case(case_id).terminate()
    alter(engine, Case, case_id, status=CaseStatus.DISMISSED)
    alter(engine, Duty, case_id, status=DutyStatus.CANCELLED)
    await sweep(engine)
    await engine.case(case_id).result()
    assert case(engine, case_id).status is CaseStatus.DISMISSED


async def test_a_notice_that_should_have_left_and_has_not_is_raised_once_and_leaves(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    alter(engine, Batch, case_id, leaves_at=utc_now() - DAY)
    for _ in range(2):
        await sweep(engine)
        await engine.settle(case_id)
    assert raised(engine, case_id, "watchdog_raised") == told(engine, case_id, "did not begin to") == 1
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.PERFORMED


def batch_status(engine: VirtualEngine, case_id: UUID) -> BatchStatus:
    """How the one batch of a case stands."""
    with engine.resources.database.reading() as session:
        return session.exec(select(Batch).where(Batch.case_id == case_id)).one().status


async def test_a_batch_that_nobody_sends_any_more_is_raised_once_and_taken_up(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("OR-001", confirmed=utc_now()), release="immediate")
    alter(engine, Batch, case_id, status=BatchStatus.SENDING)
    for _ in range(2):
        await sweep(engine)
        await engine.settle(case_id)
        assert batch_status(engine, case_id) is BatchStatus.SENT
    assert raised(engine, case_id, "watchdog_raised") == told(engine, case_id, "nothing goes on") == 1


async def test_a_batch_raised_while_it_waited_is_raised_once_more_if_its_sending_stops(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("OR-001", confirmed=utc_now()))
    alter(engine, Batch, case_id, leaves_at=utc_now() - DAY)
    await sweep(engine)
    await engine.settle(case_id)
    alter(engine, Batch, case_id, status=BatchStatus.SENDING)
    for _ in range(2):
        await sweep(engine)
        await engine.settle(case_id)
    assert raised(engine, case_id, "watchdog_raised") == 2
    assert told(engine, case_id, "did not begin to") == told(engine, case_id, "nothing goes on") == 1


async def test_an_overdue_duty_that_nobody_was_told_of_is_escalated_once(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    overdue = utc_now() - DAY
    alter(engine, Duty, case_id, due_at=overdue, target_at=overdue)
    for _ in range(2):
        await sweep(engine)
    assert raised(engine, case_id, "escalated") == 1


async def test_a_report_whose_clocks_could_not_be_started_is_started(engine: VirtualEngine) -> None:
    with engine.resources.database.writing() as session:
        report, now = incident("TN-001", confirmed=utc_now()), utc_now()
        case_id, _ = keep_intake(session, BREACH, report, "a digest of its own", actor=OFFICER, now=now)
    await sweep(engine)
    await engine.settle(case_id)
    assert duties(engine, case_id, "TN")[NOTICE].due_at


async def test_the_schedule_is_kept_as_the_setting_says(engine: VirtualEngine) -> None:
    client = engine.resources.client
    for minutes in (5, 7):
        await keep_watchdog(client, minutes)
    try:
        described = await client.get_schedule_handle(WATCHDOG).describe()
        assert [spec.every for spec in described.schedule.spec.intervals] == [timedelta(minutes=7)]
    finally:
        await client.get_schedule_handle(WATCHDOG).delete()
