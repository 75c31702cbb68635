"""A district without an e-mail address: its notice is a letter, and what performs the duty is a person's word."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import select

from agreements.importing import import_agreements
from cases.acts import NotPosted, Posted
from models.enums import DutyStatus, PostalService, Verdict
from models.tables import PostalLetter
from queries.views import DutyView
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import NOTICE, OFFICER, case, duties, incident, only_notice, open_case
from tests.support.officers import officer

REFERENCE = "ME-POST-1"
COLUMNS = "reference,form,lea_name,state,time_zone,executed_on,general_name,general_address"
ROW = f'{REFERENCE},ndpa-v1,Postal District,ME,America/New_York,2025-01-12,Office,"1 Hill Road | Inkwell, ME 00000"'


def letter_of(engine: VirtualEngine, case_id: UUID) -> PostalLetter:
    with engine.resources.database.reading() as session:
        return session.exec(select(PostalLetter).where(PostalLetter.case_id == case_id)).one()


def duty(engine: VirtualEngine, case_id: UUID) -> DutyView:
    return duties(engine, case_id, "ME")[NOTICE]


async def test_the_notice_is_a_letter_and_its_posting_is_computed_with_at_once(engine: VirtualEngine) -> None:
    resources = engine.resources
    import_agreements(
        resources.database,
        resources.catalogue,
        f"{COLUMNS}\n{ROW}\n",
        file_name="one.csv",
        now=utc_now(),
        actor=OFFICER,
    )
    case_id = await open_case(
        engine, incident(REFERENCE, confirmed=utc_now()), release="immediate", chase_hours=(), reminder_fractions=()
    )
    await engine.settle(case_id)
    assert only_notice(duty(engine, case_id)).stands == "letter_to_post"
    assert duty(engine, case_id).status is DutyStatus.RUNNING

    letter = letter_of(engine, case_id)
    given = {"letter": letter.id, "service": PostalService.FIRST_CLASS, "mailed_at": letter.made_at}
    await officer(engine).do(case_id, Posted, OFFICER, **given)
    await engine.settle(case_id)
    found = duty(engine, case_id)
    assert (found.status, found.verdict) == (DutyStatus.PERFORMED, Verdict.ON_TIME_BY_POST)
    assert case(engine, case_id).open_duties == 0

    await officer(engine).do(case_id, NotPosted, OFFICER, letter=letter.id, reason="It lay in the wrong tray.")
    await engine.settle(case_id)
    assert duty(engine, case_id).status is DutyStatus.RUNNING

    await officer(engine).do(case_id, Posted, OFFICER, **given)
    await engine.settle(case_id)
    assert duty(engine, case_id).verdict is Verdict.ON_TIME_BY_POST
