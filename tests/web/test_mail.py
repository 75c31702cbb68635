"""The page that says how mail goes on the whole, and on which a pause is ended."""

from __future__ import annotations

from models.enums import Role
from starter.resources import utc_now
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
