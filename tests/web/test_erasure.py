"""Erasing a case on its pages: proposed and approved by two, and every page of what was erased says so."""

from __future__ import annotations

import html
import re

import pytest
from sqlmodel import col, select, update

from mail.links import LINK_PURPOSE, notice_token
from models.columns import ERASED
from models.enums import Role
from models.identifiers import case_reference
from models.tables import Case, CaseErasure, Delivery, Notice, Proposal
from starter.resources import utc_now
from terms.retention import years_after
from tests.support.case_in_sql import CaseInSql
from tests.support.erasable import DEFAULTS, closed_breach
from tests.support.installation import Installation, Visitor


@pytest.fixture
def case(fresh: Installation) -> CaseInSql:
    """A closed breach whose time is over by the clock of the pages."""
    found = closed_breach(fresh.resources.database)
    with found.database.writing() as session:
        long_ago = years_after(utc_now(), -DEFAULTS.retention_years - 1)
        session.execute(update(Case).where(col(Case.id) == found.id).values(closed_at=long_ago))
    return found


def words(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


async def propose(officer: Visitor, case: CaseInSql) -> str:
    """Propose it; return the address of the proposal."""
    page = f"/cases/{case.id}/erasure"
    assert (await officer.send(page, page, {"reason": "Its time is over."})).status_code == 303
    with case.database.reading() as session:
        return f"{page}/{session.exec(select(CaseErasure.id)).one()}"


async def test_two_people_erase_it_and_every_page_says_so(fresh: Installation, case: CaseInSql) -> None:
    officer, approver = await fresh.officer(), await fresh.officer("second", Role.APPROVER)
    auditor = await fresh.officer("ada", Role.AUDITOR)
    page = f"/cases/{case.id}/erasure"
    assert (await officer.send(page, page, {"reason": " "})).status_code == 422
    proposal = await propose(officer, case)
    assert "proposes to erase" in (await approver.get(f"/cases/{case.id}")).text
    assert (await officer.send(page, f"{proposal}/approve", {})).status_code == 403
    assert (await approver.send(page, f"{proposal}/approve", {})).status_code == 303
    shown = words((await auditor.get(f"/cases/{case.id}")).text)
    assert "The personal data of this case was erased" in shown
    assert "by second, as officer proposed" in shown
    assert ERASED in shown
    with case.database.reading() as session:
        notice = session.exec(select(Notice.id).where(col(Notice.given_at).is_not(None))).one()
        sent = session.exec(select(Delivery.message_sha256)).first()
        declined = session.exec(select(Proposal.id)).first()
    link = notice_token(fresh.resources.keyring.derive(LINK_PURPOSE), notice, 1)
    own = f"/cases/{case.id}"
    for path in (
        page,
        f"{own}/proposals/{declined}",
        f"{own}/drafts",
        f"{own}/notices/{notice}/link",
        "/",
        "/retention",
    ):
        assert (await auditor.get(path)).status_code == 200, path
    for path in ("", "/head", "/cohorts", "/duties", "/answers", "/evidence", "/readings", f"/proposals/{declined}"):
        assert (await auditor.get(f"/api{own}{path}")).status_code == 200, path
    for path in (f"{own}/messages/{sent}", f"{own}/messages/{sent}.eml"):
        gone = await auditor.get(path)
        assert gone.status_code == 410, path
        assert "was erased on" in gone.text
    assert (await fresh.visitor().get(f"/n/{link}")).status_code < 500


async def test_who_proposed_it_or_a_second_person_can_decline(fresh: Installation, case: CaseInSql) -> None:
    officer = await fresh.officer()
    page, proposal = f"/cases/{case.id}/erasure", await propose(officer, case)
    auditor = await fresh.officer("bea", Role.AUDITOR)
    assert "Approve" not in (await auditor.get(page)).text
    assert (await officer.send(page, f"{proposal}/decline", {})).status_code == 303
    shown = words((await officer.get(page)).text)
    assert "Declined before" in shown
    assert "Propose it" in shown
    assert ERASED not in shown


async def test_the_page_says_how_long_cases_are_kept_and_which_may_be_erased(
    fresh: Installation, case: CaseInSql
) -> None:
    auditor = await fresh.officer("cleo", Role.AUDITOR)
    shown = words((await auditor.get("/retention")).text)
    assert "Mo. Rev. Stat. § 407.1500.2(5)" in shown
    assert "No clause and no law: a default ( retention_years )" in shown
    assert case_reference(case.id) in shown
    with case.database.writing() as session:
        session.execute(update(Case).values(closed_at=utc_now()))
    assert "None: no case was closed more than 6 years ago" in words((await auditor.get("/retention")).text)
    refused = words((await auditor.get(f"/cases/{case.id}/erasure")).text)
    assert "It cannot be erased now." in refused
    assert "The case has to be kept until" in refused
