"""Check your answers: what would follow is shown before anything is recorded, and nothing is sent because of a typo."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import httpx
import pytest
from sqlmodel import col, func, select

from ledger.actors import ENGINE
from models.tables import Case, EvidenceEntry
from queries.case_lists import list_cases
from queries.cases import read_case
from starter.resources import utc_now
from tests.support.incident_form import NOW, incident, opened, report, shows
from tests.support.installation import Installation, Visitor
from web import checking

YEAR_AGO = utc_now() - timedelta(days=366)


def recorded(installation: Installation) -> tuple[int, int]:
    """How many cases there are, and entries of evidence by people; the engine goes on with former cases meanwhile."""
    by_people = select(func.count()).select_from(EvidenceEntry).where(col(EvidenceEntry.actor) != ENGINE)
    with installation.resources.database.reading() as session:
        return session.exec(select(func.count()).select_from(Case)).one(), session.exec(by_people).one()


def unchecked(title: str, **changed: object) -> dict[str, object]:
    """The form as it comes from the first page."""
    return {name: value for name, value in incident(title, **changed).items() if name != "checked"}


def carried(page: httpx.Response) -> dict[str, list[str]]:
    """What the check page gives again."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text):
        found.setdefault(name, []).append(html.unescape(value))
    return found


async def again(officer: Visitor, to: str, page: httpx.Response, **changed: str) -> httpx.Response:
    """Press a button of the check page."""
    return await officer.http.post(to, data={**carried(page), "act": "open", **changed})


def said(page: httpx.Response) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


