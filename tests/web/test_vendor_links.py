"""Behind the link to all that a vendor is asked: the table, the file, JSON, and what keeps strangers out."""

from __future__ import annotations

import csv
import html
import io
import re
from dataclasses import dataclass

import pytest
from playwright.async_api import expect
from sqlmodel import col, select
from structlog.testing import capture_logs
from temporalio.client import Client

from agreements.legal_holds import place_legal_hold
from cases.disposition import RevokeLink
from cases.values import KeptText
from config.keyring import Keyring
from ledger.artifacts import fetch
from mail.holder_links import HOLDER_FOLDER, VENDOR_FOLDER
from models.enums import HolderStatus
from models.tables import EvidenceEntry, Vendor
from starter.resources import utc_now
from tests.support.browsers import CHROMIUM, browsed
from tests.support.case_in_sql import Place
from tests.support.directives import (
    BACKUP,
    HOSTING,
    ILLINOIS,
    MISSOURI,
    DirectiveInSql,
    open_directive,
    token_in,
    vendor_token_in,
)
from tests.support.installation import Installation, Visitor

TODAY = utc_now()
VIRGINIA = Place("ndpa-v1", "VA")
SIGNED = {"name": "Sam Example", "title": "Head of operations", "attested": "yes"}
CERTIFICATE = {
    "data": "Rosters in the hosting database.",
    "media": "PostgreSQL cluster 4",
    "method": "purge",
    "tool": "shred 9.4",
    "performed_by": "Kim Example",
    "performed_on": TODAY.date().isoformat(),
    "verified": "Read back by Robin Example.",
}
DONE = {f"certificate-{name}": value for name, value in CERTIFICATE.items()}


@dataclass
class Vendors:
    """A vendor that is asked in two matters, and somebody who has the link to both."""

    installation: Installation
    first: DirectiveInSql
    second: DirectiveInSql
    path: str
    visitor: Visitor

    async def page(self) -> str:
        return html.unescape((await self.visitor.get(self.path)).text)

    def statuses(self) -> tuple[HolderStatus, HolderStatus]:
        return self.first.status(HOSTING), self.second.status(HOSTING)

    def choices(self, first: str, second: str) -> dict[str, str]:
        ids = (case.tasks()[HOSTING].id for case in (self.first, self.second))
        return {f"answer-{task}": answer for task, answer in zip(ids, (first, second), strict=True)}

    async def rows(self) -> list[dict[str, str]]:
        found = await self.visitor.get(f"{self.path}/tasks.csv")
        assert found.status_code == 200
        return list(csv.DictReader(io.StringIO(found.text)))

    async def upload(self, rows: list[dict[str, str]], **more: str) -> tuple[int, str]:
        written = io.StringIO()
        writer = csv.DictWriter(written, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        answer = await self.visitor.http.post(
            f"{self.path}/upload", data={**SIGNED, **more}, files={"file": ("answers.csv", written.getvalue().encode())}
        )
        if answer.status_code == 303:
            answer = await self.visitor.get(answer.headers["location"])
        return answer.status_code, html.unescape(answer.text)

    def kept(self, kind: str) -> list[EvidenceEntry]:
        with self.first.database.reading() as session:
            return list(session.exec(select(EvidenceEntry).where(col(EvidenceEntry.kind) == kind)))


@pytest.fixture
def asked(fresh: Installation) -> Vendors:
    return ask_twice(fresh)


def ask_twice(installation: Installation) -> Vendors:
    database, writer = installation.resources.database, installation.app.state.site.notice_writer
    first = open_directive(database, HOSTING, now=TODAY, writer=writer, disposal_requested=TODAY.date())
    (alone,) = first.write()
    assert vendor_token_in(alone) is None, "who is asked one thing needs no second link"
    second = open_directive(
        database, HOSTING, now=TODAY, place=MISSOURI, writer=writer, disposal_requested=TODAY.date()
    )
    (letter,) = second.write()
    token = vendor_token_in(letter)
    assert token
    return Vendors(installation, first, second, f"{VENDOR_FOLDER}{token}", installation.visitor())


async def test_it_lists_each_matter_with_its_own_page_and_no_other_vendor_s(asked: Vendors) -> None:
    other = open_directive(asked.first.database, BACKUP, now=TODAY, place=VIRGINIA, disposal_requested=TODAY.date())
    other.write()
    page = await asked.page()
    for words in ("District ndpa-v1 IL", "District ndpa-v1 MO", "2 matters", "Rosters"):
        assert words in page
    assert page.count('name="answer-') == 2
    for own in re.findall(r'<th scope="row"><a href="([^"]+)"', page):
        assert "give the certificate" in (await asked.visitor.get(own)).text
    assert BACKUP not in page


async def test_one_certificate_serves_all_that_are_marked_done(asked: Vendors) -> None:
    report = ("report.pdf", b"%PDF-1.7\n1 0 obj\n", "application/pdf")
    answer = await asked.visitor.http.post(
        asked.path, data={"rest": "certificate", **DONE, **SIGNED}, files={"files": report}
    )
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].endswith("?taken=2&unchanged=0")
    assert asked.statuses() == (HolderStatus.CONFIRMED,) * 2
    entries = asked.kept("holder_answered")
    assert len(entries) == 2
    with asked.first.database.reading() as session:
        for entry in entries:
            kept = [fetch(session, sha256) for sha256 in entry.artifacts]
            assert b"vendor_link" in kept[0]
            assert b"typing my name here is my signature" in kept[0]
            assert kept[1].startswith(b"%PDF-"), "the completion certificate"
            assert report[1] in kept
    page = await asked.page()
    assert "Nothing is pending" in page
    receipts = re.findall(r'href="(/h/[^"]+/receipts/[^"]+)"', page)
    assert len(receipts) == 2
    for receipt in receipts:
        assert (await asked.visitor.get(receipt)).content.startswith(b"%PDF-")


