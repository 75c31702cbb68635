"""An act that is recorded twice, because its first answer was lost, leaves its evidence once."""

from __future__ import annotations

from uuid import uuid4

from temporalio.testing import ActivityEnvironment

from activities.cases import CaseActivities
from cases.breach import Confirm
from cases.messages import RecordAct
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import OFFICER, case, incident, open_case


async def test_a_repeated_record_of_an_act_adds_nothing(engine: VirtualEngine) -> None:
    case_id, now = await open_case(engine, incident("MO-001")), utc_now()
    activities = CaseActivities(engine.resources.database, engine.resources.catalogue)
    act = RecordAct(case_id=case_id, act=Confirm(confirmed_at=now), actor=OFFICER, act_id=uuid4(), at=now)
    ActivityEnvironment().run(activities.record_act, act)
    once = case(engine, case_id).evidence
    ActivityEnvironment().run(activities.record_act, act)
    assert case(engine, case_id).evidence == once
    assert [entry.kind for entry in once].count("act.confirm") == 1
