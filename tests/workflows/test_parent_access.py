"""A request for access from its entry to the letter that confirms the correction; and beside a disposal."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from models.enums import CaseStatus, DutyStatus, HolderMail, Verdict
from queries.views import DutyView
from starter.rehearsals.virtual_time import VirtualEngine
from tests.support.access_requests import CONFIRMATION, CORRECTION, REQUEST
from tests.support.answered_requests import DAY, act, answered_and_corrected, give, open_request_of_today
from tests.support.directives import HOSTING
from tests.support.dispositions import certify, open_for
from tests.support.incidents import case, know_offices, letter, text
from tests.support.sweeping import sweep

pytestmark = pytest.mark.long


def duty(engine: VirtualEngine, case_id: UUID, clause: str) -> DutyView:
    (found,) = (duty for duty in case(engine, case_id).duties if duty.clause == clause)
    return found


def written(engine: VirtualEngine, case_id: UUID) -> list[HolderMail]:
    """Why the subprocessor was written to, in order."""
    return [letter.why for holder in case(engine, case_id).holders if holder.email for letter in holder.letters]


async def test_from_the_request_to_the_letter_that_confirms_the_correction(engine: VirtualEngine) -> None:
    know_offices(engine, "IL-720")
    case_id = await answered_and_corrected(engine, "IL-720")
    for clause in (REQUEST, CORRECTION, CONFIRMATION):
        done = duty(engine, case_id, clause)
        assert (done.status, done.verdict) == (DutyStatus.PERFORMED, Verdict.ON_TIME), clause
    says = text(letter(engine, case_id, duty(engine, case_id, CONFIRMATION)))
    assert "It is among the documents behind the link in this notice." in says
    for secret in ("4711", "date of birth", "grades"):
        assert secret not in says, "no student is named in a mail"
    assert case(engine, case_id).status is CaseStatus.CLOSED


async def test_what_nobody_gives_is_overdue_and_raised(engine: VirtualEngine) -> None:
    know_offices(engine, "IL-721")
    case_id = await open_request_of_today(engine, "IL-721")
    now = await engine.advance(case_id, 7 * DAY)
    asked = duty(engine, case_id, REQUEST)
    assert (asked.status, asked.due_at and asked.due_at < now) == (DutyStatus.RUNNING, True)
    raised = [entry.body["clause"] for entry in case(engine, case_id).evidence if entry.kind == "escalated"]
    assert raised == [REQUEST]
    await give(engine, case_id)
    assert duty(engine, case_id, REQUEST).verdict is Verdict.LATE
    assert case(engine, case_id).status is CaseStatus.CLOSED


async def test_what_the_lea_takes_back_ends_at_once_and_tells_nobody(engine: VirtualEngine) -> None:
    know_offices(engine, "IL-722")
    case_id = await open_request_of_today(engine, "IL-722")
    says = {"act": "refuse-request", "ground": "not-entitled", "reason": "The registrar: by an order of the court."}
    await act(engine, case_id, says)
    found = case(engine, case_id)
    assert (found.status, {row.status for row in found.duties}) == (CaseStatus.DISMISSED, {DutyStatus.CANCELLED})
    assert not [row for row in found.duties if row.notices]


async def test_a_disposal_stops_while_a_request_is_open_and_goes_on_by_itself(engine: VirtualEngine) -> None:
    know_offices(engine, "IL-723")
    disposal = await open_for(engine, "IL-723", HOSTING)
    request = await open_request_of_today(engine, "IL-723")
    await engine.settle(disposal)
    assert written(engine, disposal) == [HolderMail.ASKED, HolderMail.STOPPED]
    await give(engine, request)
    assert case(engine, request).status is CaseStatus.CLOSED
    await sweep(engine)  # as it does every few minutes
    await engine.settle(disposal)
    assert written(engine, disposal) == [HolderMail.ASKED, HolderMail.STOPPED, HolderMail.RESUMED]
    await engine.advance(disposal, timedelta(hours=1))
    await certify(engine, disposal, HOSTING)
    await certify(engine, disposal, "provider")
    assert duty(engine, disposal, "disposition.request").status is DutyStatus.PERFORMED
