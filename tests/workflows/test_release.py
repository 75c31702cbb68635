"""Release: a draft waits for an officer until its last safe moment, unless an officer decides to withhold it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cases.acts import Release
from cases.values import AnchorValue
from models.enums import BatchStatus, CaseStatus, DutyStatus, Verdict
from models.errors import InvalidInput, Refused
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import (
    INITIAL,
    NOTICE,
    OFFICER,
    case,
    duties,
    incident,
    letter,
    only_notice,
    open_case,
    text,
)
from tests.support.officers import officer
from tests.support.post import letters, memos
from tests.support.refusing import leaving_no_trace, refusal

HOUR = timedelta(hours=1)
UNREVIEWED = "reviewed"
REASON = "The court decides tomorrow."


async def test_a_draft_waits_for_an_officer(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    await engine.advance(case_id, 70 * HOUR)
    duty = duties(engine, case_id, "TN")[NOTICE]
    assert (duty.status, only_notice(duty).batch_status) == (DutyStatus.RUNNING, BatchStatus.WAITING)


@pytest.mark.parametrize("minutes", [60, 240])
async def test_at_its_last_safe_moment_it_goes_unreleased_and_only_the_ledger_says_so(
    engine: VirtualEngine, minutes: int
) -> None:
    confirmed = utc_now()
    case_id = await open_case(engine, incident("TN-001", confirmed=confirmed), last_safe_minutes=minutes)
    await engine.advance(case_id, 72 * HOUR)
    duty = duties(engine, case_id, "TN")[NOTICE]
    assert duty.performed_at is not None
    safe = confirmed + 72 * HOUR - timedelta(minutes=minutes)
    assert safe <= duty.performed_at < safe + timedelta(seconds=30)
    assert (duty.verdict, only_notice(duty).released_by) == (Verdict.ON_TIME, None)
    assert UNREVIEWED not in text(letter(engine, case_id, duty))
    (entry,) = (entry for entry in case(engine, case_id).evidence if entry.kind == "notice_released")
    assert entry.body["released"] is False


async def test_where_no_release_is_needed_notices_leave_at_once(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()), release="immediate")
    await engine.case(case_id).result()
    assert duties(engine, case_id, "TN")[NOTICE].verdict is Verdict.ON_TIME


async def test_only_the_released_clauses_notices_leave(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", expected=utc_now() - HOUR, confirmed=utc_now()))
    await officer(engine).release_notices(case_id, actor=OFFICER, clause=INITIAL)
    await engine.settle(case_id)
    found = duties(engine, case_id, "VA")
    assert (found[INITIAL].status, found[NOTICE].status) == (DutyStatus.PERFORMED, DutyStatus.RUNNING)


async def test_what_two_people_withhold_does_not_leave_and_is_escalated_once(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", "MA-001", confirmed=utc_now()))
    await officer(engine).keep_back_past_due(case_id, REASON, actor=OFFICER)
    await engine.advance(case_id, 80 * HOUR)
    duty = duties(engine, case_id, "TN")[NOTICE]
    assert (duty.status, duty.overdue, only_notice(duty).batch_status) == (
        DutyStatus.RUNNING,
        False,  # by the wall clock, which virtual time does not move
        BatchStatus.WITHHELD,
    )
    evidence = case(engine, case_id).evidence
    (withheld,) = (entry for entry in evidence if entry.kind == "act.withhold-past-due")
    assert (withheld.actor, len(withheld.artifacts)) == (OFFICER, 1)
    escalated = [entry.subject for entry in evidence if entry.kind == "escalated"]
    assert len(escalated) == len(set(escalated)) == 2
    (memo,) = memos(engine, case_id, "overdue")
    assert "Cumberland Hollow" in memo.get_content()
    assert "Harbor Point" in memo.get_content()


async def test_what_one_person_withholds_is_told_of_and_leaves_at_its_last_safe_moment(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    await officer(engine).withhold_notices(case_id, REASON, actor=OFFICER)
    await engine.advance(case_id, 68 * HOUR)
    assert not memos(engine, case_id, "withheld notices")
    await engine.advance(case_id, 2 * HOUR)
    (memo,) = memos(engine, case_id, "1 withheld notices")
    assert "have a second person approve it before then" in " ".join(memo.get_content().split())
    await engine.advance(case_id, 2 * HOUR)
    found = case(engine, case_id)
    duty = duties(engine, case_id, "TN")[NOTICE]
    assert (duty.verdict, only_notice(duty).released_by) == (Verdict.ON_TIME, None)
    (withholding,) = found.withholdings
    (end,) = withholding.ended
    assert (withholding.decided_by, withholding.reason, withholding.lasts, end.by) == (OFFICER, REASON, False, None)
    kinds = [entry.kind for entry in found.evidence]
    assert kinds.index("reminder_sent") < kinds.index("withholding_lapsed") < kinds.index("notice_released")


async def test_a_withheld_notice_leaves_once_it_is_released(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    await officer(engine).keep_back_past_due(case_id, REASON, actor=OFFICER)
    await engine.advance(case_id, 80 * HOUR)
    await officer(engine).release_notices(case_id, actor="head", withheld=True)
    await engine.case(case_id).result()
    duty = duties(engine, case_id, "TN")[NOTICE]
    assert (duty.verdict, only_notice(duty).released_by) == (Verdict.LATE, "head")
    assert UNREVIEWED not in text(letter(engine, case_id, duty))
    assert [entry.kind for entry in case(engine, case_id).evidence].count("escalated") == 1
    assert case(engine, case_id).status is CaseStatus.CLOSED


async def test_a_release_of_everything_never_sends_what_counsel_withheld(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", expected=utc_now() - HOUR, confirmed=utc_now()))
    await officer(engine).keep_back_past_due(case_id, REASON, actor="counsel", clause=NOTICE)
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.advance(case_id, 80 * HOUR)
    found = duties(engine, case_id, "VA")
    assert (found[INITIAL].status, found[NOTICE].status) == (DutyStatus.PERFORMED, DutyStatus.RUNNING)
    (withholding,) = case(engine, case_id).withholdings
    assert (withholding.decided_by, withholding.lasts, withholding.ended) == ("counsel", True, ())
    assert (withholding.approved_by, withholding.lapses_at) == ("a second person", None)
    (released,) = (entry for entry in case(engine, case_id).evidence if entry.kind == "act.release")
    assert released.body["particulars"]["clauses"] == {INITIAL: 1}


async def test_a_release_says_what_would_leave_before_anybody_has_read_it(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", "OH-001", confirmed=utc_now()))
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).do(case_id, Release, OFFICER))
    assert isinstance(error, Refused)
    assert (error.where, "2 notices would leave at once" in error.message) == ("unread", True)
    assert f"2 under {NOTICE}" in error.message


async def test_only_the_withheld_clauses_notices_are_kept_back(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", confirmed=utc_now()))
    await officer(engine).keep_back_past_due(case_id, REASON, actor=OFFICER, clause=NOTICE)
    await engine.advance(case_id, 72 * HOUR)
    found = duties(engine, case_id, "VA")
    assert (found[INITIAL].status, found[NOTICE].status) == (DutyStatus.PERFORMED, DutyStatus.RUNNING)


async def test_a_decision_to_withhold_outlives_a_corrected_date(engine: VirtualEngine) -> None:
    confirmed = utc_now() - 2 * HOUR
    case_id = await open_case(engine, incident("TN-001", confirmed=confirmed))
    await officer(engine).keep_back_past_due(case_id, REASON, actor=OFFICER)
    corrected = AnchorValue(name="confirmed", instant=confirmed + HOUR)
    await officer(engine).set_anchor(case_id, corrected, actor=OFFICER, reason="The log says so.")
    await engine.advance(case_id, 80 * HOUR)
    assert not letters(engine, case_id, duties(engine, case_id, "TN")[NOTICE])


async def test_withholding_needs_a_reason(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    async with leaving_no_trace(engine, case_id):
        assert isinstance(await refusal(officer(engine).withhold_notices(case_id, "", actor=OFFICER)), InvalidInput)
