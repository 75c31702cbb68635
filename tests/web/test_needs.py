"""What needs people on the first page and as JSON, whose a case is, and questions answered from the case's page."""

from __future__ import annotations

import re
from http import HTTPStatus
from uuid import UUID

import pytest
from sqlmodel import select, update

from mail.catcher import start_catcher
from models.enums import CaseStatus, Role
from models.tables import Case, EvidenceEntry
from people.accounts import add_account
from people.sign_in import issue_token
from records.need_sorts import NeedKind
from starter.resources import utc_now
from tests.support.given_notices import Told
from tests.support.incident_form import NOW, opened, shows
from tests.support.installation import Installation, Visitor

QUESTION = {"kind": "question", "name": "Sam Lee", "email": "sam@d1.example.org", "question": "Which schools?"}
ANSWER = "None of your high schools."


async def asked(told: Told, reference: str = "VA-001") -> UUID:
    """A district asks; the id of its question."""
    assert (await told.answer(reference, **QUESTION)).status_code == 303
    return told.answers()[-1].id


async def answer(told: Told, text: str = ANSWER) -> str:
    """An officer answers from the case's page; the page that follows."""
    case = f"/cases/{told.given.case_id}"
    officer = await told.installation.officer()
    question = re.search(r'name="question" value="([\w-]+)"', (await officer.get(case)).text)
    assert question
    said = await officer.send(case, f"{case}/acts/answer", {"question": question[1], "text": text})
    return (await officer.get(said.headers["location"])).text if said.status_code == 303 else said.text


class TestTheList:
    async def test_it_stands_above_the_cases_and_leads_to_where_it_is_done(self, told: Told) -> None:
        await asked(told)
        officer = await told.installation.officer("robin")
        page = (await officer.get("/")).text
        needs, cases = page.index("Needs you"), page.index("<h2>Cases</h2>")
        assert needs < page.index("1 question of districts waits for an answer.") < cases
        assert f'href="/cases/{told.given.case_id}#answers"' in page
        assert "the organisation’s contact" in page
        assert "Nothing needs you now" in (await officer.get("/?whose=mine")).text

    async def test_it_is_there_as_json_and_empty_for_who_only_reads(self, told: Told) -> None:
        await asked(told)
        for name, role, count in (("robin", Role.OFFICER, 1), ("ada", Role.AUDITOR, 0)):
            visitor = await told.installation.officer(name, role)
            found = (await visitor.get("/api/needs-you")).json()
            assert [item["kind"] for item in found["items"]] == [NeedKind.QUESTIONS.value] * count
            assert found["total"] == count
            assert ("Needs you" in (await visitor.get("/")).text) is (count == 1)

    async def test_a_page_of_it_that_is_not_there_is_the_last(self, told: Told) -> None:
        await asked(told)
        officer = await told.installation.officer()
        assert "1 question of districts waits" in (await officer.get("/?needs=99")).text


async def signed_in_by(hand: str, installation: Installation, name: str, role: Role) -> Visitor:
    """Somebody whose account and link one hand made, signed in by that link."""
    database, now = installation.resources.database, utc_now()
    add_account(database, name, role, made_by=hand, now=now)
    visitor = installation.visitor()
    await visitor.http.post("/sign-in", data={"token": issue_token(database, name, now, issued_by=hand)})
    return visitor


async def test_whose_link_decides_nothing_reads_that_something_waits_and_what_to_do(installation: Installation) -> None:
    robin = await signed_in_by("keeper", installation, "robin.invited", Role.OFFICER)
    case = await opened(robin, "Invited by one hand", chosen="MO-001", confirmed_at=NOW)
    await shows(robin, case, "Read and release")
    proposal = {"clause": "breach.notice", "ground": "no_student_data", "reason": "Not its data."}
    assert (await robin.send(case, f"{case}/acts/propose", dict(proposal))).status_code == HTTPStatus.SEE_OTHER
    sam = await signed_in_by("keeper", installation, "sam.invited", Role.APPROVER)
    page = (await sam.get("/")).text
    assert re.search(r"proposals? waits? for a second person, and you are signed in by a link", page)
    assert 'href="/account"' in page
    assert "Nothing needs anybody now" not in page
    assert 'href="/cases/new/' not in page, "an approver opens no case"
    kim = await installation.officer("kim.of.another.hand", Role.APPROVER)
    assert "signed in by a link" not in (await kim.get("/")).text, "Kim may decide it as she is signed in"


