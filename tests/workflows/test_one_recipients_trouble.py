"""One recipient's trouble is his own: a mailbox that is full, or that never answers, keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlmodel import col, func, select

from cases.acts import SendAgain, Vouch
from config.keyring import Keyring
from ledger.artifacts import fetch
from models.enums import BatchStatus, CaseStatus, DeliveryStatus, DutyStatus, Verdict
from models.errors import InvalidInput, Refused
from models.tables import Agreement, AgreementContact, Batch, Duty, Notice
from records import notices as planning
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from tests.support.incidents import (
    INITIAL,
    NOTICE,
    OFFICER,
    QUIET,
    case,
    duties,
    incident,
    know_offices,
    office,
    only_notice,
    open_case,
)
from tests.support.installation import ORIGIN, Installation
from tests.support.officers import officer
from tests.support.refusing import leaving_no_trace, refusal
from tests.support.scripted_server import HANG_UP, ScriptedServer, scripted_server
from workflows.case import WINDOW

pytestmark = pytest.mark.long

HOUR = timedelta(hours=1)
BATCHES = 100


@asynccontextmanager
async def posting_engine(
    keyring: Keyring, folder: Path, **script: list[str | None]
) -> AsyncIterator[tuple[VirtualEngine, ScriptedServer]]:
    """An engine whose notices go to a mail server that does as it is told."""
    async with scripted_server(**script) as server:
        smtp = {"host": "127.0.0.1", "port": server.port, "security": "none"}
        async with virtual_engine(
            folder, keyring=keyring, overrides=QUIET | {"smtp": smtp, "public_url": ORIGIN}
        ) as engine:
            know_offices(engine, "TN-001", "VA-001")
            yield engine, server


def know_districts_alike(engine: VirtualEngine, count: int) -> list[str]:
    """Import so many districts whose notices are one cohort; return their references."""
    references = [f"ME-{number:04}" for number in range(count)]
    know_offices(engine, *references)
    return references


def one_address_of_each_batch(engine: VirtualEngine, case_id: UUID) -> set[str]:
    """The address of one recipient in each batch of a case."""
    with engine.resources.database.reading() as session:
        rows = session.exec(
            select(Notice.batch_id, AgreementContact)
            .join(Duty, col(Duty.id) == col(Notice.duty_id))
            .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
            .join(AgreementContact, col(AgreementContact.agreement_id) == col(Agreement.id))
            .where(Notice.case_id == case_id)
            .order_by(col(Notice.id))
        )
        return set({batch_id: contact.email for batch_id, contact in rows}.values())


def notices(engine: VirtualEngine, case_id: UUID) -> tuple[int, int, int]:
    """How many notices of a case were given, how many were not, and how many of those given were asked about."""
    with engine.resources.database.reading() as session:
        given, all_notices, asked = session.exec(
            select(func.count(col(Notice.given_at)), func.count(), func.sum(Notice.reminders)).where(
                Notice.case_id == case_id
            )
        ).one()
    return given, all_notices - given, asked


async def page(engine: VirtualEngine, case_id: UUID) -> str:
    """The case's page with its duties, as an officer reads it."""
    visitor = await Installation(engine.resources).officer()
    return html.unescape(re.sub(r"\s+", " ", (await visitor.get(f"/cases/{case_id}?clause={NOTICE}")).text))


def batches(engine: VirtualEngine, case_id: UUID) -> list[BatchStatus]:
    with engine.resources.database.reading() as session:
        return [batch.status for batch in session.exec(select(Batch).where(Batch.case_id == case_id))]


async def test_one_full_mailbox_in_each_of_a_hundred_batches_leaves_nobody_else_waiting(
    keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "BATCH_SIZE", 2)
    async with posting_engine(keyring, tmp_path) as (engine, server):
        references = know_districts_alike(engine, 2 * BATCHES)
        case_id = await open_case(engine, incident(*references, confirmed=utc_now()))
        server.full = one_address_of_each_batch(engine, case_id)
        assert len(server.full) == BATCHES > WINDOW
        await officer(engine).release_notices(case_id, actor=OFFICER)
        await engine.settle(case_id)
        assert notices(engine, case_id) == (BATCHES, BATCHES, 0), "nobody had to wait for a full mailbox"
        assert batches(engine, case_id) == [BatchStatus.PUT_OFF] * BATCHES
        (trouble,) = case(engine, case_id).troubles
        assert (trouble.notices, "put some notices off" in trouble.sentence) == (BATCHES, True)


