"""A notice that comes back: its duty is owed again, the next contact is told, and evidence says all of it."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from config.keyring import Keyring
from ledger.verify import verify_ledger
from mail.return_path import RETURN_PATH_PURPOSE, ReturnPath
from models.enums import CaseStatus, DeliveryStatus, DutyStatus, Verdict
from records.bounces import Fate
from records.sent_mail import MailToSend, begin_mail, settle_mail
from starter.bounces import Taken
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from tests.support.bounce_shapes import dsn
from tests.support.bounced import BOUNCES, Told, tell
from tests.support.case_in_sql import QUEUED
from tests.support.incidents import NOTICE, QUIET, case
from tests.support.installation import ORIGIN, Installation
from tests.support.sweeping import sweep

pytestmark = pytest.mark.long

DAY = timedelta(days=1)
BOUNCED, ACCEPTED = DeliveryStatus.BOUNCED, DeliveryStatus.ACCEPTED


@pytest.fixture(scope="module")
async def bounced(keyring: Keyring, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VirtualEngine]:
    """An engine that reads what comes back."""
    overrides = QUIET | {"release": "immediate", "bounces": {"address": BOUNCES}, "public_url": ORIGIN}
    async with virtual_engine(tmp_path_factory.mktemp("bounces"), keyring=keyring, overrides=overrides) as engine:
        yield engine


async def comes_back(told: Told, now: datetime, to: str | None = None, about: str | None = None) -> Taken:
    """The first message of a case comes back, as its contact's mail server has it."""
    raw = dsn(to=to or told.return_path, recipients=(about or told.office,), message_id=f"{told.case_id}@example.org")
    taken = await told.intake(lambda: now).take_mail(raw, "file")
    await told.engine.settle(told.case_id)
    return taken


def verdict(told: Told) -> Verdict | None:
    return told.duty.verdict


async def test_performed_on_time_reopened_performed_late_and_all_of_it_in_evidence(bounced: VirtualEngine) -> None:
    engine, told = bounced, await tell(bounced, "ME-002")
    assert verdict(told) is Verdict.ON_TIME
    now = await engine.advance(told.case_id, 5 * DAY)
    assert await comes_back(told, now) == Taken((Fate.RECORDED,))
    assert told.outbox == [(told.office, BOUNCED), (told.deputy, ACCEPTED)]
    assert verdict(told) is Verdict.LATE
    evidence = [
        (entry.kind, entry.body.get("verdict"))
        for entry in case(engine, told.case_id).evidence
        if entry.kind in ("notice_given", "delivery_bounced", "duty_reopened")
    ]
    assert evidence == [
        ("notice_given", "on_time"),
        ("delivery_bounced", None),
        ("duty_reopened", "on_time"),
        ("notice_given", "late"),
    ]
    memo = next(raw for file in engine.mail.glob("*.eml") if b"come back" in (raw := file.read_bytes()))
    words = " ".join(memo.decode().replace("=\r\n", "").split())
    assert "a notice, or let one come back" in words
    assert "No such mailbox" in words, "what the server said"
    with engine.resources.database.reading() as session:
        assert verify_ledger(session).sound
    visitor = await Installation(engine.resources).officer()
    page = html.unescape(re.sub(r"\s+", " ", (await visitor.get(f"/cases/{told.case_id}?clause={NOTICE}")).text))
    assert "The notice that had performed this came back" in page
    assert "it came back (5.1.1: 550 5.1.1 No such mailbox)" in re.sub("<[^>]*>", "", page)


async def test_a_bounce_after_the_case_was_closed_opens_it_again(bounced: VirtualEngine) -> None:
    engine, told = bounced, await tell(bounced, "ME-003", chase_hours=())
    now = await engine.advance(told.case_id, 200 * DAY)
    assert case(engine, told.case_id).status is CaseStatus.CLOSED
    assert await comes_back(told, now) == Taken((Fate.RECORDED,))
    assert told.outbox == [(told.office, BOUNCED), (told.deputy, ACCEPTED)]
    assert told.duty.status is DutyStatus.PERFORMED
    kinds = [entry.kind for entry in case(engine, told.case_id).evidence]
    assert kinds.index("case_closed") < kinds.index("case_reopened")


async def test_a_case_that_temporal_could_not_be_told_about_is_handed_on_by_the_watchdog(
    bounced: VirtualEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, told = bounced, await tell(bounced, "ME-004")
    intake = told.intake()
    monkeypatch.setattr(intake, "_pass_on", _away)
    await intake.take_mail(dsn(to=told.return_path, recipients=(told.office,)), "file")
    assert told.outbox == [(told.office, BOUNCED)]
    await sweep(engine)
    await engine.settle(told.case_id)
    assert told.outbox == [(told.office, BOUNCED), (told.deputy, ACCEPTED)]


async def _away(_: object) -> None:
    """Temporal does not answer."""


async def test_a_forged_return_path_changes_nothing_and_one_about_somebody_else_only_leaves_its_entry(
    bounced: VirtualEngine,
) -> None:
    engine, told = bounced, await tell(bounced, "ME-005")
    path, now, before = told.return_path, await engine.now(told.case_id), len(case(engine, told.case_id).evidence)
    begins = path.index("+") + 1
    forged = f"{path[:begins]}{'b' if path[begins] == 'a' else 'a'}{path[begins + 1 :]}"
    assert (await comes_back(told, now, to=forged)).foreign
    assert len(case(engine, told.case_id).evidence) == before
    assert await comes_back(told, now, about="stranger@example.org") == Taken((Fate.RECORDED,))
    assert case(engine, told.case_id).evidence[-1].kind == "delivery_reported"
    assert (told.duty.verdict, told.outbox) == (Verdict.ON_TIME, [(told.office, ACCEPTED)])


async def test_another_mail_that_comes_back_is_known_by_its_path_and_moves_no_duty(bounced: VirtualEngine) -> None:
    told = await tell(bounced, "ME-777")
    resources = told.resources()
    now = await bounced.now(told.case_id)
    mail = MailToSend(uuid4(), "people/reminder", "robin@provider.example.org", b"Hello", told.case_id, who="robin")
    with resources.database.writing() as session:
        begun = begin_mail(session, mail, now, timedelta(hours=1))
        settle_mail(session, mail, QUEUED, now)
    path = ReturnPath(BOUNCES, resources.keyring.derive(RETURN_PATH_PURPOSE)).of(mail.id, begun.attempt)
    raw = dsn(to=path, recipients=(mail.email,), message_id="other@example.org")
    for fate, minutes in ((Fate.RECORDED, 1), (Fate.KNOWN, 60)):
        later = now + timedelta(minutes=minutes)
        assert await told.intake(lambda later=later: later).take_mail(raw, "file") == Taken((fate,))  # type: ignore[misc]
    assert verdict(told) is Verdict.ON_TIME
    kinds = [entry.kind for entry in case(bounced, told.case_id).evidence]
    assert kinds.count("mail_bounced") == 1
    assert "duty_reopened" not in kinds
