"""The auditor's search over duties: each proof that a row names opens, and the file keeps the reasons."""

from __future__ import annotations

import csv
import html
import io
import re
from uuid import UUID

from sqlmodel import select

from models.enums import Role
from models.tables import Agreement
from tests.support.given_notices import Told
from tests.support.incident_form import NOW, opened, shows
from tests.support.installation import Installation, Visitor

DISTRICT = "NH-001"
"""One whose duties no other test of these pages makes many of."""


def row_of(page: str, case: str) -> str:
    """The first row that is about a case."""
    rows: list[str] = re.findall(r"<tbody.*?</tbody>", page, re.S)
    return next(row for row in rows if f'href="{case}"' in row)


async def released(officer: Visitor, title: str) -> str:
    """A case whose one notice was released."""
    case = await opened(officer, title, chosen=DISTRICT, confirmed_at=NOW)
    await shows(officer, case, "Read and release")
    assert (await officer.send(case, f"{case}/drafts/release", {"unread": "yes"})).status_code == 303
    return case


async def test_every_proof_that_a_row_names_is_opened_by_an_auditor(
    installation: Installation, officer: Visitor
) -> None:
    case = await released(officer, "Given and proved")
    auditor = await installation.officer("ada", Role.AUDITOR)
    found = await shows(auditor, f"/duties?district={DISTRICT}&clause=breach.notice&met=on_time", f'href="{case}"')
    row = row_of(found, case)
    proofs = dict(re.findall(r'<li><a href="([^"]+)">([^<]+)</a></li>', row))
    assert [re.sub(r"\d+", "N", says) for says in proofs.values()] == [
        "why, and all that was done",
        "notice as sent",
        "entry N: notice given",
    ]
    assert "Confirmed" in row, "the reasons are on the page"
    for link in proofs:
        address, _, place = link.partition("#")
        page = await auditor.get(address)
        assert page.status_code == 200, link
        assert not place or f'id="{place}"' in page.text, link


async def test_one_duty_of_a_case_is_shown_by_itself(told: Told) -> None:
    officer = await told.installation.officer()
    found = (await officer.get("/api/duties?agreement=VT-001")).json()["items"]
    (duty,) = found
    page = (await officer.get(f"/cases/{duty['case_id']}?duty={duty['id']}")).text
    assert page.count('<tbody id="duty-') == 1
    assert "Show all duties" in page
    other = (await officer.get(f"/cases/{duty['case_id']}?duty={UUID(int=0)}")).text
    assert "This case has no such duty." in other


async def test_the_search_says_what_it_found_and_what_cannot_be_searched_for(told: Told) -> None:
    auditor = await told.installation.officer("ada", Role.AUDITOR)
    assert "12 duties" in (await auditor.get("/duties")).text
    assert "1 duty" in (await auditor.get("/duties?district=maple")).text
    nothing = (await auditor.get("/duties?met=late")).text
    assert "No duty is such a one." in nothing
    assert 'href="/duties"' in nothing
    for wrong in ("from=yesterday", "from=2026-03-02&to=2026-03-01", "after=nowhere"):
        page = await auditor.get(f"/duties?{wrong}")
        assert page.status_code == 422, wrong
        assert "This cannot be searched for" in page.text
    assert 'value="yesterday"' in (await auditor.get("/duties?from=yesterday")).text
    assert (await auditor.get("/api/duties?after=nowhere")).status_code == 422


async def test_a_new_installation_says_that_nothing_was_due_yet(fresh: Installation) -> None:
    assert "No case has set a duty yet." in (await (await fresh.officer()).get("/duties")).text


async def test_the_file_has_every_duty_with_its_reasons_and_no_formula(told: Told) -> None:
    with told.installation.resources.database.writing() as session:
        agreement = session.exec(select(Agreement).where(Agreement.reference == "VT-001")).one()
        agreement.lea_name = "=cmd|' /C calc'!A0"
    auditor = await told.installation.officer("ada", Role.AUDITOR)
    answer = await auditor.get("/duties.csv?clause=breach.notice")
    assert answer.headers["content-disposition"] == 'attachment; filename="duties.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 12
    assert all("72 hours" in row["why"] or "hours" in row["why"] for row in rows)
    (odd,) = (row for row in rows if row["agreement"] == "VT-001")
    assert odd["lea"].startswith("'=")
    assert "/cases/" in odd["proofs"]


async def test_an_approver_searches_and_takes_no_file_away(told: Told) -> None:
    approver = await told.installation.officer("sam", Role.APPROVER)
    page = await approver.get("/duties")
    assert "12 duties" in page.text
    assert "CSV" not in page.text
    assert (await approver.get("/duties.csv")).status_code == 403


async def test_an_agreement_shows_its_figures_as_a_picture_and_as_a_table(told: Told) -> None:
    auditor = await told.installation.officer("ada", Role.AUDITOR)
    found = (await auditor.get("/api/duties?agreement=VT-001")).json()["items"][0]
    page = (await auditor.get(f"/agreements/{found['agreement_id']}")).text
    assert 'role="img" aria-label="Notify the LEA of a confirmed breach: 1 on time"' in page
    leads = re.search(r'href="(/duties\?[^"]+met=on_time)">1</a>', page)
    assert leads
    assert "1 duty" in (await auditor.get(html.unescape(leads[1]))).text
    figures = (await auditor.get(f"/api/agreements/{found['agreement_id']}/figures")).json()
    assert figures["clauses"][0]["met"]["on_time"] == 1
    assert (await auditor.get(f"/api/agreements/{UUID(int=0)}/figures")).status_code == 404