async def test_full_mailboxes_stop_no_request_to_acknowledge_and_get_theirs_once_they_are_emptied(
    keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "BATCH_SIZE", 2)
    async with posting_engine(keyring, tmp_path) as (engine, server):
        references = know_districts_alike(engine, 4)
        case_id = await open_case(engine, incident(*references, confirmed=utc_now()), chase_hours=(1,))
        full = one_address_of_each_batch(engine, case_id)
        server.full = set(full)
        await officer(engine).release_notices(case_id, actor=OFFICER)
        await engine.settle(case_id)
        told = {office(reference) for reference in references} - full
        server.full.add(told.pop())
        await engine.advance(case_id, timedelta(minutes=62))
        assert notices(engine, case_id) == (2, 2, 1), "of those told, one has a full mailbox by now"
        server.full.clear()
        await engine.advance(case_id, HOUR)
        assert notices(engine, case_id) == (4, 0, 2)
        assert batches(engine, case_id) == [BatchStatus.SENT] * 2
        assert case(engine, case_id).troubles == ()


async def test_a_request_to_acknowledge_that_may_have_been_lost_is_not_repeated_before_the_next_step(
    keyring: Keyring, tmp_path: Path
) -> None:
    async with posting_engine(keyring, tmp_path) as (engine, server):
        case_id = await open_case(
            engine, incident("TN-001", confirmed=utc_now()), release="immediate", chase_hours=(1, 24)
        )
        server.script = {"CONTENT": [HANG_UP] * 9}
        await engine.advance(case_id, 20 * HOUR)
        (asked,) = [entry.body for entry in case(engine, case_id).evidence if entry.kind == "acknowledgement_asked"]
        assert (asked["reminder"], asked["rejected"], asked["unknown"]) == (1, False, True)
        assert len(server.messages) == 2, "the notice, and one request"


UNKNOWN = [HANG_UP] * 4


async def nobody_knows(engine: VirtualEngine, state: str, clause: str, **dates: object) -> UUID:
    """A case whose one notice was sent four times, each time without an answer."""
    report = incident(f"{state}-001", **dates)  # type: ignore[arg-type]
    case_id = await open_case(engine, report, release="immediate")
    await engine.advance(case_id, timedelta(minutes=10))
    (delivery,) = only_notice(duties(engine, case_id, state)[clause]).deliveries
    assert (delivery.status, delivery.attempts, delivery.again_at) == (DeliveryStatus.UNKNOWN, 4, None)
    return case_id


async def test_what_nobody_knows_is_shown_and_raised_once_and_keeps_the_case_open(
    keyring: Keyring, tmp_path: Path
) -> None:
    async with posting_engine(keyring, tmp_path, CONTENT=list(UNKNOWN)) as (engine, server):
        case_id = await nobody_knows(engine, "TN", NOTICE, confirmed=utc_now())
        found = case(engine, case_id)
        (trouble,) = found.troubles
        assert "went to TN-001" in trouble.sentence
        assert {"send-again", "vouch"} <= set(found.offered)
        shown = await page(engine, case_id)
        assert trouble.sentence in shown
        assert f"/cases/{case_id}/acts/vouch" in shown
        await engine.advance(case_id, 24 * HOUR)
        (memo,) = [raw for raw in server.messages[4:] if b"Nobody can say" in raw]
        assert b"TN-001" in memo
        kinds = [entry.kind for entry in case(engine, case_id).evidence]
        assert kinds.count("unknown_escalated") == 1
        assert kinds.count("delivery_unknown") == 4
        assert {"notice_given", "escalated"}.isdisjoint(kinds), "it is neither given nor without a contact"
        assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.RUNNING
        await engine.advance(case_id, 72 * HOUR)
        assert case(engine, case_id).status is CaseStatus.OPEN
        assert "escalated" in [entry.kind for entry in case(engine, case_id).evidence], "by now it is overdue"


