"""A directive from its entry to the letter that says that every holder has confirmed; and what nobody confirms."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select
from temporalio.client import WorkflowHandle, WorkflowHistory

from cases.acts import Assign, TellOverdue
from cases.disposition import AcceptAnswer
from cases.state import CaseSummary
from cases.values import KeptText
from config.keyring import Keyring
from models.enums import (
    CaseStatus,
    DeliveryStatus,
    DutyStatus,
    HolderAnswerKind,
    HolderMail,
    HolderStatus,
    Role,
    Verdict,
)
from models.errors import Refused
from models.tables import Case
from people.accounts import add_account
from queries.evidence import read_message
from queries.views import DutyView
from starter.case_service import CaseService
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.accounts import introducer
from tests.support.directives import BACKUP, HOSTING, REQUEST, VERIFICATION, more_time
from tests.support.dispositions import DAY, answer_by_link, certify, confirmed_by_each_holder, open_for
from tests.support.gate import held_engine
from tests.support.incidents import OFFICER, case, caught, know_offices, letter, office, text
from tests.support.patience import PATIENCE
from tests.support.post import memos

pytestmark = pytest.mark.long

ROBIN, KIM = "robin-712", "kim-712"


def duty(engine: VirtualEngine, case_id: UUID, clause: str) -> DutyView:
    (found,) = (duty for duty in case(engine, case_id).duties if duty.clause == clause)
    return found


def written(engine: VirtualEngine, case_id: UUID) -> dict[str, list[HolderMail]]:
    """Why each holder was written to, in order."""
    return {holder.name: [letter.why for letter in holder.letters] for holder in case(engine, case_id).holders}


async def computed(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until a case has computed with what it was told of."""
    async with asyncio.timeout(PATIENCE):
        while (await handle.query("summary", result_type=CaseSummary)).computing:  # noqa: ASYNC110 (a query tells of nothing)
            await asyncio.sleep(0.02)


def scheduled(history: WorkflowHistory) -> list[str]:
    """The types of the activities that a case has asked for."""
    asked = (event.activity_task_scheduled_event_attributes.activity_type.name for event in history.events)
    return [name for name in asked if name]


async def test_what_happens_while_holders_are_written_to_has_nobody_written_to_twice(
    keyring: Keyring, tmp_path: Path
) -> None:
    """The fault that was seen: an act just then had each holder asked a second time."""
    async with held_engine(tmp_path, keyring) as (engine, gate):
        know_offices(engine, "IL-719")
        gate.closed, gate.only = True, "ask_holders"
        opening = asyncio.create_task(open_for(engine, "IL-719", HOSTING, BACKUP))
        workflow_id, *_ = await gate.next_held("ask_holders")
        handle = engine.resources.client.get_workflow_handle(workflow_id)
        with engine.resources.database.reading() as session:
            case_id = session.exec(select(Case.id)).one()
        for _ in range(2):
            await engine.service.look_again(case_id)
            await computed(handle)
        assert scheduled(await handle.fetch_history()).count("ask_holders") == 1
        gate.lift()
        assert await opening == case_id
        asked = written(engine, case_id)
    assert (asked[HOSTING], asked[BACKUP]) == ([HolderMail.ASKED], [HolderMail.ASKED])


async def test_from_the_directive_to_the_written_confirmation(engine: VirtualEngine) -> None:
    know_offices(engine, "IL-710")
    case_id = await confirmed_by_each_holder(engine, "IL-710")
    reminded = [HolderMail.REMINDED] * 2
    assert written(engine, case_id) == {
        HOSTING: [HolderMail.ASKED, HolderMail.RECEIPT],
        BACKUP: [HolderMail.ASKED, *reminded, HolderMail.RECEIPT],
        "provider": [*[HolderMail.OTHERS_MISSING] * 2, HolderMail.ASKED, HolderMail.RECEIPT],
    }
    disposed, told = duty(engine, case_id, REQUEST), duty(engine, case_id, VERIFICATION)
    assert (disposed.status, disposed.verdict) == (DutyStatus.PERFORMED, Verdict.ON_TIME)
    assert (told.status, told.verdict) == (DutyStatus.PERFORMED, Verdict.ON_TIME)
    assert disposed.performed_at
    assert told.performed_at
    assert disposed.performed_at <= told.performed_at
    says = text(letter(engine, case_id, told))
    assert "It is among the documents behind the link in this notice." in says
    found = case(engine, case_id)
    assert found.status is CaseStatus.CLOSED
    assert {entry.kind for entry in found.evidence} >= {"holder_written", "holder_answered", "holders_confirmed"}


