"""Dismissal: what has not started is cancelled, and each LEA that was told of a suspicion is told of its dismissal."""

from __future__ import annotations

from models.enums import CaseStatus, DutyStatus, NoticeKind
from models.errors import InvalidInput, Refused
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import INITIAL, NOTICE, OFFICER, case, caught, duties, incident, open_case, text
from tests.support.officers import officer
from tests.support.post import letters
from tests.support.refusing import leaving_no_trace, refusal

REASON = "The copy was made by our own backup, as planned."


async def test_only_leas_that_were_told_are_told_of_the_dismissal(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", "TN-001", "OR-001", expected=utc_now()))
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    await officer(engine).dismiss_breach(case_id, REASON, actor=OFFICER)
    await engine.case(case_id).result()
    told = duties(engine, case_id, "VA")[INITIAL]
    first, dismissal = letters(engine, case_id, told)
    assert [notice.kind for notice in told.notices] == [NoticeKind.NOTICE, NoticeKind.DISMISSAL]
    assert "We have since found that there was no breach of your students' data." in text(dismissal)
    assert REASON in text(dismissal)
    assert dismissal["To"] == first["To"]
    assert dismissal["In-Reply-To"] == dismissal["References"] == first["Message-ID"]
    assert len(caught(engine, f"Message-ID: {dismissal['Message-ID']}")) == 2, "the security contact has a copy"
    assert not [duty for state in ("TN", "OR") for duty in duties(engine, case_id, state).values() if duty.notices]


async def test_a_dismissal_cancels_what_is_open_and_closes_the_case(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", "TN-001", expected=utc_now()))
    assert case(engine, case_id).waiting_notices == 1
    await officer(engine).dismiss_breach(case_id, REASON, actor=OFFICER)
    await engine.case(case_id).result()
    found = case(engine, case_id)
    assert found.status is CaseStatus.DISMISSED
    assert {duty.status for duty in found.duties} == {DutyStatus.CANCELLED}
    assert not letters(engine, case_id, duties(engine, case_id, "VA")[INITIAL])
    kinds = [entry.kind for entry in found.evidence]
    assert kinds.index("act.dismiss") < kinds.index("case_closed")


async def test_what_was_performed_before_the_dismissal_stays_performed(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", expected=utc_now()), release="immediate")
    before = duties(engine, case_id, "VA")[INITIAL]
    await officer(engine).dismiss_breach(case_id, REASON, actor=OFFICER)
    await engine.case(case_id).result()
    after = duties(engine, case_id, "VA")
    assert (after[INITIAL].status, after[INITIAL].verdict) == (DutyStatus.PERFORMED, before.verdict)
    assert after[NOTICE].status is DutyStatus.CANCELLED


async def test_a_dismissal_needs_a_reason(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", expected=utc_now()))
    async with leaving_no_trace(engine, case_id):
        assert isinstance(await refusal(officer(engine).dismiss_breach(case_id, " ", actor=OFFICER)), InvalidInput)


async def test_a_confirmed_breach_is_not_dismissed(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", confirmed=utc_now()))
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).dismiss_breach(case_id, REASON, actor=OFFICER))
    assert isinstance(error, Refused)
    assert "is confirmed" in str(error)