async def test_what_nobody_knows_is_sent_once_more_when_a_person_says_so(keyring: Keyring, tmp_path: Path) -> None:
    async with posting_engine(keyring, tmp_path, CONTENT=[*UNKNOWN]) as (engine, server):
        case_id = await nobody_knows(engine, "TN", NOTICE, confirmed=utc_now())
        before = server.messages[0]
        server.script = {"CONTENT": [HANG_UP]}
        await officer(engine).do(case_id, SendAgain, OFFICER, clause=NOTICE, agreement="TN-001")
        await engine.advance(case_id, HOUR)
        assert server.messages.count(before) == 5, "once, and then it is a person's to decide again"
        assert [entry.kind for entry in case(engine, case_id).evidence].count("unknown_escalated") == 2

        await officer(engine).do(case_id, SendAgain, OFFICER, clause=NOTICE)
        await engine.advance(case_id, HOUR)
        assert server.messages.count(before) == 6
        notice = only_notice(duties(engine, case_id, "TN")[NOTICE])
        assert [delivery.status for delivery in notice.deliveries] == [DeliveryStatus.ACCEPTED]
        assert not notice.vouched
        assert duties(engine, case_id, "TN")[NOTICE].verdict is Verdict.ON_TIME
        assert case(engine, case_id).troubles == ()


async def test_a_person_s_word_that_it_arrived_performs_the_duty_and_never_looks_like_the_engine_s(
    keyring: Keyring, tmp_path: Path
) -> None:
    async with posting_engine(keyring, tmp_path, CONTENT=list(UNKNOWN)) as (engine, server):
        case_id = await nobody_knows(engine, "TN", NOTICE, confirmed=utc_now())
        arrived_at = await engine.now(case_id)
        word = {"clause": NOTICE, "agreement": "TN-001", "particulars": "Kim Example of the office, by telephone."}
        with pytest.raises(InvalidInput, match="sent later than that"):
            await officer(engine).do(case_id, Vouch, OFFICER, arrived_at=arrived_at - HOUR, **word)
        await engine.advance(case_id, 80 * HOUR)
        await officer(engine).do(case_id, Vouch, OFFICER, arrived_at=arrived_at, **word)
        await engine.settle(case_id)

        duty = duties(engine, case_id, "TN")[NOTICE]
        notice = only_notice(duty)
        assert (duty.performed_at, duty.verdict) == (arrived_at, Verdict.ON_TIME_AS_VOUCHED)
        assert (notice.vouched, notice.given_at) == (True, arrived_at)
        (delivery,) = notice.deliveries
        assert (delivery.status, delivery.vouched_by) == (DeliveryStatus.VOUCHED, OFFICER)
        shown = await page(engine, case_id)
        assert f"vouched for by {OFFICER}" in shown
        assert "as somebody vouches" in shown
        entries = {entry.kind: entry for entry in case(engine, case_id).evidence}
        assert "notice_given" not in entries
        assert entries["act.vouch"].actor == OFFICER
        vouched = entries["act.vouch"]
        assert vouched.body["particulars"]["duties"] == 1, "they are a list of its own, however many they are"
        met = vouched.body["particulars"]["duties_sha256"]
        with engine.resources.database.reading() as session:
            assert fetch(session, met).decode() == f"{duty.id} on_time_as_vouched\n"
        assert len(vouched.artifacts) == 3, "what was said of it is kept as well"
        assert case(engine, case_id).troubles == ()
        assert server.messages.count(server.messages[0]) == 4


