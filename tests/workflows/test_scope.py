"""Scope grows: an LEA that is found later is due by the incident's dates, unless its own involvement is dated."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from cases.values import AnchorValue
from ledger.artifacts import fetch
from models.enums import DutyStatus, Verdict
from models.errors import InvalidFields, InvalidInput, Refused
from models.identifiers import batch_workflow_id
from models.tables import Batch
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import INITIAL, NOTICE, OFFICER, case, duties, incident, only_notice, open_case
from tests.support.officers import officer
from tests.support.post import memos
from tests.support.refusing import leaving_no_trace, refusal

pytestmark = pytest.mark.long

HOUR = timedelta(hours=1)
REASON = "Its tenant was found in the second export only."


async def test_an_lea_found_later_is_due_by_the_incidents_confirmation(engine: VirtualEngine) -> None:
    confirmed = utc_now() - 10 * HOUR
    case_id = await open_case(engine, incident("TN-001", confirmed=confirmed))
    await officer(engine).add_agreements(case_id, ("MA-001", "VA-001"), actor=OFFICER)
    assert duties(engine, case_id, "MA")[NOTICE].due_at == confirmed + 72 * HOUR
    assert duties(engine, case_id, "VA")[INITIAL].due_at == confirmed + 24 * HOUR
    (entry,) = (entry for entry in case(engine, case_id).evidence if entry.kind == "act.add")
    assert entry.actor == OFFICER
    assert entry.body["particulars"]["agreements"] == 2


async def test_what_is_overdue_by_it_waits_for_a_person_first_is_shown_as_late_and_escalated(
    engine: VirtualEngine,
) -> None:
    confirmed = utc_now() - 80 * HOUR
    case_id = await open_case(engine, incident("OR-001", confirmed=confirmed))
    await officer(engine).add_agreements(case_id, ("MA-001",), actor=OFFICER)
    await engine.settle(case_id)
    assert duties(engine, case_id, "MA")[NOTICE].overdue
    assert only_notice(duties(engine, case_id, "MA")[NOTICE]).given_at is None
    await engine.advance(case_id, timedelta(minutes=31))
    duty = duties(engine, case_id, "MA")[NOTICE]
    assert (duty.due_at, duty.status, duty.verdict) == (confirmed + 72 * HOUR, DutyStatus.PERFORMED, Verdict.LATE)
    escalated = [entry.subject for entry in case(engine, case_id).evidence if entry.kind == "escalated"]
    assert escalated.count(str(duty.id)) == 1
    assert [m for m in memos(engine, case_id, "overdue") if "Harbor Point" in m.get_content()]


async def test_what_is_overdue_is_sent_before_what_is_not(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("OR-001"), release="immediate")
    await officer(engine).add_agreements(case_id, ("MA-001", "VA-001"), actor=OFFICER)
    await officer(engine).confirm_breach(case_id, utc_now() - 30 * HOUR, actor=OFFICER)
    await engine.settle(case_id)
    history = await engine.case(case_id).fetch_history()
    started = [event.start_child_workflow_execution_initiated_event_attributes.workflow_id for event in history.events]
    with engine.resources.database.reading() as session:
        batches = session.exec(select(Batch).where(Batch.case_id == case_id)).all()
    clause_of = {batch_workflow_id(batch.id): batch.clause for batch in batches}
    assert next(clause_of[batch] for batch in started if batch) == INITIAL, (started, batches)
    assert duties(engine, case_id, "VA")[INITIAL].verdict is Verdict.LATE
    assert duties(engine, case_id, "MA")[NOTICE].verdict is Verdict.ON_TIME


async def test_an_lea_may_be_added_with_the_date_of_its_own_involvement_and_the_reason(engine: VirtualEngine) -> None:
    confirmed, involved = utc_now() - 80 * HOUR, utc_now() - HOUR
    case_id = await open_case(engine, incident("OR-001", confirmed=confirmed))
    await officer(engine).add_agreements(case_id, ("MA-001",), actor=OFFICER, confirmed_at=involved, reason=REASON)
    await engine.settle(case_id)
    duty = duties(engine, case_id, "MA")[NOTICE]
    assert (duty.status, duty.starts_at, duty.due_at) == (DutyStatus.RUNNING, involved, involved + 72 * HOUR)
    (entry,) = (e for e in case(engine, case_id).evidence if e.kind == "act.add")
    particulars = entry.body["particulars"]
    with engine.resources.database.reading() as session:
        listed = fetch(session, particulars["agreements_sha256"]).decode()
    assert (particulars["agreements"], listed) == (1, f"{duty.agreement_id}\n")
    assert len(entry.artifacts) == 3, "the list of references, what was added, and the reason"
    assert "escalated" not in [e.kind for e in case(engine, case_id).evidence if e.subject == str(duty.id)]


async def test_an_involvement_confirmed_later_moves_that_lea_alone(engine: VirtualEngine) -> None:
    confirmed, involved = utc_now() - 20 * HOUR, utc_now() - HOUR
    case_id = await open_case(engine, incident("TN-001", "MA-001", confirmed=confirmed))
    anchor = AnchorValue(name="confirmed", instant=involved)
    async with leaving_no_trace(engine, case_id):
        alone = officer(engine).set_anchor(case_id, anchor, actor=OFFICER, agreement="MA-001")
        assert "needs a reason" in str(await refusal(alone))
    await officer(engine).set_anchor(case_id, anchor, actor=OFFICER, agreement="MA-001", reason=REASON)
    assert duties(engine, case_id, "MA")[NOTICE].due_at == involved + 72 * HOUR
    assert duties(engine, case_id, "TN")[NOTICE].due_at == confirmed + 72 * HOUR


async def test_an_involvement_needs_a_reason_and_a_date_that_can_be(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now() - 20 * HOUR))
    add = officer(engine).add_agreements
    async with leaving_no_trace(engine, case_id):
        without = await refusal(add(case_id, ("MA-001",), actor=OFFICER, confirmed_at=utc_now() - HOUR))
        future = await refusal(add(case_id, ("MA-001",), actor=OFFICER, confirmed_at=utc_now() + HOUR, reason=REASON))
        before = await refusal(
            add(case_id, ("MA-001",), actor=OFFICER, confirmed_at=utc_now() - 300 * HOUR, reason=REASON)
        )
    assert {type(error) for error in (without, future, before)} == {InvalidInput}
    assert "reason" in str(without)
    assert "in the future" in str(future)
    assert "before the breach occurred" in str(before)
    assert not duties(engine, case_id, "MA")


async def test_an_lea_that_joins_after_others_were_escalated_is_escalated_too(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", "OR-001", confirmed=utc_now() - 70 * HOUR))
    await officer(engine).keep_back_past_due(case_id, "The court decides tomorrow.", actor=OFFICER)
    await engine.advance(case_id, 3 * HOUR)
    await officer(engine).add_agreements(case_id, ("MA-001",), actor=OFFICER)
    await engine.settle(case_id)
    escalated = {entry.subject for entry in case(engine, case_id).evidence if entry.kind == "escalated"}
    assert escalated == {str(duties(engine, case_id, state)[NOTICE].id) for state in ("TN", "OR", "MA")}


async def test_an_agreement_is_in_scope_once(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).add_agreements(case_id, ("MA-001", "TN-001"), actor=OFFICER))
    assert isinstance(error, Refused)
    assert "in this case already" in str(error)
    assert not duties(engine, case_id, "MA")


async def test_an_agreement_that_nobody_knows_is_refused(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).add_agreements(case_id, ("XX-404",), actor=OFFICER))
    assert isinstance(error, InvalidFields)
    assert "There is no agreement XX-404" in str(error)


async def test_a_later_lea_waits_for_release_as_the_others_do(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    await officer(engine).add_agreements(case_id, ("MA-001",), actor=OFFICER)
    assert case(engine, case_id).waiting_notices == 2
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.case(case_id).result()
    assert only_notice(duties(engine, case_id, "MA")[NOTICE]).released_by == OFFICER
