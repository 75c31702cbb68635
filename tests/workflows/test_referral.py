"""A request of a parent in virtual time: it waits for a person while its clock runs, then both are written to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cases.referral import REFERRAL, CloseUnreferred, Refer
from models.enums import CaseStatus, DutyStatus, Verdict
from models.errors import Refused
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.direct_requests import PARENT, TO_LEA, TO_PARENT, WORDS, a_request, referred_once_the_lea_is_found
from tests.support.incidents import OFFICER, case, know_offices, letter, office, text
from tests.support.officers import officer

pytestmark = pytest.mark.long


async def test_from_the_request_to_both_letters(engine: VirtualEngine) -> None:
    know_offices(engine, "IL-731")
    case_id = await referred_once_the_lea_is_found(engine, "IL-731")
    found = case(engine, case_id)
    of = {duty.clause: duty for duty in found.duties}
    assert {clause: (duty.status, duty.verdict) for clause, duty in of.items()} == {
        TO_PARENT: (DutyStatus.PERFORMED, Verdict.ON_TIME),
        TO_LEA: (DutyStatus.PERFORMED, Verdict.ON_TIME),
    }
    to_parent, to_lea = letter(engine, case_id, of[TO_PARENT]), letter(engine, case_id, of[TO_LEA])
    assert PARENT["email"] in str(to_parent["To"])
    assert office("IL-731") in str(to_lea["To"])
    assert "District IL-731" in text(to_parent)
    assert WORDS not in text(to_lea)
    asked = [entry for entry in found.evidence if entry.kind == "acknowledgement_asked"]
    assert len(asked) == 1, "the LEA is asked to acknowledge, and the parent is not"
    assert found.status is CaseStatus.CLOSED


async def test_found_too_late_it_is_referred_late_and_closed_unreferred_nobody_is_told(engine: VirtualEngine) -> None:
    know_offices(engine, "IL-732")
    late, closed = [
        (
            await engine.service.open_case(
                REFERRAL, a_request(asked_directly=utc_now().date(), request=words), actor=OFFICER
            )
        ).case_id
        for words in ("Late.", "An advertisement.")
    ]
    for case_id in (late, closed):
        await engine.settle(case_id)
        await engine.advance(case_id, timedelta(days=7))
        assert case(engine, case_id).status is CaseStatus.OPEN, "it waits for a person, however long"
    await officer(engine).do(late, Refer, OFFICER, agreement="IL-732")
    await engine.settle(late)
    await engine.advance(late, timedelta(hours=1))
    assert {duty.verdict for duty in case(engine, late).duties} == {Verdict.LATE}
    with pytest.raises(Refused, match="A letter has left"):
        await officer(engine).do(late, CloseUnreferred, OFFICER, reason="It was a mistake.")
    await officer(engine).do(closed, CloseUnreferred, OFFICER, reason="An advertisement.")
    await engine.settle(closed)
    found = case(engine, closed)
    assert (found.status, found.duties) == (CaseStatus.DISMISSED, ())
