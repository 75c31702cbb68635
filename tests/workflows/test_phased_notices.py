"""Phased notices: what is not known at first follows, to exactly those whose terms ask for it and still lack it."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest

from cases.intake import ApproximateTime
from cases.values import AnchorValue
from models.enums import CaseStatus, NoticeKind
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import NOTICE, OFFICER, case, duties, incident, open_case, text
from tests.support.officers import officer
from tests.support.post import facts_of, letters

pytestmark = pytest.mark.long

GATHERING = timedelta(minutes=61)
"""A little longer than a supplement gathers further facts."""


async def notified(engine: VirtualEngine, *agreements: str, occurred: ApproximateTime | None = None) -> UUID:
    """A confirmed breach whose first notices are given."""
    case_id = await open_case(engine, incident(*agreements, confirmed=utc_now(), occurred=occurred))
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    return case_id


async def test_a_supplement_goes_to_those_whose_terms_lacked_the_element(engine: VirtualEngine) -> None:
    case_id = await notified(engine, "IL-001", "NY-001", "TN-001")
    await officer(engine).learn(case_id, "students_involved", "They are behind the link.", actor=OFFICER)
    await engine.advance(case_id, GATHERING)
    first, supplement = letters(engine, case_id, duties(engine, case_id, "IL")[NOTICE])
    assert supplement["To"] == first["To"]
    assert supplement["In-Reply-To"] == first["Message-ID"]
    assert len(letters(engine, case_id, duties(engine, case_id, "NY")[NOTICE])) == 1
    assert len(letters(engine, case_id, duties(engine, case_id, "TN")[NOTICE])) == 1


async def test_a_supplement_says_what_it_adds_and_repeats_nothing(engine: VirtualEngine) -> None:
    case_id = await notified(engine, "NY-001", "TN-001")
    await officer(engine).learn(case_id, "records_count", "1,204", actor=OFFICER)
    await engine.advance(case_id, GATHERING)
    _, supplement = letters(engine, case_id, duties(engine, case_id, "NY")[NOTICE])
    assert "This adds: - Number of records affected" in text(supplement)
    assert "Number of records affected (new) 1,204" in facts_of(supplement)
    assert "Description of the investigation so far Not yet known." in facts_of(supplement)
    assert "General description of the breach" not in facts_of(supplement)
    assert "Name and contact of the district concerned" not in facts_of(supplement)
    duty = duties(engine, case_id, "NY")[NOTICE]
    assert [notice.lacking for notice in duty.notices][-1] == ("Description of the investigation so far",)
    assert case(engine, case_id).status is CaseStatus.OPEN


async def test_facts_that_come_together_make_one_supplement(engine: VirtualEngine) -> None:
    case_id = await notified(engine, "NY-001")
    await officer(engine).learn(case_id, "records_count", "1,204", actor=OFFICER)
    await engine.advance(case_id, timedelta(minutes=30))
    await officer(engine).learn(case_id, "investigation", "The server was isolated.", actor=OFFICER)
    await engine.advance(case_id, timedelta(minutes=31))
    found = duties(engine, case_id, "NY")[NOTICE]
    _, supplement = letters(engine, case_id, found)
    assert "This adds: - Number of records affected - Description of the investigation so far" in text(supplement)
    assert [notice.kind for notice in found.notices] == [NoticeKind.NOTICE, NoticeKind.SUPPLEMENT]
    assert case(engine, case_id).status is CaseStatus.CLOSED, "nothing is lacking"


async def test_an_officer_may_release_a_supplement_at_once(engine: VirtualEngine) -> None:
    case_id = await notified(engine, "IL-001")
    await officer(engine).learn(case_id, "students_involved", "They are behind the link.", actor=OFFICER)
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    assert len(letters(engine, case_id, duties(engine, case_id, "IL")[NOTICE])) == 2


async def test_what_is_impossible_to_determine_is_lacking_no_more(engine: VirtualEngine) -> None:
    case_id = await notified(engine, "NY-001")
    await officer(engine).learn(case_id, "records_count", None, actor="counsel")
    summary = await officer(engine).learn(case_id, "investigation", None, actor="counsel")
    assert summary.lacking_notices == 0
    await engine.case(case_id).result()
    found = case(engine, case_id)
    assert found.status is CaseStatus.CLOSED
    declared = [entry for entry in found.evidence if entry.kind == "act.impossible"]
    assert {(entry.body["particulars"]["status"], entry.actor) for entry in declared} == {("impossible", "counsel")}


async def test_a_first_notice_says_what_could_not_be_determined(engine: VirtualEngine) -> None:
    case_id = await open_case(
        engine, incident("NY-001", "TN-001", confirmed=utc_now(), occurred=ApproximateTime(kind="unknown"))
    )
    for element in ("records_count", "investigation", "breach_date"):
        await officer(engine).learn(case_id, element, None, actor=OFFICER)
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.case(case_id).result()
    (notice,) = letters(engine, case_id, duties(engine, case_id, "NY")[NOTICE])
    assert "Number of records affected Could not be determined." in facts_of(notice)
    assert "Date, estimated date or date range of the breach Could not be determined." in facts_of(notice)
    assert "What will follow" not in text(notice)


async def test_the_date_of_the_breach_follows_once_it_is_found(engine: VirtualEngine) -> None:
    case_id = await notified(engine, "TN-001", occurred=ApproximateTime(kind="unknown"))
    duty = duties(engine, case_id, "TN")[NOTICE]
    assert duty.notices[0].lacking == ("Date, estimated date or date range of the breach",)
    found = AnchorValue(name="occurred", first_day=date(2026, 11, 2), last_day=date(2026, 11, 4))
    await officer(engine).set_anchor(case_id, found, actor=OFFICER, reason="The logs of the gateway.")
    await engine.advance(case_id, GATHERING)
    _, supplement = letters(engine, case_id, duties(engine, case_id, "TN")[NOTICE])
    assert "(new) Monday, November 2, 2026 to Wednesday, November 4, 2026" in facts_of(supplement)
    assert case(engine, case_id).status is CaseStatus.CLOSED


async def test_a_date_may_be_told_in_words(engine: VirtualEngine) -> None:
    case_id = await notified(engine, "TN-001", occurred=ApproximateTime(kind="unknown"))
    await officer(engine).learn(case_id, "breach_date", "Some night in early autumn", actor=OFFICER)
    await engine.advance(case_id, GATHERING)
    _, supplement = letters(engine, case_id, duties(engine, case_id, "TN")[NOTICE])
    assert "(new) Some night in early autumn" in facts_of(supplement)


async def test_a_fact_that_is_taken_back_makes_no_supplement(engine: VirtualEngine) -> None:
    case_id = await notified(engine, "NY-001")
    await officer(engine).learn(case_id, "records_count", "1,204", actor=OFFICER)
    await officer(engine).learn(case_id, "records_count", None, actor=OFFICER)
    await engine.advance(case_id, GATHERING)
    assert len(letters(engine, case_id, duties(engine, case_id, "NY")[NOTICE])) == 1
    assert case(engine, case_id).status is CaseStatus.OPEN, "the investigation is still to be told"


async def test_an_element_that_is_known_by_its_release_needs_no_supplement(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("IL-001", confirmed=utc_now()))
    await officer(engine).learn(case_id, "parent_contact", "Sam Example, 555 0110", actor=OFFICER)
    await officer(engine).learn(case_id, "students_involved", "They are in the list behind the link.", actor=OFFICER)
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.case(case_id).result()
    (notice,) = letters(engine, case_id, duties(engine, case_id, "IL")[NOTICE])
    assert "Sam Example, 555 0110" in facts_of(notice)
    assert "Not yet known" not in text(notice)


async def test_where_notices_leave_at_once_supplements_do_too(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("IL-001", confirmed=utc_now()), release="immediate")
    await officer(engine).learn(case_id, "students_involved", "They are behind the link.", actor=OFFICER)
    await engine.settle(case_id)
    assert len(letters(engine, case_id, duties(engine, case_id, "IL")[NOTICE])) == 2
