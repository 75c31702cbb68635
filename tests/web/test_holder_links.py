"""Behind a holder's link: what it is asked, the certificate it gives without an account, and what a phone shows."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from dataclasses import dataclass
from email import message_from_bytes, policy
from hashlib import sha256
from io import BytesIO

import pytest
from playwright.async_api import expect
from pypdf import PdfReader
from sqlmodel import col, select
from structlog.testing import capture_logs
from temporalio.client import Client

from config.keyring import Keyring
from ledger.artifacts import fetch
from mail.holder_links import HOLDER_FOLDER
from models.enums import HolderMail, HolderStatus, Role
from models.tables import EvidenceEntry
from starter.resources import utc_now
from starter.writing import sender_of
from tests.support.browsers import CHROMIUM, browsed
from tests.support.directives import HOSTING, ILLINOIS, MISSOURI, DirectiveInSql, open_directive, token_in
from tests.support.installation import Installation, Visitor

TODAY = utc_now()


@dataclass
class Asked:
    """A holder that was asked, and somebody who has its link."""

    installation: Installation
    case: DirectiveInSql
    path: str
    visitor: Visitor

    async def page(self) -> str:
        return html.unescape((await self.visitor.get(self.path)).text)


def a_certificate(**changed: str) -> dict[str, str]:
    return {
        "kind": "certificate",
        "data": "Rosters in the hosting database.",
        "media": "PostgreSQL cluster 4",
        "method": "purge",
        "tool": "shred 9.4",
        "performed_by": "Kim Example",
        "performed_on": TODAY.date().isoformat(),
        "verified": "Read back by Robin Example.",
        "name": "Sam Example",
        "title": "Head of operations",
        "attested": "yes",
        **changed,
    }


def ask(installation: Installation) -> Asked:
    case = open_directive(
        installation.resources.database, HOSTING, now=TODAY, disposal_requested=TODAY.date(), instructions="Logs too."
    )
    (letter,) = case.write()
    return Asked(installation, case, f"{HOLDER_FOLDER}{token_in(letter)}", installation.visitor())


@pytest.fixture
def asked(fresh: Installation) -> Asked:
    return ask(fresh)


async def test_it_says_what_is_asked_by_whom_and_until_when_and_no_more(asked: Asked) -> None:
    page = await asked.page()
    for words in ("District ndpa-v1 IL", "Example Learning, Inc.", HOSTING, "Logs too.", "Rosters", "destruction"):
        assert words in page
    contact = sender_of(asked.installation.resources.settings.organisation).contact
    assert f"{contact.name}, {contact.email}" in page, "whom the mail says to ask"
    assert "Office, office@example.org" not in page, "who signed for the LEA is nothing to the holder"
    assert 'href="/"' not in page


async def test_a_certificate_is_kept_with_its_files_and_its_attestation(asked: Asked) -> None:
    report = ("report.pdf", b"%PDF-1.7\n1 0 obj\n", "application/pdf")
    answer = await asked.visitor.http.post(asked.path, data=a_certificate(), files={"files": report})
    assert answer.status_code == 303, answer.text
    assert asked.case.status(HOSTING) is HolderStatus.CONFIRMED
    with asked.case.database.reading() as session:
        (entry,) = session.exec(select(EvidenceEntry).where(col(EvidenceEntry.kind) == "holder_answered"))
        kept = [fetch(session, sha256) for sha256 in entry.artifacts]
    assert entry.actor == "holder"
    assert report[1] in kept
    for words in (b"Sam Example", b"shred 9.4", b"typing my name here is my signature", b"report.pdf"):
        assert words in kept[0]
    assert "What you answered" in await asked.page()
    again = await asked.visitor.http.post(asked.path, data=a_certificate())
    assert again.status_code == 409
    assert "answered already" in again.text


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"attested": ""}, "It is not attested."),
        ({"performed_on": "2031-01-01"}, "in the future"),
        ({"performed_on": "2026-01-01"}, "before the disposal was asked for"),
        ({"method": "cryptographic-erase"}, "destroys keys, and none is named"),
        ({"backups": "Tapes"}, "Backups still hold the data, and no day is given."),
        ({"data": ""}, "It is empty."),
        ({"method": "magic"}, "not one of those to choose from"),
    ],
)
async def test_what_a_certificate_cannot_be_is_said_and_what_was_typed_is_kept(
    asked: Asked, changed: dict[str, str], says: str
) -> None:
    answer = await asked.visitor.http.post(asked.path, data=a_certificate(**changed))
    assert answer.status_code == 422
    page = html.unescape(answer.text)
    assert says in page
    assert "PostgreSQL cluster 4" in page
    assert asked.case.status(HOSTING) is HolderStatus.OPEN


async def test_who_signed_gets_a_completion_certificate_on_the_page_and_by_mail(asked: Asked) -> None:
    report = ("report.pdf", b"%PDF-1.7\n1 0 obj\n", "application/pdf")
    await asked.visitor.http.post(asked.path, data=a_certificate(), files={"files": report})
    receipt = re.search(rf"{asked.path}/receipts/[-0-9a-f]+", await asked.page())
    assert receipt
    pdf = await asked.visitor.get(receipt[0])
    assert pdf.headers["content-type"] == "application/pdf"
    read = PdfReader(BytesIO(pdf.content))
    text = " ".join(" ".join(page.extract_text() for page in read.pages).split())
    with asked.case.database.reading() as session:
        (entry,) = session.exec(select(EvidenceEntry).where(col(EvidenceEntry.kind) == "holder_answered"))
        (read_by,) = session.exec(select(EvidenceEntry).where(col(EvidenceEntry.kind) == "case_read"))
    said, kept, file = entry.artifacts
    assert (read_by.actor, read_by.body["what"], read_by.artifacts) == ("holder", "certificate", [kept])
    assert kept == sha256(pdf.content).hexdigest(), "it is an artifact in evidence"
    signed, kept_of = (
        ("Sam Example, Head of operations", "typing my name here is my signature"),
        ("report.pdf", "Received"),
    )
    for words in (*signed, *kept_of, HOSTING, "Example Learning, Inc.", "District ndpa-v1 IL", "PostgreSQL cluster 4"):
        assert words in text
    for digest in (said, file):
        assert digest in text.replace(" ", "")
    attached = read.attachments["statement.json"][0]
    assert b"Sam Example" in attached
    letters = {letter.why: letter for letter in asked.case.write()}
    letter = letters[HolderMail.RECEIPT]
    enclosed = [part.get_content() for part in message_from_bytes(letter.raw, policy=policy.SMTP).iter_attachments()]
    assert enclosed == [pdf.content]
    assert asked.case.write() == [], "it is sent once"
    stranger = ask_again(asked)
    assert (await asked.visitor.get(receipt[0].replace(asked.path, stranger))).status_code == 404


def ask_again(asked: Asked) -> str:
    """The link of another task."""
    other = open_directive(asked.case.database, HOSTING, place=MISSOURI, now=TODAY, disposal_requested=TODAY.date())
    return f"{HOLDER_FOLDER}{token_in(other.write()[0])}"


class TestJson:
    async def test_it_says_what_the_page_says_and_takes_what_the_form_takes(self, asked: Asked) -> None:
        for path, headers in ((f"{asked.path}.json", {}), (asked.path, {"accept": "application/json"})):
            found = (await asked.visitor.http.get(path, headers=headers)).json()
            assert (found["lea_name"], found["holder"], found["status"]) == (
                f"District {ILLINOIS.reference}",
                HOSTING,
                "open",
            )
            assert found["asked"]["Special instructions"] == "Logs too."
        body = {**a_certificate(), "attested": True, "answer": "certificate"}
        del body["kind"]
        body["files"] = [{"name": "report.txt", "content": b64encode(b"All is gone.").decode()}]
        answer = await asked.visitor.http.post(f"{asked.path}.json", json=body)
        assert (answer.status_code, answer.json()["status"]) == (200, "confirmed"), answer.text
        again = await asked.visitor.http.post(asked.path, json=body)
        assert (again.status_code, again.json()["code"]) == (409, "refused")
        with asked.case.database.reading() as session:
            (entry,) = session.exec(select(EvidenceEntry).where(col(EvidenceEntry.kind) == "holder_answered"))
            assert b"All is gone." in [fetch(session, sha256) for sha256 in entry.artifacts]

    async def test_every_problem_has_its_field_and_what_to_do(self, asked: Asked) -> None:
        body = {"answer": "certificate", "name": "Sam", "method": "magic", "surplus": 1, "files": [{"name": "x"}]}
        refused = await asked.visitor.http.post(f"{asked.path}.json", json=body)
        assert refused.status_code == 422
        found = refused.json()
        assert found["code"] == "invalid-fields"
        wrong = {problem["where"] for problem in found["problems"]}
        assert {"title", "method", "surplus", "data", "files"} <= wrong
        assert all(problem["message"] and problem["next_step"] for problem in found["problems"])
        unknown = await asked.visitor.http.post(f"{asked.path}.json", json={"answer": "perhaps"})
        assert unknown.json()["problems"][0]["where"] == "answer"
        assert asked.case.status(HOSTING) is HolderStatus.OPEN


async def test_a_file_of_a_kind_that_is_not_taken_is_refused(asked: Asked) -> None:
    program = ("report.pdf", b"MZ\x90\x00\x03\x00\x00\x00\x04\x00", "application/pdf")
    answer = await asked.visitor.http.post(asked.path, data=a_certificate(), files={"files": program})
    assert answer.status_code == 422
    assert asked.case.status(HOSTING) is HolderStatus.OPEN


async def test_no_log_holds_the_link_and_nothing_else_opens_with_it(asked: Asked) -> None:
    with capture_logs() as lines:
        assert (await asked.visitor.get(asked.path)).status_code == 200
        assert (await asked.visitor.get(f"{asked.path}x")).status_code == 404
    assert {line["path"] for line in lines} == {f"{HOLDER_FOLDER}…"}
    for path in ("/", "/subprocessors", "/legal-holds", f"/cases/{asked.case.id}"):
        assert (await asked.visitor.get(path)).status_code == 303


async def test_the_officer_reads_it_on_the_case_and_the_mail_without_its_link(asked: Asked) -> None:
    await asked.visitor.http.post(asked.path, data={**a_certificate(), "kind": "declined", "why": "We keep it."})
    officer = await asked.installation.officer()
    page = html.unescape((await officer.get(f"/cases/{asked.case.id}")).text)
    offered = ("Accept this answer", "Propose that nobody waits for it")
    for words in (HOSTING, "We keep it.", *offered, "Holders of the data"):
        assert words in page
    assert not re.search(r"\.(?:Awaited|Written|Its link|Not before)", re.sub(r"<[^>]*>", "", page)), (
        "sentences stand apart"
    )
    (letter,) = (entry for entry in _letters(asked))
    mail = (await officer.get(f"/cases/{asked.case.id}/messages/{letter}")).text
    assert "the-link-of-the-holder-alone" in mail
    assert asked.path not in mail
    reader = await asked.installation.officer("reader", role=Role.AUDITOR)
    assert "Propose waiver" not in (await reader.get(f"/cases/{asked.case.id}")).text


def _letters(asked: Asked) -> list[str]:
    with asked.case.database.reading() as session:
        rows = session.exec(select(EvidenceEntry).where(col(EvidenceEntry.kind) == "holder_written"))
        return [row.artifacts[0] for row in rows]


async def test_subprocessors_and_legal_holds_have_pages_of_their_own(asked: Asked) -> None:
    officer = await asked.installation.officer()
    rows = b"agreement,name,email,data\n,Everywhere Inc,all@example.org,Logs\nNO-SUCH,X,x@example.org,Y\n"
    bad = await officer.send("/subprocessors", "/subprocessors", {}, ("list.csv", rows))
    assert "There is no agreement NO-SUCH." in bad.text
    assert "Everywhere Inc" not in bad.text
    good = await officer.send(
        "/subprocessors", "/subprocessors", {}, ("list.csv", rows.splitlines(True)[0] + rows.splitlines(True)[1])
    )
    assert good.status_code == 303
    assert "Everywhere Inc" in (await officer.get("/subprocessors")).text
    assert (await officer.send("/legal-holds", "/legal-holds", {"reason": ""})).status_code == 422
    placed = await officer.send("/legal-holds", "/legal-holds", {"reason": "A suit."})
    assert placed.status_code == 303
    assert "Do not dispose of anything." in await asked.page()
    refused = await asked.visitor.http.post(asked.path, data=a_certificate())
    assert refused.status_code == 409


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
async def test_on_a_phone_a_certificate_is_filled_in_wrongly_then_rightly(
    temporal: Client, keyring: Keyring, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with browsed(tmp_path_factory.mktemp("phone"), keyring, temporal) as at:
        asked = ask(at.installation)
        await at.page.set_viewport_size({"width": 375, "height": 740})
        await at.page.goto(f"{at.address}{asked.path}")
        wide = await at.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, "nothing is wider than the screen"
        given = a_certificate()
        for name in ("data", "media", "tool", "performed_by", "performed_on", "verified", "name", "title"):
            await at.page.locator(f"#certificate-{name}").fill(given[name])
        await at.page.locator("#certificate-method").select_option("purge")
        await at.page.get_by_role("button", name="Sign and send").click()
        await expect(at.page.get_by_role("alert")).to_contain_text("It is not attested.")
        assert await at.page.locator("#certificate-tool").input_value() == given["tool"]
        await at.page.locator("#certificate-attested").check()
        await at.page.get_by_role("button", name="Sign and send").click()
        await expect(at.page.get_by_role("status")).to_contain_text("Your answer has arrived")
        await expect(at.page.get_by_role("button", name="Sign and send")).to_have_count(0)
        assert at.complaints == []
        assert asked.case.status(HOSTING) is HolderStatus.CONFIRMED
