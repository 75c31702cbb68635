"""What makes no sense in the present state is refused with a sentence, and leaves neither history nor evidence."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from cases.values import AnchorValue
from models.enums import DutyStatus, Verdict
from models.errors import InvalidInput, Refused
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import AUDIT, NOTICE, OFFICER, case, duties, incident, open_case
from tests.support.officers import officer
from tests.support.refusing import leaving_no_trace, refusal

HOUR = timedelta(hours=1)
REASON = "Counsel advises so."


async def test_a_breach_is_not_confirmed_twice(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001"))
    await officer(engine).confirm_breach(case_id, utc_now(), actor=OFFICER)
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).confirm_breach(case_id, utc_now(), actor=OFFICER))
    assert isinstance(error, Refused)
    assert "correct it instead" in str(error)


async def test_a_hold_that_is_not_there_is_not_lifted(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    begins = utc_now() - HOUR
    hold = await officer(engine).place_hold(case_id, "An agency", begins_at=begins, actor=OFFICER)
    await officer(engine).lift_hold(case_id, hold, actor=OFFICER)
    async with leaving_no_trace(engine, case_id):
        for absent in (hold, UUID(int=7)):
            error = await refusal(officer(engine).lift_hold(case_id, absent, actor=OFFICER))
            assert isinstance(error, Refused)
            assert "No such law-enforcement hold" in str(error)


async def test_the_same_hold_is_not_placed_twice(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    begins = utc_now() - HOUR
    await officer(engine).place_hold(case_id, "An agency", begins_at=begins, actor=OFFICER)
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).place_hold(case_id, "An agency", begins_at=begins, actor=OFFICER))
    assert "in place already" in str(error)


async def test_what_has_been_sent_is_not_withheld(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("OR-001", confirmed=utc_now()), release="immediate")
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).withhold_notices(case_id, REASON, actor=OFFICER))
    assert isinstance(error, Refused)
    assert "cannot be withheld" in str(error)


async def test_what_is_withheld_is_not_withheld_again(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    await officer(engine).withhold_notices(case_id, REASON, actor=OFFICER)
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).withhold_notices(case_id, REASON, actor=OFFICER))
    assert "withheld already" in str(error)


async def test_an_element_that_the_terms_do_not_know_is_not_learnt(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    async with leaving_no_trace(engine, case_id):
        unknown = await refusal(officer(engine).learn(case_id, "shoe_size", "43", actor=OFFICER))
        another_states = await refusal(officer(engine).learn(case_id, "records_count", "12", actor=OFFICER))
        empty = await refusal(officer(engine).learn(case_id, "description", "  ", actor=OFFICER))
    assert {type(error) for error in (unknown, another_states, empty)} == {InvalidInput}
    assert "They know" in str(unknown)
    assert "description" in str(unknown)


@pytest.mark.parametrize("element", ["notice_date", "reporting_lea", "law_enforcement_delay"])
async def test_what_the_engine_knows_by_itself_is_not_learnt(engine: VirtualEngine, element: str) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    async with leaving_no_trace(engine, case_id):
        assert isinstance(await refusal(officer(engine).learn(case_id, element, "x", actor=OFFICER)), InvalidInput)


async def test_a_ground_or_a_clause_that_the_terms_do_not_know_is_not_proposed(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    propose = officer(engine).propose_not_required
    async with leaving_no_trace(engine, case_id):
        ground = await refusal(propose(case_id, NOTICE, "nobody_noticed", REASON, actor=OFFICER))
        missouris = await refusal(propose(case_id, NOTICE, "data_unreadable", REASON, actor=OFFICER))
        clause = await refusal(propose(case_id, "breach.fireworks", "no_student_data", REASON, actor=OFFICER))
        elsewhere = propose(case_id, NOTICE, "no_student_data", REASON, actor=OFFICER, agreements=("VA-001",))
        assert "is not in this case" in str(await refusal(elsewhere))
    assert {type(error) for error in (ground, missouris, clause)} == {InvalidInput}


async def test_a_proposal_is_not_approved_by_who_made_it_nor_made_twice(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    propose = officer(engine).propose_not_required
    proposal = await propose(case_id, NOTICE, "no_student_data", REASON, actor=OFFICER)
    async with leaving_no_trace(engine, case_id):
        own = await refusal(officer(engine).decide_proposal(case_id, proposal, approve=True, actor=OFFICER))
        again = await refusal(propose(case_id, NOTICE, "no_student_data", REASON, actor=OFFICER))
        absent = await refusal(officer(engine).decide_proposal(case_id, UUID(int=3), approve=True, actor="counsel"))
    assert {type(error) for error in (own, again, absent)} == {Refused}


async def test_a_duty_that_is_not_there_is_not_performed(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    async with leaving_no_trace(engine, case_id):
        error = await refusal(said_done(engine, case_id, AUDIT, "TN-001"))
    assert isinstance(error, InvalidInput)
    assert "has begun and is open" in str(error)


async def said_done(engine: VirtualEngine, case_id: UUID, clause: str, agreement: str) -> UUID:
    return await officer(engine).propose_done(
        case_id, clause, b"A report.", done_at=await engine.now(case_id), actor=OFFICER, agreements=(agreement,)
    )


async def test_an_audit_is_performed_with_its_proof(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("OR-001", confirmed=utc_now()), release="immediate")
    await officer(engine).learn(case_id, "impacted_individuals", "They are in the list behind the link.", actor=OFFICER)
    proposal = await said_done(engine, case_id, AUDIT, "OR-001")
    assert duties(engine, case_id, "OR")[AUDIT].status is DutyStatus.RUNNING
    await officer(engine).decide_proposal(case_id, proposal, approve=True, actor="counsel")
    await engine.case(case_id).result()
    audit = duties(engine, case_id, "OR")[AUDIT]
    assert (audit.verdict, audit.by_other_means is not None) == (Verdict.ON_TIME_BY_OTHER_MEANS, True)
    (entry,) = (entry for entry in case(engine, case_id).evidence if entry.kind == "act.done")
    assert len(entry.artifacts) == 2, "the report, and how it was done"


async def test_nothing_is_done_in_a_case_that_was_dismissed(engine: VirtualEngine) -> None:
    """It stays open for a while, since the LEAs that were told are asked to acknowledge."""
    case_id = await open_case(engine, incident("VA-001", expected=utc_now()), release="immediate", chase_hours=(24,))
    service = engine.service
    proposal = await officer(service).propose_not_required(case_id, NOTICE, "no_student_data", REASON, actor=OFFICER)
    await officer(service).dismiss_breach(case_id, REASON, actor=OFFICER)
    await engine.settle(case_id)
    expected = AnchorValue(name="reasonably_expected", instant=utc_now() - HOUR)
    async with leaving_no_trace(engine, case_id):
        refused = [
            await refusal(act)
            for act in (
                officer(service).confirm_breach(case_id, utc_now(), actor=OFFICER),
                officer(service).dismiss_breach(case_id, REASON, actor=OFFICER),
                officer(service).set_anchor(case_id, expected, actor=OFFICER, reason=REASON),
                officer(service).learn(case_id, "description", "More is known.", actor=OFFICER),
                officer(service).propose_not_required(case_id, NOTICE, "outside_definition", REASON, actor=OFFICER),
                officer(service).decide_proposal(case_id, proposal, approve=True, actor="counsel"),
                officer(service).place_hold(case_id, "An agency", begins_at=utc_now() - HOUR, actor=OFFICER),
                officer(service).undo(case_id, proposal, REASON, actor=OFFICER),
                officer(service).release_notices(case_id, actor=OFFICER),
                officer(service).withhold_notices(case_id, REASON, actor=OFFICER),
                officer(service).adopt_terms(case_id, REASON, actor=OFFICER),
                officer(service).add_agreements(case_id, ("TN-001",), actor=OFFICER),
            )
        ]
    assert {type(error) for error in refused} == {Refused}
    assert not duties(engine, case_id, "TN")
