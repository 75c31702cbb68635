"""An agreement that ends, from its record to the certification; one that did not; and one that is to be renewed."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlmodel import col, select

from agreements.references import agreement_named
from models.enums import AnswerKind, CaseStatus, DutyStatus, HolderMail, LifeAct, NoticeKind, Verdict
from models.tables import Agreement, Batch, Notice
from records.answers import checked_answer, record_answers
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.directives import HOSTING
from tests.support.incidents import OFFICER, case, know_offices
from tests.support.officers import officer
from tests.support.played_ends import (
    agreements_of,
    disposed_of_after_the_end,
    ended_by_mistake,
    terminated_in,
)

pytestmark = pytest.mark.long

TERMINATION, END_NOTICE = "disposition.termination", "disposition.end-notice"


def duties(engine: VirtualEngine, case_id: UUID) -> dict[str, tuple[DutyStatus, Verdict | None]]:
    return {duty.clause: (duty.status, duty.verdict) for duty in case(engine, case_id).duties}


def written(engine: VirtualEngine, case_id: UUID) -> dict[str, list[HolderMail]]:
    return {holder.name: [letter.why for letter in holder.letters] for holder in case(engine, case_id).holders}


async def test_from_the_termination_over_the_floor_to_the_certification(engine: VirtualEngine) -> None:
    know_offices(engine, "NY-710")
    case_id = await disposed_of_after_the_end(engine, "NY-710")
    met = (DutyStatus.PERFORMED, Verdict.ON_TIME)
    assert duties(engine, case_id) == {
        TERMINATION: met,
        "disposition.prior-notice": met,
        "disposition.certification": met,
    }
    assert written(engine, case_id)[HOSTING] == [HolderMail.ASKED, HolderMail.REMINDED, HolderMail.RECEIPT]
    assert case(engine, case_id).status is CaseStatus.CLOSED


async def test_a_termination_taken_back_tells_the_lea_and_the_holder_and_ends_the_case(engine: VirtualEngine) -> None:
    know_offices(engine, "NY-711")
    case_id = await ended_by_mistake(engine, "NY-711")
    assert written(engine, case_id)[HOSTING] == [HolderMail.ASKED, HolderMail.WITHDRAWN]
    with engine.resources.database.reading() as session:
        sent = session.exec(select(Batch.kind).where(Batch.case_id == case_id).order_by(col(Batch.planned_at))).all()
    assert sent == [NoticeKind.NOTICE, NoticeKind.DISMISSAL]
    assert case(engine, case_id).status is CaseStatus.DISMISSED


async def test_an_lea_that_expects_to_renew_says_so_by_its_link_and_the_data_is_kept(engine: VirtualEngine) -> None:
    know_offices(engine, "OH-710")
    case_id = await terminated_in(engine, "OH-710", HOSTING)
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    database = engine.resources.database
    with database.writing() as session:
        notice = session.exec(select(Notice.id).where(Notice.case_id == case_id)).one()
        said = checked_answer(notice, AnswerKind.FACT, name="Ana Example")
        record_answers(session, [said], bytes(32), utc_now())
    await engine.service.look_again(case_id)
    await engine.settle(case_id)
    cancelled = (DutyStatus.CANCELLED, None)
    assert duties(engine, case_id) == {TERMINATION: cancelled, END_NOTICE: (DutyStatus.PERFORMED, Verdict.ON_TIME)}
    assert written(engine, case_id)[HOSTING] == [HolderMail.ASKED, HolderMail.WITHDRAWN]
    assert case(engine, case_id).status is CaseStatus.CLOSED
    recorded = await agreements_of(engine).record(
        "OH-710", LifeAct.RENEWAL_FAILED, on=None, by=None, reason="The board decided otherwise.", actor=OFFICER
    )
    assert recorded.opened
    assert recorded.case_id != case_id
    with database.reading() as session:
        assert session.get_one(Agreement, agreement_named(session, "OH-710").id).renewal_expected_on is None
