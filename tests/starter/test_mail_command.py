"""``duenotice mail check``: plain sentences about the mail server and the sender's domain, and a test mail."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
from sqlmodel import select

from config.database import Database
from config.keyring import Keyring
from ledger.artifacts import fetch
from mail.return_path import RETURN_PATH_PURPOSE, ReturnPath
from models.enums import Told
from models.tables import EvidenceEntry, MailState, SentMail
from tests.support.dns_server import DOMAIN, SOUND, Zone, dns_server
from tests.support.scripted_server import CONTENT, scripted_server
from tests.support.shell import Said, Shell

FULL = ("PIPELINING", "SIZE 10240000", "DSN", "SMTPUTF8", "8BITMIME")


@pytest.fixture
def set_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DUENOTICE_SMTP__SENDER_ADDRESS", f"notices@{DOMAIN}")
    monkeypatch.setenv("DUENOTICE_SMTP__HOST", "127.0.0.1")
    monkeypatch.setenv("DUENOTICE_SMTP__SECURITY", "none")
    Keyring.create(home / "keyring.json")
    return home


async def check(shell: Shell, monkeypatch: pytest.MonkeyPatch, port: int, zone: Zone, *options: str) -> Said:
    monkeypatch.setenv("DUENOTICE_SMTP__PORT", str(port))
    async with dns_server(zone) as (host, dns_port):
        return await shell("mail", "check", "--resolver", f"{host}:{dns_port}", *options)


async def test_it_says_what_the_server_offers_and_what_the_dns_says(
    set_up: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted_server(*FULL) as server:
        said = await check(shell, monkeypatch, server.port, SOUND)
    assert said.code == 0
    for sentence in (
        f"The mail server 127.0.0.1:{server.port} answers.",
        "not encrypted; it does not leave this machine",
        "It asks for no login.",
        "It reports what becomes of each message (RFC 3461).",
        "It takes messages of up to 10,240,000 bytes",
        'provider.test says who may send for it: "v=spf1 include:relay.test -all"',
        "No key is set, so the mail server has to sign.",
        "has what is forged in its name kept away (p=reject)",
        "mx.provider.test takes mail for provider.test.",
    ):
        assert sentence in said.out
    assert server.steps == ["GREETING", "EHLO", "QUIT"]


async def test_what_has_to_be_put_right_ends_it_with_4(
    set_up: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted_server() as server:
        said = await check(shell, monkeypatch, server.port, {}, "--json")
    assert said.code == 4
    found = json.loads(said.out)
    assert found["sound"] is False
    levels = {one["about"]: one["level"] for one in found["findings"]}
    assert levels["DSN"] == "note"
    assert levels["SPF"] == levels["DMARC"] == levels["MX"] == "problem"


async def test_a_server_or_dns_that_does_not_answer_ends_it_with_5_and_the_rest_is_told(
    set_up: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted_server(GREETING=["421 4.3.2 Closing"]) as server:
        said = await check(shell, monkeypatch, server.port, SOUND)
    assert said.code == 5
    assert "turned the connection away (421)" in said.out
    assert "p=reject" in said.out
    async with scripted_server() as server:
        said = await check(shell, monkeypatch, server.port, {(DOMAIN, "TXT"): ["SERVFAIL"]})
    assert said.code == 5
    assert "The DNS does not answer about provider.test" in said.out


async def test_a_test_mail_says_that_it_is_one_and_leaves_evidence(
    set_up: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted_server(**{CONTENT: ["250 2.0.0 Ok: queued as 4F2A71C3"]}) as server:
        said = await check(shell, monkeypatch, server.port, SOUND, "--to", "robin@provider.test")
    assert said.code == 0
    assert "The mail server took it as 4F2A71C3." in said.out
    ((recipient, raw),) = server.taken
    message = message_from_bytes(raw)
    assert recipient == "robin@provider.test"
    assert message["Subject"].startswith("TEST, no notice")
    assert message["Auto-Submitted"] == "auto-generated"
    assert "security@provider.example.org" in message["Reply-To"]
    database = Database(f"sqlite:///{set_up / 'duenotice.sqlite3'}", Keyring.load(set_up / "keyring.json"))
    with database.reading() as session:
        (entry,) = session.exec(select(EvidenceEntry)).all()
        assert (entry.kind, entry.case_id) == ("mail_tested", None)
        assert fetch(session, entry.artifacts[0]) == raw


async def test_a_test_mail_returns_by_a_path_of_its_own_and_goes_while_mail_is_paused(
    set_up: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUENOTICE_BOUNCES__ADDRESS", f"bounces@{DOMAIN}")
    keyring = Keyring.load(set_up / "keyring.json")
    database = Database(f"sqlite:///{set_up / 'duenotice.sqlite3'}", keyring)
    database.migrate()
    with database.writing() as session:
        paused = datetime(2026, 11, 3, tzinfo=UTC)
        session.add(MailState(id=1, paused_at=paused, probe_at=paused + timedelta(days=10_000), refused_code=550))
    async with scripted_server() as server:
        said = await check(shell, monkeypatch, server.port, SOUND, "--to", "robin@provider.test")
    assert "If it comes back, the page /mail says so." in said.out, said.err
    (begun,) = [command for command in server.commands if command.startswith("MAIL")]
    named = ReturnPath(f"bounces@{DOMAIN}", keyring.derive(RETURN_PATH_PURPOSE)).read([begun])
    assert named is not None
    with database.reading() as session:
        kept = session.get_one(SentMail, named.delivery_id)
        assert (kept.sort, kept.outcome, kept.attempts) == ("mail_test", Told.ACCEPTED, named.attempt)
        assert fetch(session, kept.message_sha256 or "") == server.taken[0][1]


async def test_a_refused_test_mail_says_what_the_server_says(
    set_up: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted_server(RCPT=["550 5.7.1 Not from here"]) as server:
        said = await check(shell, monkeypatch, server.port, SOUND, "--to", "robin@provider.test")
    assert said.code == 4
    assert "The mail server refused it: 550 5.7.1 Not from here" in said.out


async def test_without_a_mail_server_there_is_nothing_to_check(home: Path, shell: Shell) -> None:
    said = await shell("mail", "check")
    assert said.code == 4
    assert "DUENOTICE_SMTP__HOST: No mail server is set" in said.err


async def test_an_address_that_is_none_is_refused_before_anything_is_asked(set_up: Path, shell: Shell) -> None:
    assert "to: An e-mail address is not one" in await shell.refuses("mail", "check", "--to", "nobody")
