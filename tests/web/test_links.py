"""Behind a notice's link: an LEA acknowledges, asks, names a contact and fetches its documents, without an account."""

from __future__ import annotations

import asyncio
import html
import re

import pytest
from sqlmodel import col, select
from structlog.testing import capture_logs

from ledger.artifacts import fetch, store
from mail.compose import compose
from models.enums import ContactRole, DeliveryStatus
from models.identifiers import delivery_id
from models.tables import Agreement, AgreementContact, CaseDocument, Delivery, Notice
from queries.agreements import list_agreements
from records.answers import LEA, MOST_ANSWERS
from starter.resources import utc_now
from tests.support.given_notices import FACTS, ROSTER, Told
from tests.support.sample_notices import ADDRESSING, CONFIRMED_NOTICE
from web.guard import MAX_ANSWER_BYTES

WITHOUT_SECURITY_CONTACT, WITH_SECURITY_CONTACT, WITH_ADVICE = "MO-001", "VA-001", "RI-001"


class TestTheLink:
    async def test_it_shows_which_notice_it_is_without_an_account(self, told: Told) -> None:
        page = await told.text(told.link("VA-001"))
        assert "Blue Ridge Valley Public Schools" in page
        assert "Notify the LEA" not in page, "that is the sender's own list of what to do"
        assert "Due by" not in page, "that is the sender's own deadline"

    async def test_it_shows_the_letter_in_full_as_it_was_sent(self, told: Told) -> None:
        letter = compose(CONFIRMED_NOTICE, ADDRESSING)
        notice_id = told.given.notices["VA-001"]
        with told.installation.resources.database.writing() as session:
            sha256 = store(session, letter.raw, "message/rfc822", CONFIRMED_NOTICE.noticed_at)
            contact = contacts(told, "VA-001")[0]
            session.add(
                Delivery(
                    id=delivery_id(notice_id, contact.id),
                    notice_id=notice_id,
                    contact_id=contact.id,
                    message_id=ADDRESSING.message_id,
                    status=DeliveryStatus.ACCEPTED,
                    message_sha256=sha256,
                    reserved_at=CONFIRMED_NOTICE.noticed_at,
                )
            )
        page = await told.text(told.link("VA-001"))
        assert " ".join(letter.text.split()) in page
        assert letter.subject in page
        assert CONFIRMED_NOTICE.sender.contact.email in page, "whom to ask"

    async def test_it_says_no_more_than_the_mail_did(self, told: Told) -> None:
        page = await told.text(told.link("VA-001"))
        assert "Rosters were readable" not in page
        assert "@" not in page
        for other in ("Cascade Meadow", "officer"):
            assert other not in page

    @pytest.mark.parametrize("change", [lambda link: link[:-1] + "!", lambda link: link[:-4], lambda link: "/n/x"])
    async def test_a_damaged_one_leads_nowhere_and_says_what_to_do(self, told: Told, change: object) -> None:
        assert callable(change)
        answer = await told.visitor.get(change(told.link("VA-001")))
        assert answer.status_code == 404
        assert "Copy the whole link from the mail" in answer.text
        assert 'href="/"' not in answer.text

    async def test_looking_at_it_acknowledges_nothing(self, told: Told) -> None:
        for path in (told.link("VA-001"), f"{told.link('VA-001')}/facts"):
            await told.visitor.get(path)
            await told.visitor.http.head(path)
        assert told.answers() == []

    async def test_no_log_holds_it(self, told: Told) -> None:
        with capture_logs() as lines:
            await told.answer("VA-001", kind="acknowledged", name="Robin Example")
            await told.visitor.get(f"{told.link('VA-001')}x")
            await told.visitor.http.put(told.link("VA-001"))
        assert [line["path"] for line in lines] == ["/n/…"] * 3
        assert "Robin" not in str(lines)

    async def test_the_rest_of_the_site_stays_closed_to_its_holder(self, told: Told) -> None:
        await told.visitor.get(told.link("VA-001"))
        for path in ("/", "/agreements", f"/cases/{told.given.case_id}"):
            assert (await told.visitor.get(path)).status_code == 303


