"""The ledger is checked by itself: what was found is kept, and people are told once where something is amiss."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.ledger_check import LedgerActivities
from activities.reminders import ReminderActivities
from activities.telling import Telling
from cases.messages import CheckLedger, TellOfLedger
from config.database import Database
from config.keyring import Keyring
from ledger.append import append
from ledger.artifacts import store
from ledger.checks import last_check
from ledger.entries import AgreementAmended
from ledger.verify import Step
from mail.alerts import Alerts
from mail.handover import MailServerUnavailable
from mail.smtp_server import Security, SmtpServer
from mail.transport import SmtpTransport
from models.enums import ContactRole, LedgerState
from models.tables import AgreementContact, LedgerCheck
from tests.support.alert_receiver import AlertReceiver, alert_receiver
from tests.support.case_in_sql import WRITER
from tests.support.patience import PATIENCE
from tests.support.scripted_server import ScriptedServer, scripted_server

NOON = datetime(2026, 3, 2, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def database(keyring: Keyring, tmp_path: Path) -> Iterator[Database]:
    """An installation with one entry."""
    database = Database(f"sqlite:///{tmp_path}/duenotice.sqlite3", keyring)
    database.migrate()
    with database.writing() as session:
        name = store(session, b"changes", "text/plain", NOON)
        append(session, AgreementAmended(actor="officer", at=NOON, agreement_id=UUID(int=1), file_sha256=name))
    yield database
    database.close()


def disagree(database: Database) -> None:
    """Put a contact into the table of which no entry says anything."""
    with database.writing() as session:
        session.add(
            AgreementContact(id=UUID(int=5), role=ContactRole.GENERAL, name="Alex", email="alex@district.example.org")
        )


@asynccontextmanager
async def office(
    database: Database, receiver: AlertReceiver | None = None, port: int | None = None
) -> AsyncIterator[tuple[LedgerActivities, ScriptedServer]]:
    async with scripted_server() as server:
        smtp = SmtpServer(
            host="127.0.0.1", port=port or server.port, security=Security.NONE, connections=1, timeout=PATIENCE
        )
        async with SmtpTransport(smtp) as transport:
            alerts = Alerts(SecretStr(receiver.url) if receiver else None)
            telling: Telling = ReminderActivities(database, transport, WRITER, alerts).telling
            yield LedgerActivities(database, telling), server


async def run(work: Callable[..., Awaitable[object]], message: object, now: datetime = NOON) -> object:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, started_time=now)
    return await environment.run(work, message)


def last(database: Database) -> LedgerCheck:
    with database.reading() as session:
        found = last_check(session)
    assert found
    return found


async def test_a_ledger_that_is_what_it_was_is_said_so_with_the_time_and_nobody_is_told(database: Database) -> None:
    async with office(database) as (at, server):
        assert (await run(at.check_ledger, CheckLedger())).sound  # type: ignore[attr-defined]
        await run(at.tell_of_ledger, TellOfLedger())
        assert server.messages == []
    found = last(database)
    assert (found.state, found.length, found.artifacts, found.failing_since) == (LedgerState.INTACT, 1, 1, None)
    assert found.says.startswith("1 entry is unchanged and in order")
    assert found.began_at <= found.ended_at


async def test_what_disagrees_is_told_once_by_mail_and_by_alert(database: Database) -> None:
    disagree(database)
    with alert_receiver() as receiver:
        async with office(database, receiver) as (at, server):
            for hour in range(2):
                found = await run(at.check_ledger, CheckLedger(), NOON + hour * HOUR)
                assert not found.sound  # type: ignore[attr-defined]
                await run(at.tell_of_ledger, TellOfLedger(), NOON + hour * HOUR)
            (mail,) = server.messages
        (alert,) = receiver.alerts
    said = b" ".join(mail.replace(b"=\r\n", b"").split())
    assert b"no entry says anything of it" in said
    assert b"alex@district" not in mail
    assert "The ledger, or a table that pages show, is not what it was." in alert
    assert alert.endswith("/ledger")
    kept = last(database)
    assert (kept.state, kept.step) == (LedgerState.NOT_INTACT, Step.TABLES)
    assert kept.failing_since is not None
    assert kept.failing_since < kept.ended_at, "it has been so since the first check that found it"


async def test_what_was_mended_and_comes_again_is_told_again(database: Database) -> None:
    async with office(database) as (at, server):
        for hour in range(3):
            with database.writing() as session:
                session.execute(text("DELETE FROM agreement_contact"))
            if hour != 1:
                disagree(database)
            await run(at.check_ledger, CheckLedger(), NOON + hour * HOUR)
            await run(at.tell_of_ledger, TellOfLedger(), NOON + hour * HOUR)
        assert len(server.messages) == 2


async def test_where_mail_is_away_the_alert_goes_out_and_mail_is_tried_again(database: Database) -> None:
    disagree(database)
    with alert_receiver() as receiver:
        async with office(database, receiver, port=1) as (at, _):
            await run(at.check_ledger, CheckLedger())
            with pytest.raises(MailServerUnavailable):
                await run(at.tell_of_ledger, TellOfLedger())
        (alert,) = receiver.alerts
    assert "No mail about it is known to have arrived." in alert


async def test_what_could_not_be_checked_is_told_as_that(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Database.reading
    calls = 0

    @contextmanager
    def broken(self: Database) -> Iterator[object]:
        nonlocal calls
        calls += 1
        with whole(self) as session:
            if calls == 1:
                session.execute(text("SELECT * FROM nothing_of_this_name"))
            yield session

    monkeypatch.setattr(Database, "reading", broken)
    async with office(database) as (at, server):
        assert not (await run(at.check_ledger, CheckLedger())).sound  # type: ignore[attr-defined]
        await run(at.tell_of_ledger, TellOfLedger())
        assert b"could not be checked" in server.messages[0]
    assert last(database).state is LedgerState.NOT_CHECKED
