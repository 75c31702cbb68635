"""Heads leave the machine: at the foot of notices, into a file elsewhere, and by mail to a named person, once a day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlmodel import select
from temporalio.testing import ActivityEnvironment

from activities.heads import HEAD_KEEPER, HeadsActivities, add_to_file
from activities.sending import MailSender
from activities.telling import Telling
from cases.breach import BREACH
from cases.messages import KeepHeads
from config.database import Database
from config.keyring import Keyring
from ledger.append import append
from ledger.checkpoints import Head, sign_head
from ledger.log_keys import LogKeys, create_log_key
from ledger.verify_bundle import read_heads
from mail.alerts import Alerts
from mail.facts import Mailbox
from mail.smtp_server import Security, SmtpServer
from mail.transport import SmtpTransport
from models.errors import Unavailable
from models.tables import Batch, Delivery, EvidenceEntry
from records.outbox import OutgoingMessage
from tests.support.bundles import happened
from tests.support.case_in_sql import QUEUED, WRITER, CaseInSql, Place, open_in_sql
from tests.support.patience import PATIENCE
from tests.support.scripted_server import scripted_server

NOON = datetime(2026, 3, 2, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEEPER = Mailbox(name="Ada Auditor", email="ada@auditors.example.org")


@pytest.fixture
def keys(tmp_path: Path) -> LogKeys:
    return create_log_key(tmp_path / "log" / "key.json", "provider.test", NOON - HOUR)


@pytest.fixture
def case(keyring: Keyring, tmp_path: Path) -> Iterator[CaseInSql]:
    database = Database(f"sqlite:///{tmp_path}/duenotice.sqlite3", keyring)
    database.migrate()
    with database.writing() as session:
        append(session, happened(1))
    dates = dict.fromkeys(("occurred", "discovered", "confirmed"), NOON)
    yield open_in_sql(database, BREACH, [Place("ndpa-v1", "TN")], NOON, dates)
    database.close()


def head(size: int) -> Head:
    note = f"provider.test/log\n{size}\n{'A' * 43}=\n\n— provider.test/log AAAAAAAA\n"
    return Head(size, "00" * 32, note, NOON)


def text_of(raw: bytes) -> str:
    body = message_from_bytes(raw, policy=default).get_body(("plain",))
    assert body
    return str(body.get_content())


# At the foot of notices


def sent(case: CaseInSql) -> list[bytes]:
    raw: list[bytes] = []

    def keep(message: OutgoingMessage) -> object:
        raw.append(message.raw)
        return QUEUED

    case.send_what_leaves(keep)  # type: ignore[arg-type]
    return raw


def test_a_notice_has_the_head_as_its_batch_was_planned(case: CaseInSql, keys: LogKeys) -> None:
    planned = sign_head(case.database, keys, NOON, at_most=100)
    assert planned is not None
    case.compute()
    later = sign_head(case.database, keys, NOON + HOUR, at_most=100)
    assert later is not None
    assert later.size > planned.size
    case.now += 72 * HOUR
    letters = sent(case)
    assert letters
    for raw in letters:
        (kept,) = read_heads(text_of(raw))
        assert (kept.size, kept.root.hex()) == (planned.size, planned.root), "that of the plan, not of the sending"
        html = message_from_bytes(raw, policy=default).get_body(("html",))
        assert html
        assert planned.line in html.get_content()
    with case.database.reading() as session:
        assert session.exec(select(Batch.ledger_head)).all() == [planned.line]
        assert session.exec(select(Delivery.message_sha256)).all()


def test_a_notice_without_a_head_says_nothing_of_it(case: CaseInSql) -> None:
    case.compute()
    case.now += 72 * HOUR
    for raw in sent(case):
        assert "ledger head" not in text_of(raw)
        assert "Our record" not in text_of(raw)


# Into a file elsewhere


def test_heads_are_added_to_a_file_each_once(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "heads"
    for size in (1, 1, 2, 2, 7):
        add_to_file(file, head(size))
    assert [kept.size for kept in read_heads(file.read_text("utf-8"))] == [1, 2, 7]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"cannot be added to the file of heads: .* DUENOTICE_HEADS_FILE"):
        add_to_file(tmp_path, head(1))


# By mail


async def test_a_named_person_is_mailed_the_newest_head_once_a_day(
    case: CaseInSql, keys: LogKeys, tmp_path: Path
) -> None:
    file = tmp_path / "heads"
    async with scripted_server() as server:
        smtp = SmtpServer(host="127.0.0.1", port=server.port, security=Security.NONE, connections=1, timeout=PATIENCE)
        async with SmtpTransport(smtp) as transport:
            telling = Telling(
                case.database,
                MailSender(case.database, transport, WRITER.sender.email),
                WRITER,
                Alerts(SecretStr("")),
                soon=timedelta(hours=24),
                time_zone="UTC",
            )
            heads = HeadsActivities(
                case.database, tmp_path / "log" / "key.json", at_most=100, file=file, keeper=(telling, KEEPER)
            )
            for hours in (0, 5, 24):
                environment = ActivityEnvironment()
                environment.info = replace(environment.info, started_time=NOON + hours * HOUR)
                await environment.run(heads.keep_heads, KeepHeads())
        mails = server.messages
    assert [str(message_from_bytes(raw, policy=default)["To"]) for raw in mails] == [
        "Ada Auditor <ada@auditors.example.org>"
    ] * 2
    written = read_heads(file.read_text("utf-8"))
    for raw in mails:
        (kept,) = read_heads(text_of(raw))
        assert (kept.size, kept.root) in {(one.size, one.root) for one in written}
    assert {one.origin for one in written} == {keys.origin}
    with case.database.reading() as session:
        told = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "person_told")).all()
    assert [entry.body["who"] for entry in told] == [HEAD_KEEPER, HEAD_KEEPER]