async def test_each_row_may_have_an_answer_of_its_own(asked: Vendors) -> None:
    chosen = asked.choices("holds_nothing", "more_time")
    particulars = {"holds_nothing-why": "Never stored.", "more_time-why": "Tapes.", "more_time-until": "2099-01-01"}
    answer = await asked.visitor.http.post(asked.path, data={**chosen, **particulars, **SIGNED})
    assert answer.status_code == 303, answer.text
    assert asked.statuses() == (HolderStatus.ANSWERED,) * 2
    assert {entry.body["answer_kind"] for entry in asked.kept("holder_answered")} == {"holds_nothing", "more_time"}


@pytest.mark.parametrize(("together", "kept"), [("", HolderStatus.CONFIRMED), ("yes", HolderStatus.OPEN)])
async def test_a_wrong_row_keeps_none_of_the_others_back_unless_all_or_none_are_to_be_taken(
    asked: Vendors, together: str, kept: HolderStatus
) -> None:
    chosen = asked.choices("certificate", "declined")
    answer = await asked.visitor.http.post(asked.path, data={**chosen, **DONE, **SIGNED, "all_or_none": together})
    assert answer.status_code == 422
    page = html.unescape(answer.text)
    assert "Why do you decline?" in page
    assert "shred 9.4" in page, "what was typed is kept"
    assert asked.statuses() == (kept, HolderStatus.OPEN)


async def test_what_is_not_signed_is_not_taken(asked: Vendors) -> None:
    answer = await asked.visitor.http.post(asked.path, data={"rest": "certificate", **DONE, **SIGNED, "attested": ""})
    assert answer.status_code == 422
    assert "It is not attested." in answer.text
    assert asked.statuses() == (HolderStatus.OPEN,) * 2


async def test_a_legal_hold_is_said_in_its_row_and_keeps_that_one_alone(asked: Vendors) -> None:
    place_legal_hold(asked.first.database, agreement=ILLINOIS.reference, reason="A suit.", actor="counsel", now=TODAY)
    assert "a legal hold keeps this data" in await asked.page()
    rows = [{**row, "answer": "certificate", **CERTIFICATE} for row in await asked.rows()]
    status, page = await asked.upload(rows)
    assert status == 409
    assert "1 answer has arrived" in page
    assert "District ndpa-v1 IL" in page
    assert asked.statuses() == (HolderStatus.OPEN, HolderStatus.CONFIRMED)
    assert len(asked.kept("holder_refused")) == 1


