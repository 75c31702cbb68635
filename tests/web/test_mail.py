"""The page that says how mail goes on the whole, and on which a pause is ended."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from mail.handover import Rejected
from models.enums import Role
from records.holder_mail import prepare_letters
from records.sent_mail import MailToSend, begin_mail, settle_mail
from starter.resources import utc_now
from tests.support.directives import HOSTING, open_directive
from tests.support.installation import Installation
from tests.support.mail_trouble import pause, resumed_by


async def test_where_nothing_is_amiss_it_says_so(fresh: Installation) -> None:
    officer = await fresh.officer()
    page = await officer.get("/mail")
    assert "Mail leaves as it should." in page.text
    assert "let mail go on" not in page.text
    assert (await officer.get("/api/mail")).json()["paused_at"] is None


async def test_a_pause_is_shown_with_what_was_refused_and_ended_by_an_officer_once(fresh: Installation) -> None:
    database = fresh.resources.database
    pause(database, utc_now())
    officer = await fresh.officer()
    page = (await officer.get("/mail")).text
    assert "6 refusals in one batch had the same answer (550 5.7.1)" in page
    assert "no contact is held to have refused" in page
    assert (await officer.get("/api/mail")).json()["refused_code"] == 550

    done = await officer.send("/mail", "/mail/resume", {})
    assert (done.status_code, done.headers["location"]) == (303, "/mail?done=1")
    assert "Mail goes on" in (await officer.get("/mail?done=1")).text
    assert resumed_by(database) == ["officer"]

    again = await officer.send("/account", "/mail/resume", {})
    assert again.status_code == 409
    assert "Mail is not paused." in again.text
    assert resumed_by(database) == ["officer"]


async def test_who_only_reads_sees_the_pause_and_cannot_end_it(fresh: Installation) -> None:
    pause(fresh.resources.database, utc_now())
    auditor = await fresh.officer("reader", Role.AUDITOR)
    page = (await auditor.get("/mail")).text
    assert "Mail is paused" in page
    assert "let mail go on" not in page
    assert (await auditor.send("/account", "/mail/resume", {})).status_code == 403
    assert resumed_by(fresh.resources.database) == []


async def test_each_mail_is_shown_with_sample_facts(fresh: Installation) -> None:
    reader = await fresh.officer("reader", Role.AUDITOR)
    page = (await reader.get("/mail/templates")).text
    assert '<a href="/mail/templates/people/reminder">people/reminder</a>' in page
    assert "Notices wait for a release." in page
    assert {"name": "people/reminder", "about": "Notices wait for a release.", "own": False} in (
        await reader.get("/api/mail/templates")
    ).json()
    shown = (await reader.get("/mail/templates/people/reminder")).text
    assert "2,012 notices of case B-7F3K wait for release" in shown
    assert "By other ways: Case B-7F3K:" in shown
    assert "NOTICE OF A DATA BREACH" in (await reader.get("/mail/templates/clauses/breach.notice")).text
    assert (await reader.get("/mail/templates/people/nobody")).status_code == 404


async def test_mail_that_did_not_arrive_stands_with_the_holder_of_data_and_on_the_page_of_mail(
    fresh: Installation,
) -> None:
    database, now = fresh.resources.database, utc_now()
    case = open_directive(database, HOSTING, now=now, disposal_requested=now.date())
    with database.writing() as session:
        (letter,) = prepare_letters(session, case.writer, case.id, case.policy, now)
    terms = MailToSend(uuid4(), "people/terms", "robin@provider.example.org", b"Hello", who="robin")
    for mail in (letter.mail, terms):
        with database.writing() as session:
            begin_mail(session, mail, now, timedelta(hours=1))
            settle_mail(session, mail, Rejected(550, "5.1.1 No such user"), now)
    officer = await fresh.officer()
    page = (await officer.get(f"/cases/{case.id}")).text
    assert "Mail does not reach it since" in page
    assert "Mail that did not arrive" in page
    assert f"{HOSTING}: A holder is asked to dispose of data, and to certify that." in page
    assert "5.1.1 No such user" in page
    shown = (await officer.get("/mail")).text
    assert "robin: Terms end soon." in shown
    assert HOSTING not in shown
    assert "1 holder of data cannot be reached by mail." in (await officer.get("/")).text
