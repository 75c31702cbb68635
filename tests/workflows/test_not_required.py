"""Not required: one officer proposes on a ground of the terms, a second person approves; then no notice is owed."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from models.enums import CaseStatus, DutyStatus
from models.errors import InvalidInput, Refused
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import NOTICE, OFFICER, case, duties, incident, open_case
from tests.support.officers import officer
from tests.support.post import letters
from tests.support.refusing import leaving_no_trace, refusal

COUNSEL = "counsel"
REASON = "Every field that was copied had been encrypted with keys that were not."
NOT_OURS = "no_student_data"


async def propose(
    engine: VirtualEngine, case_id: UUID, ground: str = NOT_OURS, agreements: tuple[str, ...] = ()
) -> UUID:
    return await officer(engine).propose_not_required(
        case_id, NOTICE, ground, REASON, actor=OFFICER, agreements=agreements
    )


async def test_a_second_person_approves_and_nothing_is_sent(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    proposal = await propose(engine, case_id)
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.RUNNING, "a proposal changes nothing"
    summary = await officer(engine).decide_proposal(case_id, proposal, approve=True, actor=COUNSEL)
    assert (summary.open_duties, summary.waiting_notices) == (0, 0)
    await engine.case(case_id).result()
    duty = duties(engine, case_id, "TN")[NOTICE]
    assert (duty.status, duty.verdict) == (DutyStatus.NOT_REQUIRED, None)
    assert not letters(engine, case_id, duty)
    assert case(engine, case_id).status is CaseStatus.CLOSED


async def test_evidence_names_both_people_the_ground_and_the_reason(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    proposal = await propose(engine, case_id)
    await officer(engine).decide_proposal(case_id, proposal, approve=True, actor=COUNSEL)
    decided = [e for e in case(engine, case_id).evidence if e.kind in ("act.propose", "act.approve", "act.decline")]
    assert [entry.actor for entry in decided] == [OFFICER, COUNSEL]
    assert {entry.body["particulars"]["ground"] for entry in decided} == {NOT_OURS}
    assert decided[1].body["particulars"]["approved"] is True
    assert decided[0].artifacts == (decided[1].body["particulars"]["reason_sha256"],)


async def test_nobody_approves_a_proposal_of_their_own(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    proposal = await propose(engine, case_id)
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).decide_proposal(case_id, proposal, approve=True, actor=OFFICER))
    assert isinstance(error, Refused)
    assert "second person" in str(error)
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.RUNNING


async def test_a_proposal_that_is_declined_leaves_the_duty_running(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    proposal = await propose(engine, case_id)
    await officer(engine).decide_proposal(case_id, proposal, approve=False, actor=COUNSEL)
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.RUNNING
    assert case(engine, case_id).waiting_notices == 1
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).decide_proposal(case_id, proposal, approve=True, actor=COUNSEL))
    assert "No such proposal" in str(error)


async def test_it_may_concern_some_agreements_only(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", "MA-001", confirmed=utc_now()))
    proposal = await propose(engine, case_id, agreements=("MA-001",))
    await officer(engine).decide_proposal(case_id, proposal, approve=True, actor=COUNSEL)
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.case(case_id).result()
    assert duties(engine, case_id, "MA")[NOTICE].status is DutyStatus.NOT_REQUIRED
    assert not letters(engine, case_id, duties(engine, case_id, "MA")[NOTICE])
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.PERFORMED
    assert len(letters(engine, case_id, duties(engine, case_id, "TN")[NOTICE])) == 1


async def test_missouris_ground_closes_missouris_duty_and_no_other(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", "MO-001", confirmed=utc_now()))
    proposal = await propose(engine, case_id, ground="data_unreadable")
    await officer(engine).decide_proposal(case_id, proposal, approve=True, actor=COUNSEL)
    assert duties(engine, case_id, "MO")[NOTICE].status is DutyStatus.NOT_REQUIRED
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.RUNNING


async def test_a_ground_that_the_named_agreements_terms_do_not_know_is_refused(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", "MO-001", confirmed=utc_now()))
    async with leaving_no_trace(engine, case_id):
        error = await refusal(propose(engine, case_id, ground="data_unreadable", agreements=("TN-001",)))
    assert isinstance(error, InvalidInput)
    assert "TN-001" in str(error)


@pytest.mark.parametrize(
    ("state", "known"),
    [
        ("TN", ("no_student_data", "outside_definition")),
        ("IL", ("good_faith_acquisition", "no_student_data", "outside_definition")),
        ("MO", ("data_unreadable", "good_faith_acquisition", "no_student_data", "outside_definition")),
    ],
)
async def test_the_grounds_are_those_of_the_terms(engine: VirtualEngine, state: str, known: tuple[str, ...]) -> None:
    case_id = await open_case(engine, incident(f"{state}-001", confirmed=utc_now()))
    async with leaving_no_trace(engine, case_id):
        error = await refusal(propose(engine, case_id, ground="nobody_noticed"))
    assert isinstance(error, InvalidInput)
    assert f"They know {', '.join(known)}." in str(error)


async def test_a_duty_that_is_no_longer_open_stays_as_it_is(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("OR-001", confirmed=utc_now()))
    proposal = await propose(engine, case_id)
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    before = duties(engine, case_id, "OR")[NOTICE]
    await officer(engine).decide_proposal(case_id, proposal, approve=True, actor=COUNSEL)
    assert duties(engine, case_id, "OR")[NOTICE] == before


async def test_a_proposal_that_waits_does_not_hold_the_notice_back(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    await propose(engine, case_id)
    await engine.advance(case_id, timedelta(hours=72))
    assert len(letters(engine, case_id, duties(engine, case_id, "TN")[NOTICE])) == 1