async def test_what_nobody_confirms_is_overdue_and_raised_and_performed_late_once_it_is(engine: VirtualEngine) -> None:
    know_offices(engine, "IL-711")
    case_id = await open_for(engine, "IL-711", HOSTING, holder_hours_before=(0,))
    now = await engine.advance(case_id, 32 * DAY)
    asked = duty(engine, case_id, REQUEST)
    assert (asked.status, asked.due_at and asked.due_at < now) == (DutyStatus.RUNNING, True)
    raised = [entry.body["clause"] for entry in case(engine, case_id).evidence if entry.kind == "escalated"]
    assert sorted(raised) == [REQUEST, VERIFICATION], "the letter is overdue too, and never goes without the word"
    await certify(engine, case_id, HOSTING)
    await certify(engine, case_id, "provider")
    late = duty(engine, case_id, REQUEST)
    assert (late.status, late.verdict) == (DutyStatus.PERFORMED, Verdict.LATE)
    await engine.advance(case_id, timedelta(hours=2))
    told = duty(engine, case_id, VERIFICATION)
    assert (told.status, told.verdict) == (DutyStatus.PERFORMED, Verdict.LATE)
    assert {holder.status for holder in case(engine, case_id).holders} == {HolderStatus.CONFIRMED}


async def test_telling_the_lea_that_it_is_overdue_performs_nothing_and_the_word_that_comes_later_is_late(
    engine: VirtualEngine,
) -> None:
    know_offices(engine, "IL-719")
    case_id = await open_for(engine, "IL-719", HOSTING, holder_hours_before=(0,))
    now = await engine.advance(case_id, 32 * DAY)
    given = {"clause": REQUEST, "agreement": "IL-719", "text": "The tapes come back next week."}
    service = CaseService(engine.resources, clock=lambda: now)
    await service.take(case_id, TellOverdue.model_validate(given), actor=OFFICER)
    await engine.settle(case_id)
    overdue = duty(engine, case_id, REQUEST)
    (told,) = overdue.overdue_letters
    assert (told.status, told.contact_email) == (DeliveryStatus.ACCEPTED, office("IL-719"))
    assert told.message_sha256
    sent = read_message(engine.resources.database, case_id, told.message_sha256)
    assert sent in caught(engine, str(message_from_bytes(sent)["Message-ID"])), "it arrived as it is kept"
    assert (overdue.status, overdue.verdict, overdue.notices) == (DutyStatus.RUNNING, None, ())

    await certify(engine, case_id, HOSTING)
    await certify(engine, case_id, "provider")
    late = duty(engine, case_id, REQUEST)
    assert (late.status, late.verdict) == (DutyStatus.PERFORMED, Verdict.LATE)
    again = TellOverdue.model_validate(given | {"text": "Once more."})
    with pytest.raises(Refused, match="This duty has been performed"):
        await service.take(case_id, again, actor=OFFICER)
    assert len(duty(engine, case_id, REQUEST).overdue_letters) == 1


async def test_granted_time_moves_a_holder_s_ladder_and_those_whose_case_it_is_are_told_of_each_step(
    engine: VirtualEngine,
) -> None:
    know_offices(engine, "IL-712")
    case_id = await open_for(engine, "IL-712", HOSTING, BACKUP)
    for name in (ROBIN, KIM):
        email = f"{name}@provider.example.org"
        add_account(engine.resources.database, name, Role.OFFICER, email=email, made_by=introducer(name), now=utc_now())
    await engine.service.take(case_id, Assign(responsible=ROBIN, deputy=KIM), actor=OFFICER)
    now = await engine.advance(case_id, DAY)
    await answer_by_link(engine, case_id, HOSTING, more_time(now.date() + 60 * DAY), HolderAnswerKind.MORE_TIME)
    granted = AcceptAnswer(holder=HOSTING, reason=KeptText.model_validate("Their tapes come back then."))
    await engine.service.take(case_id, granted, actor=OFFICER)
    await engine.settle(case_id)
    await engine.advance(case_id, 40 * DAY)
    found = written(engine, case_id)
    assert found[HOSTING] == [HolderMail.ASKED, HolderMail.RECEIPT, HolderMail.MOVED, HolderMail.REMINDED]
    assert found[BACKUP] == [HolderMail.ASKED, *[HolderMail.REMINDED] * 4]
    reminded = [memo["To"].addresses[0].username for memo in memos(engine, case_id, "of data reminded")]
    assert reminded[:3] == [ROBIN, ROBIN, KIM], "the deputy is told as well once most of the time is over"
    overdue = [memo["To"].addresses[0].username for memo in memos(engine, case_id, "overdue")]
    assert {ROBIN, KIM, "security"} <= set(overdue), "what is overdue reaches the organisation's contact too"
    told = [entry.body["about"] for entry in case(engine, case_id).evidence if entry.kind == "person_told"]
    assert told.count("holders-reminded") == len(reminded), "each message is in evidence"