async def test_nobody_vouches_that_it_arrived_before_anything_of_it_was_handed_over(
    keyring: Keyring, tmp_path: Path
) -> None:
    later: list[str | None] = ["451 4.2.0 Later"] * 4
    async with posting_engine(keyring, tmp_path, RCPT=later, CONTENT=list(UNKNOWN)) as (engine, _):
        case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()), release="immediate")
        written_at = await engine.now(case_id)
        await engine.advance(case_id, HOUR)
        (delivery,) = only_notice(duties(engine, case_id, "TN")[NOTICE]).deliveries
        assert (delivery.status, delivery.attempts) == (DeliveryStatus.UNKNOWN, 8)
        word = {"clause": NOTICE, "agreement": "TN-001", "particulars": "By telephone."}
        with pytest.raises(InvalidInput, match="sent later than that"):
            await officer(engine).do(case_id, Vouch, OFFICER, arrived_at=written_at + timedelta(minutes=5), **word)
        await officer(engine).do(case_id, Vouch, OFFICER, arrived_at=written_at + timedelta(minutes=25), **word)


async def test_a_dismissed_suspicion_of_which_an_lea_may_have_heard_stays_open_until_that_is_known(
    keyring: Keyring, tmp_path: Path
) -> None:
    async with posting_engine(keyring, tmp_path, CONTENT=list(UNKNOWN)) as (engine, _):
        case_id = await nobody_knows(engine, "VA", INITIAL, expected=utc_now())
        arrived_at = await engine.now(case_id)
        await officer(engine).dismiss_breach(case_id, "It was our own backup.", actor=OFFICER)
        await engine.advance(case_id, HOUR)
        found = case(engine, case_id)
        assert (found.closed_at, set(found.offered)) == (None, {"send-again", "vouch"})
        await officer(engine).do(
            case_id, Vouch, OFFICER, clause=INITIAL, agreement="VA-001", arrived_at=arrived_at, particulars="By letter."
        )
        await engine.case(case_id).result()
        (duty,) = [duty for duty in case(engine, case_id).duties if duty.notices]
        assert [notice.kind for notice in duty.notices] == ["notice", "dismissal"]
        assert duty.notices[1].given_at


async def test_what_the_mail_server_answered_for_is_nobody_s_to_decide(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()), release="immediate")
    given = only_notice(duties(engine, case_id, "TN")[NOTICE]).given_at
    word = {"clause": NOTICE, "agreement": "TN-001", "arrived_at": utc_now(), "particulars": "We think so."}
    async with leaving_no_trace(engine, case_id):
        assert isinstance(await refusal(officer(engine).do(case_id, Vouch, OFFICER, **word)), Refused)
        assert isinstance(await refusal(officer(engine).do(case_id, SendAgain, OFFICER, clause=NOTICE)), Refused)
    assert only_notice(duties(engine, case_id, "TN")[NOTICE]).given_at == given


async def test_a_silent_gateway_a_tarpit_and_full_mailboxes_keep_nobody_else_waiting(
    keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One full mailbox in each of more batches than leave at once, a gateway that never answers, and one that does
    only once all others have their notices: so none of these can have waited for any of them.
    """
    monkeypatch.setattr(planning, "BATCH_SIZE", 2)
    count = WINDOW + 10
    async with posting_engine(keyring, tmp_path) as (engine, server):
        references = know_districts_alike(engine, 2 * count)
        case_id = await open_case(engine, incident(*references, confirmed=utc_now()))
        server.full = one_address_of_each_batch(engine, case_id)
        silent, tarpit = sorted({office(reference) for reference in references} - server.full)[:2]
        server.held = {silent: asyncio.Event(), tarpit: asyncio.Event()}
        await officer(engine).release_notices(case_id, actor=OFFICER)
        others = 2 * count - len(server.full) - len(server.held)
        async with asyncio.timeout(300):
            while notices(engine, case_id)[0] < others:  # noqa: ASYNC110 (SQL tells nobody)
                await asyncio.sleep(0.1)
        assert notices(engine, case_id)[0] == others, "of those two nothing is known yet"
        for answer in server.held.values():
            answer.set()
        await engine.settle(case_id)
        assert notices(engine, case_id)[:2] == (count, count)