class TestAcknowledging:
    async def test_it_is_in_sql_and_in_the_ledger_at_once(self, told: Told) -> None:
        answer = await told.answer("VA-001", kind="acknowledged", name="Robin Example")
        assert answer.status_code == 303
        with told.installation.resources.database.reading() as session:
            notice = session.get_one(Notice, told.given.notices["VA-001"])
            (entry,) = told.evidence("notice_acknowledged")
            assert (entry.subject, entry.actor, entry.at) == (str(notice.id), LEA, notice.acknowledged_at)
            assert b"Robin Example" in fetch(session, entry.artifacts[0])
        assert "This notice was acknowledged" in await told.text(told.link("VA-001"))

    async def test_the_first_one_counts(self, told: Told) -> None:
        for name in ("Robin Example", "Robin Example", "Somebody Else"):
            assert (await told.answer("VA-001", kind="acknowledged", name=name)).status_code == 303
        assert [answer.name for answer in told.answers()] == ["Robin Example"]
        assert len(told.evidence("notice_acknowledged")) == 1

    async def test_no_name_is_needed(self, told: Told) -> None:
        await told.answer("VA-001", kind="acknowledged")
        (entry,) = told.evidence("notice_acknowledged")
        assert entry.artifacts == []

    async def test_an_officer_who_does_it_for_them_is_named(self, told: Told) -> None:
        officer = await told.installation.officer("officer")
        await officer.http.post(told.link("VA-001"), data={"kind": "acknowledged"})
        assert told.evidence("notice_acknowledged")[0].actor == "officer"

    async def test_all_of_them_at_the_same_moment(self, told: Told) -> None:
        answers = await asyncio.gather(
            *(told.answer(reference, kind="acknowledged") for reference in told.given.notices for _ in range(5))
        )
        assert {answer.status_code for answer in answers} == {303}
        assert len(told.evidence("notice_acknowledged")) == len(told.given.notices)

    async def test_another_site_cannot_do_it(self, told: Told) -> None:
        answer = await told.visitor.http.post(
            told.link("VA-001"), data={"kind": "acknowledged"}, headers={"Origin": "https://evil.test"}
        )
        assert answer.status_code == 403
        assert told.answers() == []