class TestTheFile:
    async def test_what_is_wrong_is_named_by_row_and_column_and_what_is_right_is_kept(self, asked: Vendors) -> None:
        first, second = await asked.rows()
        bad = {**second, "answer": "certificate", **CERTIFICATE, "performed_on": "tomorrow", "tool": "", "until": "x"}
        status, page = await asked.upload([{**first, "answer": "certificate", **CERTIFICATE}, bad])
        assert status == 422
        for place in ("row 3, performed_on", "row 3, tool", "row 3, until"):
            assert place in page
        assert "1 answer has arrived" in page
        assert sorted(asked.statuses()) == [HolderStatus.CONFIRMED, HolderStatus.OPEN]

    async def test_all_or_none_takes_none_of_it(self, asked: Vendors) -> None:
        first, second = await asked.rows()
        rows = [{**first, "answer": "certificate", **CERTIFICATE}, {**second, "answer": "maybe"}]
        status, page = await asked.upload(rows, all_or_none="yes")
        assert status == 422
        assert "row 3, answer" in page
        assert "Nothing was changed" in page
        assert asked.statuses() == (HolderStatus.OPEN,) * 2

    async def test_the_same_file_again_changes_nothing(self, asked: Vendors) -> None:
        rows = [{**row, "answer": "certificate", **CERTIFICATE} for row in await asked.rows()]
        assert (await asked.upload(rows))[0] == 200
        evidence = len(asked.kept("holder_answered"))
        status, page = await asked.upload(rows)
        assert status == 200
        assert "2 had been given before" in page
        assert len(asked.kept("holder_answered")) == evidence
        status, page = await asked.upload([{**row, "tool": "another"} for row in rows])
        assert status == 409
        assert "answered already" in page

    async def test_a_row_without_an_answer_is_left_alone(self, asked: Vendors) -> None:
        first, second = await asked.rows()
        assert (await asked.upload([{**first, "answer": "certificate", **CERTIFICATE}, second]))[0] == 200
        assert sorted(asked.statuses()) == [HolderStatus.CONFIRMED, HolderStatus.OPEN]

    async def test_another_vendor_s_task_is_none_of_its_rows(self, asked: Vendors) -> None:
        other = open_directive(asked.first.database, BACKUP, now=TODAY, place=VIRGINIA, disposal_requested=TODAY.date())
        other.write()
        first, second = await asked.rows()
        stolen = {**second, "task": str(other.tasks()[BACKUP].id), "answer": "certificate", **CERTIFICATE}
        status, page = await asked.upload([first, stolen])
        assert status == 422
        assert "row 3, task" in page
        assert other.status(BACKUP) is HolderStatus.OPEN

    @pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe", b'task,answer\n"x', b"task,answer\n,\n"])
    async def test_what_is_no_such_file_is_refused_in_a_sentence(self, asked: Vendors, content: bytes) -> None:
        answer = await asked.visitor.http.post(
            f"{asked.path}/upload", data=SIGNED, files={"file": ("answers.csv", content)}
        )
        assert answer.status_code == 422
        assert "Nothing was changed" in answer.text


class TestJson:
    async def test_a_program_reads_what_is_asked_and_answers_it(self, asked: Vendors) -> None:
        found = (await asked.visitor.get(f"{asked.path}.json")).json()
        assert found["total"] == 2
        ids = [task["id"] for task in found["tasks"]]
        signed = {**SIGNED, "attested": True}
        body = {"answers": [{"task": ids[0], "answer": "certificate", **CERTIFICATE, **signed}]}
        answer = await asked.visitor.http.post(f"{asked.path}.json", json=body)
        assert (answer.status_code, answer.json()) == (200, {"outcomes": [{"task": ids[0], "outcome": "taken"}]})
        body["answers"].append({"task": ids[1], "answer": "declined", **signed})
        again = await asked.visitor.http.post(asked.path, json=body)
        assert again.status_code == 422
        unchanged, refused = again.json()["outcomes"]
        assert unchanged["outcome"] == "unchanged"
        assert refused["error"]["code"] == "invalid-fields"
        assert refused["error"]["problems"][0]["where"] == "why"

    async def test_its_errors_are_those_of_the_house(self, asked: Vendors) -> None:
        nowhere = await asked.visitor.http.get(f"{asked.path}x", headers={"accept": "application/json"})
        assert (nowhere.status_code, nowhere.json()["code"]) == (404, "not-found")
        assert nowhere.json()["next_step"]
        for content in (b"", b"[]", b"{"):
            wrong = await asked.visitor.http.post(f"{asked.path}.json", content=content)
            assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid-input")
        none = await asked.visitor.http.post(f"{asked.path}.json", json={"answers": []})
        assert none.json()["where"] == "answers"


