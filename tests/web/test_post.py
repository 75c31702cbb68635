"""The page of letters to post: printed, recorded on a person's word, and taken back."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO

import pytest
from pypdf import PdfReader
from sqlalchemy import text
from sqlmodel import select

from cases.acts import Learn
from mail.links import LINK_PURPOSE, notice_token
from models.enums import Role, Verdict
from models.tables import EvidenceEntry, PostalLetter
from starter.resources import utc_now
from starter.writing import notice_writer
from tests.support.case_in_sql import CaseInSql
from tests.support.installation import Installation, Visitor
from tests.support.to_post import letter_to_post
from web import post

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
HOURS_AGO = timedelta(hours=2)


@pytest.fixture
def case(fresh: Installation) -> CaseInSql:
    """A case whose letter was written two hours ago."""
    return letter_in(fresh)


def letter_in(of: Installation) -> CaseInSql:
    """Another such case."""
    writer = notice_writer(of.resources.settings, of.resources.keyring)
    return letter_to_post(of.resources.database, utc_now() - HOURS_AGO, writer=writer)


def letter(case: CaseInSql) -> PostalLetter:
    with case.database.reading() as session:
        return session.exec(select(PostalLetter).where(PostalLetter.case_id == case.id)).one()


def kinds(case: CaseInSql) -> list[str]:
    with case.database.reading() as session:
        found = session.exec(select(EvidenceEntry).where(EvidenceEntry.case_id == case.id))
        return [entry.kind for entry in found]


def form(case: CaseInSql, **changed: str) -> dict[str, object]:
    """What somebody fills in who posted the letter an hour ago."""
    return form_of(str(letter(case).id), **changed)


def form_of(letter_id: str, **changed: str) -> dict[str, object]:
    """The same of a letter that is named."""
    at = (utc_now() - HOURS_AGO / 2).strftime("%Y-%m-%dT%H:%M")
    given = {"service": "first_class", "mailed_at": at, "zone": "UTC", "tracking_number": "9400 1000"}
    return {"letter": letter_id, **given, **changed}


async def record(
    officer: Visitor, case: CaseInSql, changed: dict[str, str] | None = None, file: tuple[str, bytes] | None = None
) -> tuple[int, str]:
    to = f"/post/{letter(case).id}/posted"
    answer = await officer.send("/post", to, form(case, **(changed or {})), file, field="receipt")
    return answer.status_code, answer.headers.get("location") or answer.text


async def test_where_nothing_waits_the_page_says_so(fresh: Installation) -> None:
    officer = await fresh.officer()
    page = (await officer.get("/post")).text
    assert "No letter waits to be posted." in page
    assert "None yet." in page
    assert (await officer.get("/api/post")).json() == {"items": [], "total": 0}


async def test_the_list_says_for_whom_until_when_and_what_posting_performs(
    fresh: Installation, case: CaseInSql
) -> None:
    officer = await fresh.officer()
    page = (await officer.get("/post")).text
    assert "100 School Street" in page
    assert "Not printed yet." in page
    assert "By First-Class Mail or First-Class Mail, certified, it gives the notice when it is posted" in page
    assert "a courier (gives no notice)" in page
    assert "/n/" not in page, "the link is its reader's alone"
    (listed,) = (await officer.get("/api/post")).json()["items"]
    assert (listed["case_id"], listed["overdue"], listed["mailed_at"]) == (str(case.id), False, None)
    first = (await officer.get("/")).text
    assert "1 letter waits to be printed and posted" in first
    assert f"/post?case={case.id}" in first
    shown = (await officer.get(f"/cases/{case.id}")).text
    assert "No e-mail reaches a contact: a letter to Office" in shown
    assert "letter to post" in shown


async def test_letters_of_another_case_are_left_out_where_one_is_asked_for(
    fresh: Installation, case: CaseInSql
) -> None:
    officer = await fresh.officer()
    assert "100 School Street" in (await officer.get(f"/post?case={case.id}")).text
    other = (await officer.get("/post?case=00000000-0000-0000-0000-000000000001")).text
    assert "No letter waits to be posted." in other
    assert "100 School Street" in (await officer.get("/post?case=none&page=x")).text


async def test_one_letter_or_all_are_printed_as_one_file_and_it_is_noted_who_did(
    fresh: Installation, case: CaseInSql
) -> None:
    officer = await fresh.officer("kim")
    one = await officer.send("/post", "/post/print", {"letter": str(letter(case).id)})
    assert one.headers["content-type"] == "application/pdf"
    assert "attachment" in one.headers["content-disposition"]
    assert "100 School Street" in PdfReader(BytesIO(one.content)).pages[0].extract_text()
    every = await officer.send("/post", "/post/print", {})
    assert len(PdfReader(BytesIO(every.content)).pages) == len(PdfReader(BytesIO(one.content)).pages)
    assert kinds(case).count("letter_printed") == 2
    assert "Printed by kim" in (await officer.get("/post")).text
    gone = await officer.send("/post", "/post/print", {"letter": "00000000-0000-0000-0000-000000000001"})
    assert gone.status_code == 404
    assert "No such letter waits to be posted." in gone.text


async def test_a_mailing_is_recorded_as_its_posters_word_with_a_receipt_and_taken_back(
    fresh: Installation, case: CaseInSql
) -> None:
    officer = await fresh.officer("kim")
    assert await record(officer, case, file=("receipt.png", PNG)) == (303, "/post?done=posted")
    assert case.duty("breach.notice").verdict is Verdict.ON_TIME_BY_POST
    page = (await officer.get("/post?done=posted")).text
    assert "Recorded, on your word." in page
    assert "No letter waits to be posted." in page
    assert "<strong>kim says</strong> that it was handed to the post" in page
    assert "tracking number 9400 1000" in page
    shown = (await officer.get(f"/cases/{case.id}")).text
    assert "by a letter, as kim says" in shown
    assert "on time by post" in shown
    receipt = await officer.get(f"/post/{letter(case).id}/receipt")
    assert (receipt.content, receipt.headers["content-type"]) == (PNG, "image/png")

    taking_back: dict[str, object] = {"letter": str(letter(case).id), "reason": ""}
    to = f"/post/{letter(case).id}/not-posted"
    refused = await officer.send("/post", to, taking_back)
    assert refused.status_code == 422
    assert "It is empty" in refused.text
    done = await officer.send("/post", to, taking_back | {"reason": "It lay in the wrong tray."})
    assert done.headers["location"] == "/post?done=not-posted"
    assert "The letter waits to be posted" in (await officer.get("/post?done=not-posted")).text
    assert case.duty("breach.notice").verdict is None
    assert (await officer.get(f"/post/{letter(case).id}/receipt")).status_code == 404


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"service": ""}, "Nothing is chosen."),
        ({"mailed_at": ""}, "It is empty. Give the date and time."),
        ({"mailed_at": "2199-01-01T10:00"}, "is in the future"),
        ({"mailed_at": "2026-01-02T10:00"}, "The letter was written later than that."),
        ({"tracking_number": "ask Kim, she knows"}, "This is no tracking number."),
        ({"zone": ""}, "time zone"),
    ],
)
async def test_what_cannot_be_is_refused_at_its_field_and_what_was_typed_stays(
    fresh: Installation, case: CaseInSql, changed: dict[str, str], says: str
) -> None:
    officer = await fresh.officer()
    status, page = await record(officer, case, changed)
    assert status == 422
    assert says in page
    assert "Nothing was changed" in page
    assert 'value="first_class" selected' in page or "service" in changed
    assert letter(case).mailed_at is None


async def test_a_receipt_of_a_type_that_is_not_taken_is_refused(fresh: Installation, case: CaseInSql) -> None:
    officer = await fresh.officer()
    status, page = await record(officer, case, file=("receipt.exe", b"MZ\x00\x01\x02"))
    assert status == 422
    assert "The file holds nothing of what is taken here." in page
    given: dict[str, object] = {"act": "posted", "receipt": {"base64": "TVoAAQI="}, **form(case)}
    given |= {"mailed_at": utc_now().isoformat()}
    del given["zone"]
    answer = await officer.http.post(f"/api/cases/{case.id}/acts", json=given)
    assert answer.status_code == 422
    assert answer.json()["where"] == "receipt"
    assert letter(case).mailed_at is None
    assert "file_refused" in kinds(case), "what a program gives is refused with evidence of it"


async def test_who_only_reads_sees_the_list_and_can_neither_print_nor_record(
    fresh: Installation, case: CaseInSql
) -> None:
    auditor = await fresh.officer("reader", Role.AUDITOR)
    page = (await auditor.get("/post")).text
    assert "100 School Street" in page
    assert "Print this letter" not in page
    for to in ("/post/print", f"/post/{letter(case).id}/posted", f"/post/{letter(case).id}/not-posted"):
        assert (await auditor.send("/account", to, form(case))).status_code == 403
    assert letter(case).mailed_at is None


async def test_a_letter_that_there_is_not_is_told(fresh: Installation, case: CaseInSql) -> None:
    officer = await fresh.officer()
    to = "/post/00000000-0000-0000-0000-000000000001/posted"
    answer = await officer.send("/post", to, form(case))
    assert answer.status_code == 404
    assert "There is no such letter." in answer.text


async def test_the_same_by_json(fresh: Installation, case: CaseInSql) -> None:
    officer = await fresh.officer()
    given = {
        "act": "posted",
        "service": "first_class_certified",
        "letter": str(letter(case).id),
        "mailed_at": (utc_now() - HOURS_AGO / 2).isoformat(),
    }
    done = await officer.http.post(f"/api/cases/{case.id}/acts", json=given)
    assert done.status_code == 200, done.text
    assert case.duty("breach.notice").verdict is Verdict.ON_TIME_BY_POST
    (said,) = (await officer.get(f"/api/post?posted=true&case_id={case.id}")).json()["items"]
    assert (said["mailed_by"], said["service"]) == ("officer", "first_class_certified")


async def test_the_letters_of_a_page_or_all_are_printed_with_one_click(
    fresh: Installation, case: CaseInSql, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter_in(fresh)
    officer = await fresh.officer()
    assert "Print all 2 letters" in (await officer.get("/post")).text
    monkeypatch.setattr(post, "LETTERS_SHOWN", 1)
    page = (await officer.get("/post?page=2")).text
    assert "Print the 1 of this page" in page
    assert "Print all 2 letters" in page
    every = await officer.send("/post", "/post/print", {})
    assert kinds(case).count("letter_printed") == 1
    assert every.status_code == 200


async def test_the_page_behind_the_letters_link_shows_its_words_in_full(fresh: Installation, case: CaseInSql) -> None:
    token = notice_token(fresh.resources.keyring.derive(LINK_PURPOSE), letter(case).notice_id, 1)
    page = (await fresh.visitor().get(f"/n/{token}")).text
    assert "It stands in full below, to read or print." in page
    assert "Notice of a data breach" in page
    assert "THE FACTS" in page.upper()


async def test_a_printed_letter_that_was_written_anew_is_told_of_and_can_still_be_recorded(
    fresh: Installation, case: CaseInSql
) -> None:
    officer = await fresh.officer("kim")
    printed = str(letter(case).id)
    assert (await officer.send("/post", "/post/print", {"letter": printed})).status_code == 200
    case.act(Learn.model_validate({"element": "description", "value": "A server was open to the world."}))
    again = await officer.send("/post", "/post/print", {"letter": printed})
    assert again.status_code == 409
    assert "A letter was written anew, as what it says is no longer what is known." in again.text
    page = (await officer.get("/post")).text
    assert "<strong>Do not post the one that kim printed</strong>" in page
    assert "Record that the earlier one was posted" in page
    (listed,) = (await officer.get("/api/post")).json()["items"]
    assert [earlier["id"] for earlier in listed["earlier"]] == [printed]
    first = (await officer.get("/")).text
    assert "1 printed letter is not to be posted any more: others were written in their place." in first
    words = form_of(printed)
    done = await officer.send("/post", f"/post/{printed}/posted", words)
    assert done.status_code == 303, done.text
    assert "No letter waits to be posted." in (await officer.get("/post")).text


async def test_a_letter_that_does_not_open_is_named_among_the_others(fresh: Installation, case: CaseInSql) -> None:
    broken, whole = letter(case).id, letter(letter_in(fresh)).id
    with fresh.resources.database.writing() as session:
        key = {"key": broken.hex}
        session.execute(text("UPDATE postal_letter SET address = substr(address, 1, 20) WHERE id = :key"), key)
    officer = await fresh.officer()
    page = (await officer.get("/post")).text
    assert f"It is <code>postal_letter {broken}</code>. The letter is not printed, and the others are." in page
    assert f"/post/{broken}/posted" not in page
    assert f"/post/{whole}/posted" in page
    every = await officer.send("/post", "/post/print", {})
    assert every.headers["content-type"] == "application/pdf"
    assert (await officer.get(f"/cases/{case.id}")).status_code == 200
