"""Beside an overdue duty an officer writes what is being done, reads the letter, and only then sends it."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from sqlmodel import select
from temporalio.client import Client

from config.keyring import Keyring
from mail.catcher import start_catcher
from models.enums import DutyStatus, Role
from models.tables import Case, EvidenceEntry, Letter
from starter.resources import utc_now
from tests.support.directives import BACKUP, HOSTING, ILLINOIS, REQUEST, DirectiveInSql, open_directive
from tests.support.installation import Installation, Visitor, open_installation

WORDS = "One processor's tapes come back next week. We expect to confirm by then."


@dataclass(frozen=True)
class Late:
    """An installation with a real mail server, one overdue disposal, and the officer who looks at it."""

    installation: Installation
    case: DirectiveInSql
    officer: Visitor
    mail: Path

    @property
    def page(self) -> str:
        """The case's page."""
        return f"/cases/{self.case.id}"

    @property
    def address(self) -> str:
        """Where its form goes."""
        return f"{self.page}/acts/tell-overdue"

    async def write(self, text: str = WORDS) -> httpx.Response:
        """Fill in the form that stands beside the overdue duty."""
        page = await self.officer.get(self.page)
        form = next(form for form in re.findall(r"<form.*?</form>", page.text, re.S) if self.address in form)
        return await self.officer.http.post(self.address, data=hidden(form) | {"text": text})

    async def press(self, checked: httpx.Response, button: str = "open") -> httpx.Response:
        """Press a button of the page that shows the letter."""
        return await self.officer.http.post(self.address, data=hidden(checked.text) | {"act": button})

    def caught(self) -> list[bytes]:
        """What the mail server was given."""
        return [file.read_bytes() for file in sorted(self.mail.glob("*.eml"))]

    def kept(self) -> tuple[int, int]:
        """How many letters, and how much evidence there is of them."""
        with self.installation.resources.database.reading() as session:
            told = session.exec(select(EvidenceEntry.kind)).all()
            return len(session.exec(select(Letter.id)).all()), sum("overdue" in kind for kind in told)