class TestTheLink:
    async def test_a_changed_or_guessed_one_leads_nowhere_and_no_log_holds_it(self, asked: Vendors) -> None:
        token = asked.path.removeprefix(VENDOR_FOLDER)
        with capture_logs() as lines:
            assert (await asked.visitor.get(asked.path)).status_code == 200
            for other in (token[:-1] + ("A" if token[-1] != "A" else "B"), token.lower(), "x", "%00"):
                assert (await asked.visitor.get(f"{VENDOR_FOLDER}{other}")).status_code == 404
            assert (await asked.visitor.get(f"{HOLDER_FOLDER}{token}")).status_code == 404
        assert {line["path"] for line in lines} == {f"{HOLDER_FOLDER}…"}

    async def test_a_holder_s_own_link_does_not_open_it(self, asked: Vendors) -> None:
        asked.first.now = asked.first.tasks()[HOSTING].due_at or TODAY
        letter = next(letter for letter in asked.first.write() if letter.contact_id)
        assert (await asked.visitor.get(f"{VENDOR_FOLDER}{token_in(letter)}")).status_code == 404

    async def test_it_ends_with_the_link_that_went_astray_and_the_next_mail_holds_another(self, asked: Vendors) -> None:
        asked.second.act(RevokeLink(holder=HOSTING, reason=KeptText.model_validate("It went astray.")))
        assert (await asked.visitor.get(asked.path)).status_code == 404
        (letter,) = asked.second.write()
        token = vendor_token_in(letter)
        assert token
        assert (await asked.visitor.get(f"{VENDOR_FOLDER}{token}")).status_code == 200

    def test_sql_keeps_its_hash_and_nothing_tells_the_address(self, asked: Vendors) -> None:
        with asked.first.database.reading() as session:
            kept = "".join(str(vendor.model_dump()) for vendor in session.exec(select(Vendor)))
            evidence = "".join(str(entry.body) for entry in session.exec(select(EvidenceEntry)))
        token = asked.path.removeprefix(VENDOR_FOLDER)
        assert token not in kept + evidence
        assert "example.org" not in kept


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
async def test_on_a_phone_a_vendor_answers_two_matters_at_once_wrongly_then_rightly(
    temporal: Client, keyring: Keyring, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with browsed(tmp_path_factory.mktemp("phone"), keyring, temporal) as at:
        asked = ask_twice(at.installation)
        await at.page.set_viewport_size({"width": 375, "height": 740})
        await at.page.goto(f"{at.address}{asked.path}")
        too_wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await at.page.evaluate(too_wide) <= 0, "nothing is wider than the screen"
        for row in await at.page.locator("select[name^=answer-]").all():
            await row.select_option(label="Done")
        for name, value in DONE.items():
            if name != "certificate-method":
                await at.page.locator(f"#{name}").fill(value)
        await at.page.locator("#certificate-method").select_option("purge")
        await at.page.locator("#name").fill("Sam Example")
        await at.page.locator("#title").fill("Head of operations")
        await at.page.get_by_role("button", name="Sign and send", exact=True).click()
        await expect(at.page.get_by_role("alert")).to_contain_text("It is not attested.")
        assert await at.page.locator("#certificate-tool").input_value() == CERTIFICATE["tool"]
        assert await at.page.evaluate(too_wide) <= 0
        await at.page.locator("#attested").check()
        await at.page.get_by_role("button", name="Sign and send", exact=True).click()
        await expect(at.page.get_by_role("status")).to_contain_text("2 answers have arrived")
        await expect(at.page.get_by_role("link", name="Completion certificate")).to_have_count(2)
        assert await at.page.evaluate(too_wide) <= 0
        receipt = await at.page.get_by_role("link", name="Completion certificate").first.get_attribute("href")
        pdf = await at.page.request.get(f"{at.address}{receipt}")
        assert (pdf.headers["content-type"], (await pdf.body())[:5]) == ("application/pdf", b"%PDF-")
        assert at.complaints == []
        assert asked.statuses() == (HolderStatus.CONFIRMED,) * 2