class TestWhoseItIs:
    async def test_it_is_assigned_from_the_cases_page_even_while_no_clock_runs(self, told: Told) -> None:
        await asked(told)
        kim = await told.installation.officer("kim")
        case = f"/cases/{told.given.case_id}"
        assert (await told.officer_sends("acts/assign", responsible="kim", deputy="officer")).status_code == 303
        assert "responsible: kim, deputy: officer" in (await kim.get(case)).text
        assert "1 question of districts waits" in (await kim.get("/?whose=mine")).text

    async def test_nobody_else_than_an_account_that_can_act_is_taken(self, told: Told) -> None:
        answer = await told.officer_sends("acts/assign", responsible="somebody else")
        assert answer.status_code == 422
        assert "no account of an officer" in answer.text


class TestAQuestion:
    @pytest.fixture
    async def told(self, told: Told) -> Told:
        await asked(told)
        return told

    async def test_it_is_answered_on_the_page_and_the_answer_stands_on_the_districts_own(self, told: Told) -> None:
        page = await answer(told)
        assert "The answer is kept" in page
        assert ANSWER in page
        linked = await told.text(told.link("VA-001"))
        assert "Which schools?" in linked
        assert ANSWER in linked
        assert "Sam Lee" not in linked
        assert ANSWER not in await told.text(told.link("IL-001"))
        assert [entry.actor for entry in told.evidence("act.answer")] == ["officer"]

    async def test_without_words_it_is_not_answered_and_what_is_missing_is_named_at_its_field(self, told: Told) -> None:
        page = await answer(told, " ")
        assert 'href="#answer-text"' in page
        assert 'id="answer-text"' in page
        assert told.evidence("act.answer") == []

    async def test_it_can_still_be_answered_once_its_case_is_closed(self, told: Told) -> None:
        with told.installation.resources.database.writing() as session:
            session.execute(update(Case).values(status=CaseStatus.CLOSED, closed_at=utc_now()))
        assert ANSWER in await answer(told)

    async def test_a_program_answers_it_and_the_same_sent_twice_is_one_answer(self, told: Told) -> None:
        officer, case = await told.installation.officer(), f"/api/cases/{told.given.case_id}"
        (question,) = (await officer.get(f"{case}/answers")).json()["questions"]
        act = {"act": "answer", "question": question["id"], "text": ANSWER}
        key = {"Idempotency-Key": "6f0c1f9e-3a51-4f0e-8d6b-1d8a1f6f1e00"}
        for _ in range(2):
            assert (await officer.http.post(f"{case}/acts", json=act, headers=key)).status_code == 200
        (question,) = (await officer.get(f"{case}/answers")).json()["questions"]
        assert [reply["text"] for reply in question["replies"]] == [ANSWER]

    async def test_its_letter_leaves_at_once_and_can_be_read_without_the_districts_link(
        self, told: Told, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        folder = tmp_path_factory.mktemp("mail")
        catcher = await start_catcher(folder)
        resources = told.installation.resources
        smtp = resources.settings.smtp.model_copy(
            update={"host": catcher.host, "port": catcher.port, "security": "none"}
        )
        object.__setattr__(resources, "settings", resources.settings.model_copy(update={"smtp": smtp}))
        installation = Installation(resources)
        page = await answer(Told(installation, told.given, installation.visitor()))
        await catcher.stop()
        assert "· mailed" in page
        (caught,) = folder.glob("*.eml")
        assert "sam@d1.example.org" in caught.read_text()
        assert told.link("VA-001") in caught.read_text().replace("=\n", "")
        letter = re.search(r'href="(/cases/[\w-]+/messages/\w+)">the letter', page)
        assert letter
        officer = await installation.officer()
        assert ANSWER in (await officer.get(letter[1])).text
        assert told.link("VA-001") not in (await officer.get(letter[1])).text
        with resources.database.reading() as session:
            (sent,) = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "reply_handed_over"))
        assert sent.body["outcome"] == "accepted"