def hidden(form: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
    return {name: html.unescape(value) for name, value in found}


def said(page: httpx.Response) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


@pytest.fixture
async def late(temporal: Client, keyring: Keyring, tmp_path: Path) -> AsyncIterator[Late]:
    catcher = await start_catcher(tmp_path / "mail")
    smtp = {"host": catcher.host, "port": catcher.port, "security": "none"}
    resources = open_installation(tmp_path, keyring, temporal, smtp=smtp)
    asked = utc_now() - timedelta(days=40)
    case = open_directive(resources.database, HOSTING, BACKUP, now=asked, disposal_requested=asked.date())
    case.write()
    case.answer(HOSTING)
    case.now = utc_now()
    case.compute()
    with resources.database.writing() as session:
        session.get_one(Case, case.id).computed_at = case.now
    installation = Installation(resources)
    yield Late(installation, case, await installation.officer(), tmp_path / "mail")
    await catcher.stop()
    resources.database.close()


async def test_the_letter_is_read_before_it_is_sent(late: Late) -> None:
    checked = await late.write()
    assert checked.status_code == 200, checked.text
    shown = said(checked)
    for words in (
        "Check your answers",
        "Nothing is recorded yet, and nothing has been sent.",
        "Office <office@example.org>",
        "A duty towards you is overdue: District",
        "2 holders of the data were asked, and we still wait for 1 of them to confirm.",
        WORDS,
        "It performs nothing and moves no due date.",
        "Send this letter",
    ):
        assert words in shown, words
    assert (late.kept(), late.caught()) == ((0, 0), [])
    back = await late.press(checked, "change")
    assert WORDS in html.unescape(back.text), "what was typed is kept"
    assert late.kept() == (0, 0)


async def test_sent_it_arrives_and_stands_beside_the_duty_which_stays_overdue(late: Late) -> None:
    sent = await late.press(await late.write())
    assert sent.status_code == 303, sent.text
    (raw,) = late.caught()
    message = message_from_bytes(raw, policy=policy.SMTP)
    assert (message["To"], message["Subject"][:30]) == ("Office <office@example.org>", "A duty towards you is overdue:")
    page = await late.officer.get(sent.headers["location"])
    shown = said(page)
    assert "The letter is kept and on its way. The duty stays overdue until it is performed." in shown
    for words in (
        "Told that it is overdue",
        "by officer,",
        "the mail server took it",
        WORDS,
        "Telling performs nothing",
    ):
        assert words in shown, words
    duty = late.case.duty(REQUEST)
    assert (duty.status, duty.verdict) == (DutyStatus.RUNNING, None)
    letter = re.search(r'href="(/cases/[^"]+/messages/\w+)">the letter', page.text)
    assert letter
    assert WORDS in said(await late.officer.get(letter[1]))
    assert late.kept() == (1, 2), "the act and what the mail server said"


async def test_the_same_form_sent_twice_is_one_letter(late: Late) -> None:
    checked = await late.write()
    assert [(await late.press(checked)).status_code for _ in range(2)] == [303, 303]
    assert len(late.caught()) == 1


async def test_what_was_performed_while_it_was_read_is_refused_with_a_sentence(late: Late) -> None:
    checked = await late.write()
    late.case.answer(BACKUP)
    late.case.write()
    late.case.answer("provider")
    refused = await late.press(checked)
    assert refused.status_code == 409
    assert "This duty has been performed." in said(refused)
    assert (late.kept(), late.caught()) == ((0, 0), [])


async def test_no_words_are_refused_where_they_are_typed(late: Late) -> None:
    refused = await late.write(" ")
    assert refused.status_code == 422
    assert 'id="tell-overdue-text"' in refused.text
    assert "is empty" in said(refused).lower()


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.APPROVER])
async def test_who_may_not_act_sees_no_form_and_is_refused(late: Late, role: Role) -> None:
    visitor = await late.installation.officer(f"the {role.value}", role)
    page = await visitor.get(late.page)
    assert late.address not in page.text
    given = {"act": "tell-overdue", "clause": REQUEST, "agreement": ILLINOIS.reference, "text": WORDS}
    refused = await visitor.http.post(f"/api/cases/{late.case.id}/acts", json=given)
    assert refused.status_code == 403
    assert late.kept() == (0, 0)


async def test_in_json_it_is_shown_by_a_dry_run_and_told_once_under_one_key(late: Late) -> None:
    address = f"/api/cases/{late.case.id}/acts"
    given = {"act": "tell-overdue", "clause": REQUEST, "agreement": ILLINOIS.reference, "text": WORDS}
    dry = await late.officer.http.post(f"{address}?dry_run=true", json=given)
    assert dry.status_code == 200, dry.text
    letter = dry.json()["letter"]
    assert (letter["to"], letter["copies"]) == ("Office <office@example.org>", [])
    assert WORDS in " ".join(letter["text"].split())
    assert late.kept() == (0, 0)
    key = {"Idempotency-Key": str(uuid4())}
    for _ in range(2):
        done = await late.officer.http.post(address, json=given, headers=key)
        assert done.status_code == 200, done.text
    assert len(late.caught()) == 1
    duties = (await late.officer.get(f"/api/cases/{late.case.id}/duties")).json()["items"]
    (told,) = next(duty["overdue_letters"] for duty in duties if duty["clause"] == REQUEST)
    assert (told["status"], told["written_by"], told["text"]) == ("accepted", "officer", WORDS)
    again = await late.officer.http.post(address, json=given)
    assert (again.status_code, again.json()["where"]) == (409, "text")
    missing = await late.officer.http.post(address, json=given | {"agreement": "NOBODY"})
    assert missing.status_code == 422, missing.text