class TestAskingAndNaming:
    ASKED: dict[str, str] = {  # noqa: RUF012 - a constant
        "kind": "question",
        "name": "Robin Example",
        "email": "robin@d1.example.org",
        "question": "Which schools?",
    }

    async def test_a_question_reaches_the_officer_once(self, told: Told) -> None:
        for _ in range(2):
            assert (await told.answer("VA-001", **self.ASKED)).status_code == 303
        officer, case = await told.installation.officer(), f"/cases/{told.given.case_id}"
        page = (await officer.get(case)).text
        assert page.count("Which schools?") == 1
        (answer,) = told.answers()
        await told.officer_sends(f"answers/{answer.id}/settle")
        assert "It was answered in another way" not in (await officer.get(case)).text
        assert len(told.evidence("question_asked", "answer_settled")) == 2

    async def test_one_link_takes_only_so_many(self, told: Told) -> None:
        for number in range(MOST_ANSWERS):
            assert (await told.answer("VA-001", **{**self.ASKED, "question": f"{number}?"})).status_code == 303
        refused = await told.answer("VA-001", **self.ASKED)
        assert (refused.status_code, "was not kept" in refused.text) == (409, True)
        assert (await told.answer("VA-001", kind="acknowledged")).status_code == 303

    async def test_what_is_missing_is_said_and_what_was_typed_is_kept(self, told: Told) -> None:
        answer = await told.answer("VA-001", **{**self.ASKED, "email": "robin at d1", "name": ""})
        assert answer.status_code == 422
        assert "Which schools?" in answer.text
        assert "2 things are wrong" in answer.text
        assert answer.text.count('aria-invalid="true"') == 2
        assert told.answers() == []

    @pytest.mark.parametrize(
        "values",
        [{"kind": "question", "question": "x" * 10_001}, {"kind": "other_contact", "name": "Robin"}, {"name": "x"}],
    )
    async def test_what_makes_no_sense_keeps_nothing(self, told: Told, values: dict[str, str]) -> None:
        assert (await told.answer("VA-001", **values)).status_code in (404, 422)
        assert told.answers() == []

    async def test_more_than_an_answer_holds_is_refused(self, told: Told) -> None:
        assert (await told.answer("VA-001", question="x" * MAX_ANSWER_BYTES)).status_code == 413

    async def test_what_somebody_typed_is_text_and_no_more(self, told: Told) -> None:
        await told.answer("VA-001", **{**self.ASKED, "question": "<script>alert(1)</script>\x1b[31m\u202e"})
        officer = await told.installation.officer()
        page = (await officer.get(f"/cases/{told.given.case_id}")).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;[31m</p>" in page

    @pytest.mark.parametrize(
        ("reference", "role"),
        [(WITH_SECURITY_CONTACT, ContactRole.GENERAL), (WITHOUT_SECURITY_CONTACT, ContactRole.GENERAL)],
    )
    async def test_a_contact_that_an_officer_takes_comes_last_among_those_that_are_told(
        self, told: Told, reference: str, role: ContactRole
    ) -> None:
        await told.answer(reference, kind="other_contact", name="Sam Example", email="sam@d1.example.org")
        assert "sam@d1.example.org" not in [contact.email for contact in contacts(told, reference)]
        (answer,) = told.answers()
        assert (await told.officer_sends(f"answers/{answer.id}/adopt")).status_code == 303
        of_role = [contact for contact in contacts(told, reference) if contact.role is role]
        assert (of_role[-1].email, of_role[-1].rank) == ("sam@d1.example.org", len(of_role) - 1)
        assert (await told.officer_sends(f"answers/{answer.id}/adopt")).status_code == 409
        assert len(told.evidence("contact_named", "contact_adopted")) == 2


def contacts(told: Told, reference: str) -> list[AgreementContact]:
    """The contacts of an agreement, as they are tried."""
    with told.installation.resources.database.reading() as session:
        return list(
            session.exec(
                select(AgreementContact)
                .join(Agreement, col(Agreement.id) == col(AgreementContact.agreement_id))
                .where(Agreement.reference == reference)
                .order_by(col(AgreementContact.rank))
            )
        )


class TestDocumentsForFamilies:
    async def test_it_gives_the_facts_that_the_lea_was_told(self, told: Told) -> None:
        advised, plain = [await told.text(f"{told.link(lea)}/facts") for lea in (WITH_ADVICE, "VA-001")]
        for page in (advised, plain):
            assert FACTS["description"] in page
        assert FACTS["protective_advice"] in advised
        assert FACTS["protective_advice"] not in plain
        assert FACTS["police_report_and_freeze"] in advised
        assert "Rhode Island Attorney General, consumer protection:" in advised, "that needs no finding out"

    async def test_it_names_the_employee_whom_parents_may_ask(self, told: Told) -> None:
        employee = told.installation.resources.settings.organisation.parents_contact
        page = await told.text(f"{told.link('IL-001')}/facts")
        assert f"{employee.name} {employee.email} {employee.phone}" in page

    async def test_what_no_notice_has_given_yet_is_not_in_it(self, told: Told) -> None:
        with told.installation.resources.database.writing() as session:
            notice = session.get_one(Notice, told.given.notices["VA-001"])
            notice.given = ["data_types"]
            session.add(notice)
        page = await told.text(f"{told.link('VA-001')}/facts")
        assert "Dates of birth" in page
        assert FACTS["description"] not in page

    async def test_a_list_of_students_is_for_its_own_lea(self, told: Told) -> None:
        assert (await told.add("students_involved", "IL-001")).status_code == 303
        assert "roster.csv" in await told.text(told.link("IL-001"))
        assert "roster.csv" not in await told.text(told.link("VA-001"))
        (document,) = documents(told)
        fetched = await told.visitor.http.post(f"{told.link('IL-001')}/documents/{document.id}")
        assert fetched.content == ROSTER
        assert fetched.headers["content-disposition"] == "attachment; filename*=UTF-8''roster.csv"
        stolen = await told.visitor.http.post(f"{told.link('VA-001')}/documents/{document.id}")
        assert stolen.status_code == 404
        (entry,) = told.evidence("document_fetched")
        assert entry.body["notice"] == str(told.given.notices["IL-001"])
        assert entry.artifacts == [document.content_sha256]

    async def test_no_mere_look_hands_it_out(self, told: Told) -> None:
        await told.add("students_involved", "IL-001")
        path = f"{told.link('IL-001')}/documents/{documents(told)[0].id}"
        looked = await told.visitor.get(path)
        assert (looked.status_code, looked.headers["location"]) == (303, told.link("IL-001"))
        assert told.evidence("document_fetched") == []

    @pytest.mark.parametrize(
        ("element", "agreement", "says"),
        [
            ("students_involved", "", "so it cannot be for all"),
            ("students_involved", "VA-001", "The terms ask for no document students_involved."),
            ("horoscope", "", "The terms ask for no document horoscope."),
            ("general", "ZZ-404", "The case touches no agreement ZZ-404."),
        ],
    )
    async def test_what_must_not_be_in_it_is_refused(self, told: Told, element: str, agreement: str, says: str) -> None:
        answer = await told.add(element, agreement)
        assert answer.status_code == 422
        assert says in html.unescape(answer.text)
        assert documents(told) == []

    async def test_material_for_all_is_for_all_until_it_is_withdrawn(self, told: Told) -> None:
        for _ in range(2):
            await told.add("general", "", "C:\\fakepath\\letter.txt")
        (document,) = documents(told)
        assert document.file_name == "letter.txt"
        path = f"{told.link('MO-001')}/documents/{document.id}"
        assert (await told.visitor.http.post(path)).content == ROSTER
        await told.officer_sends(f"documents/{document.id}/withdraw")
        assert (await told.visitor.http.post(path)).status_code == 404
        assert len(told.evidence("document_added", "document_withdrawn")) == 2


def documents(told: Told) -> list[CaseDocument]:
    """What the documents for families are."""
    with told.installation.resources.database.reading() as session:
        return list(session.exec(select(CaseDocument)))


class TestTheCasePage:
    async def test_it_counts_and_lists_who_has_not_acknowledged(self, told: Told) -> None:
        await told.answer("VA-001", kind="acknowledged")
        officer = await told.installation.officer()
        page = (await officer.get(f"/cases/{told.given.case_id}")).text
        answers = page[page.index('<section id="answers">') : page.index('<section id="documents">')]
        assert "1 of 12 given notices acknowledged" in answers
        assert "11 not acknowledged" in answers
        assert "Cascade Meadow" in answers
        assert "Blue Ridge" not in answers

    async def test_costs_are_added_up_with_their_receipts(self, told: Told) -> None:
        officer, case = await told.installation.officer(), f"/cases/{told.given.case_id}"
        page = (await officer.get(case)).text
        cost = {"cost_id": re.search(r'name="cost_id" value="([^"]+)"', page), "agreement": "NY-001"}
        assert cost["cost_id"]
        values = {**cost, "cost_id": cost["cost_id"][1], "amount": "1,250.00", "note": "Letters to families"}
        for _ in range(2):
            answer = await officer.http.post(
                f"{case}/costs",
                data={"form_token": re.search(r'name="form_token" value="(\w+)"', page)[1], **values},  # type: ignore[index]
                files={"receipt": ("invoice.pdf", b"%PDF-1.7")},
            )
            assert answer.status_code == 303
        page = (await officer.get(case)).text
        assert page.count("$1,250.00") == 3
        receipt = re.search(rf'href="({case}/costs/[^"]+/receipt)"', page)
        assert receipt
        assert (await officer.get(receipt[1])).content == b"%PDF-1.7"
        assert len(told.evidence("cost_recorded")) == 1

    async def test_a_cost_that_no_clause_puts_on_the_provider_is_refused_and_kept_on_the_form(self, told: Told) -> None:
        answer = await told.officer_sends(
            "costs", cost_id="0" * 32, agreement="OR-001", amount="12", note="Letters to families"
        )
        assert answer.status_code == 409
        assert "do not make the provider bear costs" in answer.text
        assert "Letters to families" in answer.text


async def test_a_contact_that_is_known_to_fail_is_shown_with_the_agreements(told: Told) -> None:
    database = told.installation.resources.database
    with database.writing() as session:
        contact = session.get_one(AgreementContact, contacts(told, "VA-001")[0].id)
        contact.failing_since = utc_now()
        session.add(contact)
    assert [row.reference for row in list_agreements(database) if row.failing] == ["VA-001"]
    assert "1 known to fail" in (await (await told.installation.officer()).get("/agreements?find=VA-001")).text
