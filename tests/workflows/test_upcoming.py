"""What is coming is derived by a schedule, and people are told of terms that end soon, once."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlmodel import col, select, update

from cases.messages import Renewed, RenewUpcoming
from models import identifiers
from models.enums import PerformedBy
from models.tables import UpcomingDuty
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from starter.schedules import UPCOMING, keep_upcoming
from workflows.upcoming import UpcomingWorkflow

pytestmark = pytest.mark.long


async def renew(engine: VirtualEngine) -> Renewed:
    return await engine.resources.client.execute_workflow(
        UpcomingWorkflow.run, RenewUpcoming(), id=f"upcoming:{uuid4()}", task_queue=identifiers.TASK_QUEUE
    )


def mails(engine: VirtualEngine, words: str) -> int:
    return sum(words in " ".join(file.read_text("ascii").split()) for file in engine.mail.glob("*.eml"))


async def test_what_was_lost_is_derived_anew_and_the_end_of_a_term_is_told_once(engine: VirtualEngine) -> None:
    await renew(engine)
    with engine.resources.database.writing() as session:
        lost = session.exec(select(UpcomingDuty).where(UpcomingDuty.clause == "audit.annual")).one()
        session.delete(lost)
        ends = session.exec(select(UpcomingDuty).where(UpcomingDuty.performed_by == PerformedBy.TIME).limit(1)).one()
        moved = update(UpcomingDuty).where(col(UpcomingDuty.id) == ends.id)
        soon = utc_now() + timedelta(days=20)
        session.execute(moved.values(due_at=soon, target_at=soon, reminded_days=30))
    before = mails(engine, "term ends soon")
    assert (await renew(engine)) == Renewed(changed=1, reminded=0), "the lost one is there again; nothing new is told"
    with engine.resources.database.writing() as session:
        session.execute(moved.values(reminded_days=90))
    assert (await renew(engine)).reminded == 1
    assert (await renew(engine)) == Renewed()
    assert mails(engine, "term ends soon") == before + 1


async def test_the_schedule_is_kept_as_the_setting_says(engine: VirtualEngine) -> None:
    client = engine.resources.client
    for minutes in (60, 30):
        await keep_upcoming(client, minutes)
    try:
        described = await client.get_schedule_handle(UPCOMING).describe()
        assert [spec.every for spec in described.schedule.spec.intervals] == [timedelta(minutes=30)]
    finally:
        await client.get_schedule_handle(UPCOMING).delete()
