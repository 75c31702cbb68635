"""A change of control from its closing to the last answer, or to the silence that is noted: in virtual time."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from cases.successor import AddAssurance
from models.enums import CaseStatus, DutyStatus, Verdict
from models.errors import InvalidInput
from models.identifiers import agreement_id
from models.tables import Agreement
from queries.views import DutyView
from records.answers import read_answers
from starter.rehearsals.virtual_time import VirtualEngine
from tests.support.incidents import OFFICER, case, know_offices, letter, text
from tests.support.officers import officer
from tests.support.signed_pdfs import altered, signed_pdf
from tests.support.successors import open_played, report, today, told_answered_and_silent

pytestmark = pytest.mark.long

DAY = timedelta(days=1)


def duty(engine: VirtualEngine, case_id: UUID) -> DutyView:
    (found,) = case(engine, case_id).duties
    return found


def sixtieth_day_ends(found: DutyView, closing: datetime) -> datetime:
    """The last second of the 60th day after a closing, by the LEA's own calendar."""
    last = closing.date() + 60 * DAY
    return datetime.combine(last, time(23, 59, 59), ZoneInfo(found.time_zone))


async def test_nobody_acts_and_the_notice_leaves_before_the_sixtieth_day_ends(engine: VirtualEngine) -> None:
    know_offices(engine, "IL-720")
    closing = today()
    case_id = await open_played(engine, report("IL-720", closing=closing))
    found = duty(engine, case_id)
    ends = sixtieth_day_ends(found, datetime.combine(closing, time()))
    assert found.due_at == ends
    await engine.advance_to(case_id, ends - timedelta(minutes=61))
    assert duty(engine, case_id).status is DutyStatus.RUNNING
    await engine.advance_to(case_id, ends)
    told = duty(engine, case_id)
    assert (told.status, told.verdict) == (DutyStatus.PERFORMED, Verdict.ON_TIME)
    says = text(letter(engine, case_id, told))
    assert "Example Holdings, Inc." in says
    assert "It is among the documents behind the link in this notice." in says
    assert "we do not take silence for consent" in says


async def test_without_the_assurance_nothing_leaves_and_it_is_overdue_and_raised(engine: VirtualEngine) -> None:
    know_offices(engine, "MO-720")
    closing = today() - 59 * DAY
    case_id = await open_played(engine, report("MO-720", closing=closing, assurance=None))
    due = duty(engine, case_id).due_at
    assert due
    await engine.advance_to(case_id, due - timedelta(minutes=1))
    assert [entry for entry in case(engine, case_id).evidence if entry.kind == "escalated"] == []
    await engine.advance_to(case_id, due + timedelta(minutes=1))
    waiting = duty(engine, case_id)
    assert (waiting.status, waiting.notices) == (DutyStatus.RUNNING, ())
    assert waiting.waits_for == ("Signed assurance that the successor assumes the obligations",)
    (raised,) = [entry for entry in case(engine, case_id).evidence if entry.kind == "escalated"]
    assert raised.body["overdue"] is True
    with pytest.raises(InvalidInput, match="Its digital signature is broken"):
        await officer(engine).do(case_id, AddAssurance, OFFICER, assurance=altered(signed_pdf()))
    (refused,) = [entry for entry in case(engine, case_id).evidence if entry.kind == "file_refused"]
    assert (refused.body["act"], refused.actor) == ("add-assurance", OFFICER)
    await officer(engine).do(case_id, AddAssurance, OFFICER, assurance=signed_pdf())
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    told = duty(engine, case_id)
    assert (told.status, told.verdict) == (DutyStatus.PERFORMED, Verdict.LATE)


async def test_it_is_over_once_each_has_answered_or_its_silence_is_noted(engine: VirtualEngine) -> None:
    know_offices(engine, "IL-721", "MO-721", "VA-721")
    case_id = await told_answered_and_silent(engine, "IL-721", "MO-721", "VA-721")
    found = case(engine, case_id)
    assert found.status is CaseStatus.CLOSED
    answered = read_answers(engine.resources.database, case_id)
    assert (answered.offering, answered.no_objections, len(answered.exercised), answered.silent) == (3, 1, 1, 1)
    kinds = [entry.kind for entry in found.evidence]
    assert [kinds.count(kind) for kind in ("acknowledgement_asked", "silence_noted")] == [2, 1]
    (silence,) = [entry for entry in found.evidence if entry.kind == "silence_noted"]
    told = min(duty.performed_at for duty in found.duties if duty.performed_at)
    assert 30 * DAY <= silence.at - told < 30 * DAY + timedelta(minutes=2)
    with engine.resources.database.reading() as session:
        assert session.get_one(Agreement, agreement_id("MO-721")).terminated_on
