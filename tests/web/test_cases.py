"""A case's page: what is due and why, what an officer can do about it, and what was sent."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta
from email import message_from_bytes
from typing import ClassVar
from uuid import UUID, uuid4

import httpx
from sqlmodel import select

from models.tables import Batch
from starter.resources import utc_now
from tests.support.incident_form import NOW, opened, shows
from tests.support.installation import Installation, Visitor, demo_agreements


async def confirm(officer: Visitor, case: str, confirmed_at: str, zone: str = "UTC") -> httpx.Response:
    return await officer.send(
        case, f"{case}/acts/confirm", {"confirmed_at": confirmed_at, "zone": zone, "checked": "yes"}
    )


class TestBeforeAnythingHappened:
    async def test_the_first_page_says_to_import_agreements_first(self, fresh: Installation) -> None:
        page = (await (await fresh.officer()).get("/")).text
        assert "duenotice agreements import FILE.csv" in page
        assert 'type="file"' in page

    async def test_with_agreements_it_says_to_report(self, fresh: Installation) -> None:
        officer = await fresh.officer()
        await officer.send("/agreements", "/agreements", {}, ("demo.csv", demo_agreements().encode()))
        page = (await officer.get("/")).text
        assert "Nothing is due" in page
        assert "duenotice agreements import" not in page


class TestOneCase:
    async def test_a_suspicion_dates_only_what_counts_from_it_and_says_why(self, officer: Visitor) -> None:
        case = await opened(officer, "Suspected", reasonably_expected_at=NOW)
        page = await shows(officer, case, "Why this date")
        assert "breach.initial-notice" in page
        assert "Virginia" in page
        assert "not dated yet" in page
        assert re.search(r'data-due="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"', page)

    async def test_a_due_instant_is_shown_by_the_lea_s_clock_and_in_utc(self, officer: Visitor) -> None:
        case = await opened(officer, "Two clocks", chosen="VA-001", reasonably_expected_at=NOW)
        page = await shows(officer, case, "Why this date")
        due = datetime.fromisoformat(NOW) + timedelta(days=1)
        assert re.search(r"<strong>\w{3} \d+ \w{3} \d{4}, \d\d:\d\d E[SD]T</strong>", page)
        assert re.search(rf"<span class=\"faint\">\w{{3}} {due.day} .* UTC</span>", page)

    async def test_a_suspicion_without_an_expectation_is_asked_for_one_before_anything_else(
        self, officer: Visitor
    ) -> None:
        case = await opened(officer, "Since when", chosen="VA-001")
        page = await shows(officer, case, "Reasonably expected since when?")
        assert page.index("since when?") < page.index("not dated yet")
        fields: dict[str, object] = {
            "name": "reasonably_expected",
            "instant": NOW,
            "zone": "UTC",
            "checked": "yes",
        }
        assert (await officer.send(case, f"{case}/acts/date", fields)).status_code == 303
        page = await shows(officer, case, "Why this date")
        assert "since when?" not in page

    async def test_not_yet_is_a_decision_with_a_name_and_a_time(self, officer: Visitor) -> None:
        case = await opened(officer, "Not yet", chosen="VA-001")
        await shows(officer, case, "Reasonably expected since when?")
        fields: dict[str, object] = {
            "name": "reasonably_expected",
            "decided": "",
            "again_at": "2099-01-01T09:00",
            "zone": "UTC",
        }
        refused = await officer.send(case, f"{case}/acts/not-yet", fields)
        assert (refused.status_code, "It is empty." in refused.text) == (422, True)
        decided: dict[str, object] = fields | {"decided": "The security lead: a test account."}
        assert (await officer.send(case, f"{case}/acts/not-yet", decided)).status_code == 303
        page = await shows(officer, case, "Decided: not reasonably expected.")
        assert "The security lead: a test account." in page
        assert "since when?" not in page

    async def test_confirming_starts_the_clocks(self, officer: Visitor) -> None:
        case = await opened(officer, "Confirmed later", chosen="MO-001")
        await shows(officer, case, "not dated yet")
        answer = await confirm(officer, case, NOW)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{case}?done=confirm#done")
        page = await shows(officer, case, "2 d 23 h left")
        assert "Confirm the breach…" not in page

    async def test_confirming_without_sense_is_refused_with_what_was_typed(self, officer: Visitor) -> None:
        case = await opened(officer, "Refusals", chosen="MO-001")
        await shows(officer, case, "breach.notice")
        for typed, zone, says in (
            ("", "UTC", "<strong>Confirmed at:</strong></a> It is empty."),
            (NOW, "", "The times have no time zone"),
            ("2099-01-01T00:00", "UTC", "in the future"),
            ("2001-01-01T00:00", "UTC", "before the breach occurred"),
        ):
            answer = await confirm(officer, case, typed, zone)
            assert answer.status_code == 422, typed
            assert says in html.unescape(answer.text)
            assert f'name="confirmed_at" value="{typed}"' in answer.text

    async def test_confirming_twice_is_refused(self, officer: Visitor) -> None:
        case = await opened(officer, "Confirmed twice", chosen="MO-001")
        await shows(officer, case, "breach.notice")
        await confirm(officer, case, NOW)
        again = await confirm(officer, case, NOW)
        assert again.status_code == 409
        assert "Nothing was changed" in again.text

    async def test_released_notices_leave_and_can_be_read_as_sent(self, officer: Visitor) -> None:
        case = await opened(officer, "Released", chosen="IL-001")
        await shows(officer, case, "breach.notice")
        await confirm(officer, case, NOW)
        await shows(officer, case, "Read and release 1 waiting notice")
        answer = await officer.send(case, f"{case}/acts/release", {"unread": "yes"})
        assert answer.headers["location"] == f"{case}?done=release#done"
        page = await shows(officer, case, "on time")
        assert "released by officer" in page
        assert "Not yet known" in page

        link = re.search(rf'href="({case}/messages/[0-9a-f]{{64}})"', page)
        assert link
        mail = await officer.get(link[1])
        assert "Cc" in mail.text or "To" in mail.text
        assert re.search(r'<iframe [^>]*sandbox=""\s+srcdoc="&lt;', mail.text)
        assert "script-src" not in mail.headers["content-security-policy"]
        stored = await officer.get(f"{link[1]}.eml")
        assert stored.headers["content-type"] == "message/rfc822"
        assert message_from_bytes(stored.content)["Message-ID"]

        nothing_left = await officer.send(case, f"{case}/acts/release", {"unread": "yes"})
        assert nothing_left.status_code == 409

    async def test_a_mail_server_that_is_down_is_said_so(self, officer: Visitor, installation: Installation) -> None:
        case = await opened(officer, "Mail server down", chosen="MO-001", confirmed_at=NOW)
        await shows(officer, case, "Read and release 1 waiting notice")
        with installation.resources.database.writing() as session:
            batch = session.exec(select(Batch).where(Batch.case_id == UUID(case.rpartition("/")[2]))).one()
            batch.trouble, batch.trouble_since = "mail-server-unavailable", utc_now()
        page = await shows(officer, case, "The mail server does not take mail")
        assert "1 notice waits" in page

    async def test_a_mail_is_shown_only_in_its_own_case(self, officer: Visitor) -> None:
        case = await opened(officer, "No mail")
        assert (await officer.get(f"{case}/messages/{'0' * 64}")).status_code == 404

    async def test_the_evidence_is_in_order_with_its_hashes(self, officer: Visitor) -> None:
        case = await opened(officer, "Evidenced", chosen="MO-001")
        page = await shows(officer, case, "duty computed")
        evidence = page[page.index('id="evidence"') : page.index('id="readings"')]
        numbers = [
            int(number) for number in re.findall(r'<tr id="entry-\d+">\s*<td class="number">(\d+)</td>', evidence)
        ]
        assert numbers == sorted(numbers)
        assert len(re.findall(r"Hash <code>[0-9a-f]{64}</code>", evidence)) == len(numbers)

    async def test_a_cohort_can_be_looked_at_alone(self, officer: Visitor) -> None:
        case = await opened(officer, "Cohorts", chosen="VA-001\nMO-001", reasonably_expected_at=NOW)
        await shows(officer, case, "breach.initial-notice")
        page = (await officer.get(f"{case}?cohort=breach.notice@pending")).text
        listed = page[page.index('class="board duties"') : page.index('id="evidence"')]
        assert listed.count('<tbody id="duty-') == 2
        assert "breach.initial-notice" not in listed

    async def test_what_is_due_next_leads_the_list(self, officer: Visitor) -> None:
        case = await opened(officer, "Listed", chosen="MO-001", confirmed_at=NOW)
        page = await shows(officer, "/", "Listed")
        assert f'href="{case}"' in page


class TestForPrograms:
    REPORT: ClassVar = {
        "title": "Posted by a program",
        "occurred": {"kind": "unknown"},
        "discovered_at": f"{utc_now().isoformat()}",
        "description": "An export that nobody asked for.",
        "data_types": ["Student names"],
        "agreements": ["MO-001"],
        "reporter": {"name": "Robin Example", "email": "robin@provider.example.org"},
        "point_of_contact": {"name": "Privacy Office", "email": "privacy@provider.example.org"},
    }

    async def test_a_report_is_created_once(self, officer: Visitor) -> None:
        first = await officer.http.post("/api/cases/new/breach", json=self.REPORT)
        second = await officer.http.post("/api/cases/new/breach", json=self.REPORT)
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json()["case_id"] == second.json()["case_id"]
        case = await officer.get(first.headers["location"])
        assert case.json()["title"] == "Posted by a program"
        assert first.json()["case_id"] in [
            row["id"] for row in (await officer.get("/api/cases?limit=1000")).json()["items"]
        ]

    async def test_a_confirmation_answers_how_the_case_stands(self, officer: Visitor) -> None:
        reported = await officer.http.post("/api/cases/new/breach", json={**self.REPORT, "title": "To be confirmed"})
        path = f"/api/cases/{reported.json()['case_id']}/acts"
        confirmation = {"act": "confirm", "confirmed_at": utc_now().isoformat()}
        again = {"Idempotency-Key": str(uuid4())}
        for _ in range(2):
            answer = await officer.http.post(path, json=confirmation, headers=again)
            assert answer.status_code == 200, "the same request is done once, however often it is sent"
            assert answer.json()["summary"]["open_duties"] == 1

    async def test_every_problem_names_its_field(self, officer: Visitor) -> None:
        answer = await officer.http.post("/api/cases/new/breach", json={**self.REPORT, "title": "", "extra": 1})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-fields")
        assert {problem["where"] for problem in answer.json()["problems"]} == {"title", "extra"}

    async def test_a_time_without_a_zone_is_refused(self, officer: Visitor) -> None:
        answer = await officer.http.post(
            "/api/cases/new/breach", json={**self.REPORT, "discovered_at": "2026-03-07T10:00"}
        )
        assert answer.status_code == 422
        assert "The time has no zone, so it names no instant." in answer.text

    async def test_a_case_that_is_not_there_is_not_found(self, officer: Visitor) -> None:
        answer = await officer.get(f"/api/cases/{uuid4()}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