class TestAReport:
    async def test_is_shown_with_what_would_follow_and_nothing_is_recorded(
        self, installation: Installation, officer: Visitor
    ) -> None:
        before = recorded(installation)
        page = await report(officer, unchecked("Looked at first", confirmed_at=NOW))
        assert page.status_code == 200
        words = said(page)
        for expected in (
            "Check your answers",
            "Nothing is recorded yet, and nothing has been sent.",
            "Looked at first",
            "Lunch balances",
            "2 agreements are in the case; 3 notices would be drafted.",
            "America/New_York",
            "America/Chicago",
            "72 hours elapsed",
            "Blue Ridge Valley Public Schools",
            "when a person releases the notice, else by itself",
        ):
            assert expected in words, expected
        assert re.search(r"<strong>\w{3} \d+ \w{3} \d{4}, \d\d:\d\d(:\d\d)? E[SD]T</strong>", page.text)
        assert "overdue already" not in words
        assert recorded(installation) == before

    async def test_says_which_fact_a_clock_waits_for(self, officer: Visitor) -> None:
        words = said(await report(officer, unchecked("A suspicion", chosen="MO-001")))
        assert "Opened, without a clock yet: 1 duty. The clock has not started: no date is given for confirmed" in words

    async def test_with_many_due_instants_is_shown_a_page_at_a_time(
        self, installation: Installation, officer: Visitor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """18,000 agreements can have thousands: no page holds them all, and each can be looked at."""
        monkeypatch.setattr(checking, "LINES_SHOWN", 2)
        before = recorded(installation)
        page = await report(officer, unchecked("A page at a time", confirmed_at=NOW))
        assert "1–2 of 3, what is due soonest first" in said(page)
        further = await again(officer, "/cases/new/breach", page, act="look-2")
        assert further.status_code == 200
        assert "3–3 of 3" in said(further)
        lines = [re.findall(r'<h3>[^<]+<span class="faint">([^<]+)', one.text) for one in (page, further)]
        assert [len(some) for some in lines] == [2, 1]
        assert recorded(installation) == before, "looking at more of it records nothing"
        done = await again(officer, "/cases/new/breach", further)
        assert done.headers["location"].endswith("?done=opened#done")

    async def test_is_opened_by_the_button_with_everything_that_was_typed(self, officer: Visitor) -> None:
        page = await report(officer, unchecked("Carried along", description="Two lines,\nand <b>marks</b>."))
        done = await again(officer, "/cases/new/breach", page)
        assert done.status_code == 303
        case = await officer.get(done.headers["location"])
        assert "and <b>marks</b>." in html.unescape(case.text)
        assert "Lunch balances" in case.text

    async def test_can_be_changed_with_everything_kept(self, officer: Visitor, installation: Installation) -> None:
        before = recorded(installation)
        page = await report(officer, unchecked("Kept on the way back", discovered_at=NOW))
        form = await again(officer, "/cases/new/breach", page, act="change")
        assert form.status_code == 200
        for kept in (
            'value="Kept on the way back"',
            f'name="discovered_at" value="{NOW}"',
            'name="chosen" value="MO-001\nVA-001"',
            'value="Student names" checked',
            "Lunch balances",
            'value="robin@provider.example.org"',
            "<option selected>UTC</option>",
        ):
            assert kept in form.text, kept
        assert recorded(installation)[0] == before[0]

    async def test_of_a_mistyped_year_is_asked_about_and_mails_nobody(
        self, officer: Visitor, installation: Installation
    ) -> None:
        """The fault as it happened: a year mistyped by one had districts written to within a second."""
        year_ago = f"{YEAR_AGO:%Y-%m-%dT%H:%M}"
        typed = unchecked(
            "Mistyped by a year", occurred_kind="unknown", discovered_at=year_ago, reasonably_expected_at=year_ago
        )
        page = await report(officer, typed)
        words = said(page)
        assert "1 duty would be overdue already." in words
        assert "a year ago or more" in words
        assert 'name="dates_confirmed"' in page.text

        refused = await again(officer, "/cases/new/breach", page)
        assert refused.status_code == 422
        assert "Correct it, or confirm that it is meant." in refused.text
        assert "Mistyped by a year" not in _titles(installation)

        done = await again(officer, "/cases/new/breach", refused, dates_confirmed="yes")
        assert done.status_code == 303
        case = done.headers["location"].split("?")[0]
        page_of_case = await shows(officer, case, "waits for you")
        assert "1 duty is overdue." in page_of_case
        view = read_case(installation.resources.database, _id(case), utc_now())
        assert not [entry for entry in view.evidence if entry.kind in ("notice_released", "notice_given")]
        waiting = [duty for duty in view.duties if duty.overdue]
        assert len(waiting) == 1
        (first,) = (entry for entry in view.evidence if entry.kind == "case_opened")
        assert first.body["dates_confirmed"] == ["reasonably_expected long-ago", "discovered long-ago"]


class TestAnAct:
    async def test_that_confirms_is_shown_first(self, officer: Visitor, installation: Installation) -> None:
        case = await opened(officer, "Confirmed after a look", chosen="MO-001")
        await shows(officer, case, "not dated yet")
        before = recorded(installation)
        page = await _decide(officer, case, "confirm", {"confirmed_at": NOW, "zone": "UTC"})
        assert "The clock starts: 1 duty." in said(page)
        assert "1 district would be written to" in said(page)
        assert recorded(installation) == before
        done = await again(officer, f"{case}/acts/confirm", page)
        assert (done.status_code, done.headers["location"]) == (303, f"{case}?done=confirm#done")

    async def test_that_corrects_a_date_says_what_moves_and_keeps_it_on_the_way_back(self, officer: Visitor) -> None:
        case = await opened(officer, "Corrected after a look", chosen="MO-001", confirmed_at=NOW)
        await shows(officer, case, "Read and release")
        typed = {
            "name": "confirmed",
            "instant": f"{utc_now() - timedelta(days=3, hours=2):%Y-%m-%dT%H:%M}",
            "zone": "UTC",
            "reason": "The log says so.",
        }
        page = await _decide(officer, case, "date", typed)
        refused = said(page)
        assert "would be before the breach occurred" in refused
        assert page.status_code == 422

        earlier = {**typed, "instant": f"{utc_now() - timedelta(hours=12):%Y-%m-%dT%H:%M}"}
        page = await _decide(officer, case, "date", earlier)
        assert "The due date moves: 1 duty." in said(page)
        assert "As things stand, due" in said(page)
        back = await again(officer, f"{case}/acts/date", page, act="change")
        assert back.status_code == 200
        assert "The log says so." in back.text
        assert f'name="instant" value="{earlier["instant"]}"' in back.text

    async def test_that_adds_agreements_from_a_file_carries_them_along(self, officer: Visitor) -> None:
        case = await opened(officer, "Added after a look", chosen="MO-001", confirmed_at=NOW)
        await shows(officer, case, "Read and release")
        page = await officer.send(case, f"{case}/acts/add", {"state": ""}, ("more.csv", b"reference\nVT-001\n"))
        assert "2 agreements are in the case" in said(page)
        done = await again(officer, f"{case}/acts/add", page)
        assert done.status_code == 303
        assert "VT-001" in await shows(officer, case, "VT-001")

    async def test_sent_twice_from_the_check_page_is_done_once(
        self, officer: Visitor, installation: Installation
    ) -> None:
        case = await opened(officer, "Clicked twice", chosen="MO-001")
        await shows(officer, case, "not dated yet")
        form = await officer.get(case)
        name = re.search(r'name="sent_as" value="([\w-]+)"', form.text)
        assert name
        typed = {"confirmed_at": NOW, "zone": "UTC", "sent_as": name[1]}
        page = await _decide(officer, case, "confirm", typed)
        answers = await asyncio.gather(*(again(officer, f"{case}/acts/confirm", page) for _ in range(2)))
        assert {answer.status_code for answer in answers} == {303}
        view = read_case(installation.resources.database, _id(case), utc_now())
        assert [entry.kind for entry in view.evidence].count("act.confirm") == 1


class TestPrograms:
    REPORT: ClassVar[dict[str, object]] = {
        "title": "Asked by a program",
        "description": "Rosters were exported.",
        "data_types": ["Student names"],
        "occurred": {"kind": "unknown"},
        "discovered_at": NOW + "Z",
        "confirmed_at": NOW + "Z",
        "agreements": ["MO-001"],
        "reporter": {"name": "Robin Example", "email": "robin@provider.example.org"},
    }

    async def test_ask_first_with_a_dry_run(self, officer: Visitor, installation: Installation) -> None:
        before = recorded(installation)
        answer = await officer.http.post("/api/cases/new/breach?dry_run=true", json=self.REPORT)
        assert answer.status_code == 200
        foreseen = answer.json()["foreseen"]
        (line,) = (one for one in foreseen["duties"] if one["clause"] == "breach.notice")
        assert (line["change"], line["duties"], line["mailed"], line["overdue"]) == ("starts", 1, 1, False)
        assert line["told"][0]["reference"] == "MO-001"
        assert answer.json()["doubts"] == []
        assert recorded(installation) == before

    async def test_confirm_what_is_hardly_meant_explicitly(self, officer: Visitor) -> None:
        old = {**self.REPORT, "title": "Old", "discovered_at": YEAR_AGO.isoformat()}
        refused = await officer.http.post("/api/cases/new/breach", json=old)
        assert (refused.status_code, refused.json()["code"]) == (422, "doubtful-dates")
        assert [problem["where"] for problem in refused.json()["problems"]] == ["discovered_at"]
        done = await officer.http.post("/api/cases/new/breach?dates_confirmed=true", json=old)
        assert done.status_code == 201

    async def test_ask_first_of_an_act_too(self, officer: Visitor, installation: Installation) -> None:
        case = await opened(officer, "An act asked by a program", chosen="MO-001")
        await shows(officer, case, "not dated yet")
        before = recorded(installation)
        confirm = {"act": "confirm", "confirmed_at": utc_now().isoformat()}
        answer = await officer.http.post(f"/api{case}/acts?dry_run=true", json=confirm)
        assert [line["change"] for line in answer.json()["foreseen"]["duties"]] == ["starts"]
        assert recorded(installation) == before


async def _decide(officer: Visitor, case: str, act: str, values: Mapping[str, object]) -> httpx.Response:
    return await officer.send(case, f"{case}/acts/{act}", dict(values))


def _id(case: str) -> UUID:
    return UUID(case.rpartition("/")[2])


def _titles(installation: Installation) -> list[str]:
    cases = list_cases(installation.resources.database, utc_now(), limit=1_000).items
    return [case.title for case in cases]
