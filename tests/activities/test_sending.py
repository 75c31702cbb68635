"""Mails that are no notices: each returns to a path of its own, is kept as sent, and waits in a pause of mail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlmodel import func, select
from temporalio.testing import ActivityEnvironment

from activities.holders import HolderActivities
from activities.reminders import ReminderActivities
from activities.sending import MailSender
from cases.messages import AskHolders
from config.database import Database
from config.keyring import Keyring
from ledger.actors import ENGINE
from ledger.artifacts import fetch
from mail.handover import Accepted, DeliveryDeferred, MailServerUnavailable, OutcomeUnknown, Rejected
from mail.return_path import ReturnPath
from mail.smtp_server import Security, SmtpServer
from mail.transport import SmtpTransport
from models.enums import Told
from models.tables import AgreementContact, Artifact, SentMail
from records.mail_state import resume
from records.sent_mail import MailToSend
from tests.support.case_in_sql import WRITER, Place, keep_agreement
from tests.support.directives import HOSTING, open_directive
from tests.support.mail_trouble import PAUSED_FOR, pause, resumed_by
from tests.support.patience import PATIENCE
from tests.support.scripted_server import HANG_UP, ScriptedServer, scripted_server

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
PATH = ReturnPath("bounces@provider.example.org", bytes(32))
RAW = b"Subject: Hello\r\n\r\nHello.\r\n"
OURS = MailToSend(id=UUID(int=7), sort="people/terms", email="robin@provider.example.org", raw=RAW, who="robin")


@pytest.fixture
def database(keyring: Keyring, tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/duenotice.sqlite3", keyring)
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def outside(database: Database) -> MailToSend:
    """A mail to somebody at a district."""
    with database.writing() as session:
        keep_agreement(session, Place("ndpa-v1", "TN"), NOON.date(), NOON)
    with database.reading() as session:
        contact = session.exec(select(AgreementContact)).first()
        assert contact
        return replace(OURS, sort="districts/new_links", who=None, contact_id=contact.id, email=contact.email)


@dataclass(frozen=True)
class Post:
    sender: MailSender
    server: ScriptedServer
    transport: SmtpTransport


@asynccontextmanager
async def post(
    database: Database, *offers: str, path: ReturnPath | None = PATH, **script: list[str | None]
) -> AsyncIterator[Post]:
    async with scripted_server(*offers, **script) as server:
        smtp = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE, connections=1, timeout=PATIENCE)
        async with SmtpTransport(smtp) as transport:
            yield Post(MailSender(database, transport, "notices@provider.example.org", path), server, transport)


def kept(database: Database) -> SentMail:
    with database.reading() as session:
        return session.exec(select(SentMail)).one()


class TestTheReturnPath:
    async def test_what_comes_back_names_the_mail_and_the_attempt(self, database: Database) -> None:
        async with post(database, "DSN", "PIPELINING") as at:
            await at.sender.send(OURS, NOON)
            await at.sender.send(OURS, NOON)
        first, second = (command for command in at.server.commands if command.startswith("MAIL FROM"))
        for command, attempt in ((first, 1), (second, 2)):
            named = PATH.read([command])
            assert named
            assert (named.delivery_id, named.attempt) == (OURS.id, attempt)
            assert command.startswith(f"MAIL FROM:<{PATH.of(OURS.id, attempt)}>")
            assert f"ENVID={PATH.token(OURS.id, attempt)}" in command
        assert not any("NOTIFY" in command for command in at.server.commands), "failures are reported unasked"

    async def test_without_an_address_for_that_it_returns_to_the_sender(self, database: Database) -> None:
        async with post(database, path=None) as at:
            await at.sender.send(OURS, NOON)
        assert "MAIL FROM:<notices@provider.example.org>" in at.server.commands


class TestWhatIsKept:
    async def test_it_is_kept_as_it_was_sent(self, database: Database) -> None:
        async with post(database) as at:
            answer, sha256 = await at.sender.send(OURS, NOON)
        assert isinstance(answer, Accepted)
        row = kept(database)
        assert (row.outcome, row.message_sha256, row.attempts, row.who) == (Told.ACCEPTED, sha256, 1, "robin")
        with database.reading() as session:
            assert fetch(session, sha256) == RAW

    async def test_it_is_kept_without_what_opens_something(self, database: Database) -> None:
        async with post(database) as at:
            _, sha256 = await at.sender.send(replace(OURS, kept=b"without"), NOON)
        with database.reading() as session:
            assert fetch(session, sha256) == b"without"

    async def test_of_what_nobody_can_say_it_is_kept_too(self, database: Database) -> None:
        async with post(database, CONTENT=[HANG_UP]) as at:
            answer, _ = await at.sender.send(OURS, NOON)
        assert isinstance(answer, OutcomeUnknown)
        assert kept(database).outcome is Told.UNKNOWN

    @pytest.mark.parametrize(("step", "says"), [("RCPT", "452 4.2.2 Mailbox full"), ("GREETING", "421 Later")])
    async def test_of_what_did_not_leave_nothing_is(self, database: Database, step: str, says: str) -> None:
        async with post(database) as at:
            at.server.script[step] = [says] * 5
            with pytest.raises(MailServerUnavailable):
                await at.sender.send(OURS, NOON)
        assert (kept(database).outcome, kept(database).message_sha256) == (Told.FAILED, None)
        with database.reading() as session:
            assert session.exec(select(Artifact)).all() == []

    async def test_whoever_refuses_it_is_known_to_fail(self, database: Database, outside: MailToSend) -> None:
        async with post(database, RCPT=["550 5.1.1 No such user"]) as at:
            answer, _ = await at.sender.send(outside, NOON)
        assert isinstance(answer, Rejected)
        row = kept(database)
        assert (row.outcome, row.status, row.says) == (Told.REJECTED, "5.1.1", "5.1.1 No such user")
        with database.reading() as session:
            assert session.get_one(AgreementContact, outside.contact_id).failing_since == NOON


class TestInAPause:
    async def test_it_waits_and_nothing_is_handed_over(self, database: Database, outside: MailToSend) -> None:
        pause(database, NOON)
        async with post(database) as at:
            for mail in (OURS, outside):
                with pytest.raises(MailServerUnavailable, match="Mail is paused") as waits:
                    await at.sender.send(mail, NOON)
                assert not isinstance(waits.value, DeliveryDeferred), "no mailbox is to blame"
        assert at.server.commands == []

    async def test_one_to_somebody_outside_is_tried_after_a_while_and_ends_it_once_it_is_taken(
        self, database: Database, outside: MailToSend
    ) -> None:
        pause(database, NOON)
        async with post(database) as at:
            with pytest.raises(MailServerUnavailable):
                await at.sender.send(OURS, NOON + PAUSED_FOR)  # that we take our own says nothing about the others
            await at.sender.send(outside, NOON + PAUSED_FOR)
            assert resumed_by(database) == [ENGINE]
            await at.sender.send(OURS, NOON + PAUSED_FOR)

    async def test_one_that_is_refused_alike_says_nothing_of_its_contact(
        self, database: Database, outside: MailToSend
    ) -> None:
        pause(database, NOON)
        async with post(database, RCPT=["550 5.7.1 Blocked"]) as at:
            await at.sender.send(outside, NOON + PAUSED_FOR)
            with pytest.raises(MailServerUnavailable):
                await at.sender.send(outside, NOON + PAUSED_FOR + timedelta(minutes=1))
        assert resumed_by(database) == []
        with database.reading() as session:
            assert session.get_one(AgreementContact, outside.contact_id).failing_since is None

    async def test_what_holders_of_data_are_asked_waits_too_and_nothing_is_kept_of_it_meanwhile(
        self, database: Database
    ) -> None:
        case = open_directive(database, HOSTING)
        pause(database, case.now)
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, started_time=case.now)
        async with post(database) as at:
            telling = ReminderActivities(database, at.transport, WRITER, sender=at.sender).telling
            holders, ask = HolderActivities(database, at.sender, WRITER, telling), AskHolders(case_id=case.id)
            kept_before = artifacts(database)
            for _ in range(3):
                with pytest.raises(MailServerUnavailable):
                    await environment.run(holders.ask_holders, ask)
            assert (at.server.commands, artifacts(database)) == ([], kept_before)
            with database.writing() as session:
                resume(session, "dana", case.now)
            await environment.run(holders.ask_holders, ask)
        assert len(at.server.messages) == 1
        assert kept(database).sort == "holders/asked"


def artifacts(database: Database) -> int:
    """How many there are."""
    with database.reading() as session:
        return session.exec(select(func.count()).select_from(Artifact)).one()
