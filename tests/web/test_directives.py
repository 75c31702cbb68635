"""Entering a directive on its page: the signed file, the due date with its reasons, and what the form refuses."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from sqlmodel import select

from agreements.importing import import_agreements
from agreements.subprocessors import import_subprocessors
from ledger.artifacts import fetch
from models.tables import Case, EvidenceEntry
from starter.resources import utc_now
from tests.support.installation import Installation, Visitor, demo_agreements, form_token

PAGE = "/cases/new/disposition"
SIGNED = b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\n"


@pytest.fixture
async def officer(fresh: Installation) -> Visitor:
    resources = fresh.resources
    import_agreements(
        resources.database,
        resources.catalogue,
        demo_agreements(),
        file_name="agreements.csv",
        now=utc_now() - timedelta(days=1),
        actor="officer",
    )
    return await fresh.officer()


def typed(**changed: str) -> dict[str, str]:
    return {
        "act": "open",
        "title": "Directive of June",
        "extent": "complete",
        "nature": "destruction",
        "schedule": "as-soon-as-practicable",
        "disposal_requested": f"{utc_now():%Y-%m-%d}",
        "representative_name": "Somebody Else",
        "representative_email": "somebody@example.org",
        "chosen": "IL-001",
        **changed,
    }


async def test_the_signed_file_and_the_due_date_are_checked_before_anything_is_recorded(
    fresh: Installation, officer: Visitor
) -> None:
    token = form_token(await officer.get(PAGE))
    files = {"signed_file": ("directive.pdf", SIGNED, "application/pdf")}
    checked = await officer.http.post(PAGE, data={"form_token": token, **typed()}, files=files)
    assert "Choose all" not in (await officer.get(PAGE)).text, "a directive is for one agreement"
    page = html.unescape(checked.text)
    assert "Check your answers" in page
    assert "As soon as practicable" in page, "what was chosen is said as it was offered"
    assert "as-soon-as-practicable" not in re.sub(r"<input[^>]*>", "", page)
    assert "a file, SHA-256" in page
    assert "30 calendar days" in page
    assert cases(fresh) == []
    kept = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', checked.text))
    opened = await officer.http.post(PAGE, data={**kept, "act": "open"})
    assert opened.status_code == 303, opened.text
    with fresh.resources.database.reading() as session:
        entry = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "case_opened")).one()
        assert SIGNED in [fetch(session, sha256) for sha256 in entry.artifacts]
    page = (await officer.get(opened.headers["location"])).text
    for words in ("Accept the directive", "Refuse the directive"):
        assert words in page, "nobody designated signed it"
    for words in ("Add agreements…", "Documents for families"):
        assert words not in page, "a directive is about one agreement, and nothing that families are told"
    assert await refusal(officer, typed(title="Once more")) == "is about a directive for the same data already"


async def test_who_is_mailed_at_once_is_named_before(fresh: Installation, officer: Visitor) -> None:
    listed = "agreement,name,email,data\n,Example Hosting LLC,privacy@hosting.example.org,Rosters\n"
    import_subprocessors(
        fresh.resources.database, listed, file_name="subprocessors.csv", now=utc_now(), actor="officer"
    )
    unsigned = html.unescape((await officer.send(PAGE, PAGE, dict(typed()))).text)
    assert "no notice would be drafted" in unsigned
    assert "Example Hosting LLC" not in unsigned, "nobody designated signed it, so an officer accepts it first"
    signed = typed(representative_email="office@prairieglen.example.org")
    page = html.unescape((await officer.send(PAGE, PAGE, dict(signed))).text)
    assert "1 holder of the data is written to as soon as this is recorded" in page
    assert "Example Hosting LLC <privacy@hosting.example.org>" in page


async def refusal(officer: Visitor, values: dict[str, str]) -> str:
    answer = await officer.send(PAGE, PAGE, dict(values))
    assert answer.status_code == 422
    found = re.search(r"Case \w{8} (is about a directive for the same data already)", answer.text)
    assert found, answer.text
    return found[1]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"extent": "partial"}, "no category is given"),
        ({"nature": "transfer"}, "no site is given"),
        ({"schedule": "standard-schedule"}, "does not have this"),
        ({"disposal_requested": ""}, "It is empty."),
    ],
)
async def test_what_it_cannot_be_is_said_at_its_field(officer: Visitor, changed: dict[str, str], says: str) -> None:
    answer = await officer.send(PAGE, PAGE, dict(typed(**changed)))
    assert answer.status_code == 422
    assert says in html.unescape(answer.text)


def cases(fresh: Installation) -> list[Case]:
    with fresh.resources.database.reading() as session:
        return list(session.exec(select(Case)))
