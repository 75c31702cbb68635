"""Behind the link of a file that was handed over, and on its case's page: uploaded, mailed, fetched, taken back."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlmodel import select, update
from structlog.testing import capture_logs

from mail.handed_over import HANDED_FOLDER
from models.tables import EvidenceEntry, HandedOver
from records.handed_over import revoke_link
from tests.support.handed_over import CONTENT, Handed, hand_a_file_over, text_of
from tests.support.installation import Installation, Visitor
from web.quotas import TRIES_A_MINUTE


@dataclass
class Linked:
    """A file that was handed over, and somebody who has its link."""

    installation: Installation
    handed: Handed
    visitor: Visitor

    @property
    def path(self) -> str:
        return f"{HANDED_FOLDER}{self.handed.token}"

    def entries(self, kind: str) -> list[EvidenceEntry]:
        with self.handed.case.database.reading() as session:
            return list(session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == kind)))


@pytest.fixture
def linked(fresh: Installation) -> Linked:
    return Linked(fresh, hand_a_file_over(fresh.resources.database), fresh.visitor())


async def test_looking_hands_out_nothing_and_fetching_is_evidence(linked: Linked) -> None:
    page = await linked.visitor.get(linked.path)
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert "4711,A" not in page.text
    assert 'href="/"' not in page.text
    assert linked.entries("file_fetched") == []
    for _ in range(2):
        fetched = await linked.visitor.http.post(linked.path)
        assert (fetched.status_code, fetched.content) == (200, CONTENT)
        assert fetched.headers["content-disposition"].startswith("attachment;")
    entries = linked.entries("file_fetched")
    assert [(entry.actor, entry.body["link"]) for entry in entries] == [("holder of the file's link", 1)] * 2


async def test_a_changed_a_guessed_and_a_revoked_link_open_nothing(linked: Linked) -> None:
    token = linked.handed.token
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    for tried in (changed, token[:-1], f"{token}A", "0" * 43, token.swapcase()):
        for answer in (
            await linked.visitor.get(f"{HANDED_FOLDER}{tried}"),
            await linked.visitor.http.post(f"{HANDED_FOLDER}{tried}"),
        ):
            assert answer.status_code == 404
    handed = linked.handed
    revoke_link(
        handed.case.database, handed.case.id, handed.mail.handed_over, "Astray.", actor="officer", now=handed.case.now
    )
    assert (await linked.visitor.http.post(linked.path)).status_code == 404
    assert linked.entries("file_fetched") == []


async def test_after_its_time_it_says_so_and_gives_nothing(linked: Linked) -> None:
    with linked.handed.case.database.writing() as session:
        session.execute(update(HandedOver).values(erase_at=linked.handed.case.now - timedelta(seconds=1)))
    for answer in (await linked.visitor.get(linked.path), await linked.visitor.http.post(linked.path)):
        assert answer.status_code == 410
        assert "it is erased" in html.unescape(answer.text)


async def test_who_tries_link_after_link_is_refused_for_a_while(linked: Linked) -> None:
    answers = [await linked.visitor.get(f"{HANDED_FOLDER}{number:043}") for number in range(TRIES_A_MINUTE + 1)]
    assert [answer.status_code for answer in answers] == [404] * TRIES_A_MINUTE + [429]
    assert (await linked.visitor.get(linked.path)).status_code == 200, "who has a link is not kept out by them"


async def test_no_log_holds_the_link_and_another_site_fetches_nothing(linked: Linked) -> None:
    with capture_logs() as lines:
        assert (await linked.visitor.get(linked.path)).status_code == 200
        elsewhere = await linked.visitor.http.post(linked.path, headers={"Origin": "https://elsewhere.test"})
    assert elsewhere.status_code == 403
    assert {line["path"] for line in lines} == {f"{HANDED_FOLDER}…"}


@pytest.mark.long
async def test_an_officer_hands_a_file_over_and_takes_its_link_back(installation: Installation) -> None:
    case = hand_a_file_over(installation.resources.database).case
    officer, page = await installation.officer(), f"/cases/{case.id}"
    shown = html.unescape((await officer.get(page)).text)
    contact = re.search(r'<option value="([0-9a-f-]{36})"[^>]*>Office <office@example.org>', shown)
    assert contact, shown
    for words in ("Files handed over", "grades of 4711.csv", "not yet", "handed_over_days", "30 days"):
        assert words in shown
    program = ("tool.exe", b"MZ\x90\x00\x03\x00\x00\x00\x04\x00")
    refused = await officer.send(page, f"{page}/handed-over", {"contact": contact[1]}, program)
    assert refused.status_code == 422
    assert "The file holds nothing of what is taken here." in refused.text
    sent = await officer.send(page, f"{page}/handed-over", {"contact": contact[1]}, ("copy.csv", b"a,b\n1,2\n"))
    assert sent.headers["location"] == f"{page}?done=handed-over#done", sent.text
    mails = [file.read_bytes() for file in (installation.resources.settings.home / "mail").glob("*.eml")]
    (mail,) = [raw for raw in mails if b"A file for you" in raw]
    link = re.search(rf"{HANDED_FOLDER}\S{{43}}", text_of(mail))
    assert link
    assert (await installation.visitor().http.post(link[0])).content == b"a,b\n1,2\n"
    assert "1 time, last" in html.unescape((await officer.get(page)).text)
    kept = re.search(rf"{page}/handed-over/([0-9a-f-]+)/revoke", (await officer.get(page)).text)
    assert kept
    assert (await officer.send(page, kept[0], {"reason": ""})).status_code == 422
    taken = await officer.send(page, kept[0], {"reason": "It went astray."})
    assert taken.headers["location"] == f"{page}?done=file-revoked#done"
    assert (await installation.visitor().get(link[0])).status_code == 404
    again = await officer.send(page, kept[0].replace("revoke", "link"), {})
    assert again.headers["location"] == f"{page}?done=file-link#done", again.text
