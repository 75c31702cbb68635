"""A change of control on its pages and behind its links: reported with its PDF, and answered by each LEA."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from datetime import timedelta

import pytest
from sqlmodel import col, select

from agreements.importing import import_agreements
from ledger.artifacts import fetch
from mail.links import LINK_PURPOSE, notice_token
from models.enums import AnswerKind
from models.identifiers import sha256_hex
from models.tables import Agreement, Answer, Duty, EvidenceEntry, Notice
from starter.resources import utc_now
from tests.support.case_in_sql import CaseInSql
from tests.support.given_notices import give_notices
from tests.support.installation import Installation, Visitor, demo_agreements, form_token
from tests.support.signed_pdfs import altered, plain_pdf, signed_pdf
from tests.support.successors import evidence, open_report, report, send_all

PAGE = "/cases/new/successor"
V1, V2 = "IL-001", "OR-001"
DISAPPROVES = {
    "kind": "terminates",
    "name": "Sam Example, Superintendent",
    "email": "sam@d1.example.org",
    "ground": "disapproves",
    "attested": "yes",
}


@pytest.fixture
def known(fresh: Installation) -> Installation:
    resources = fresh.resources
    import_agreements(
        resources.database,
        resources.catalogue,
        demo_agreements(),
        file_name="agreements.csv",
        now=utc_now() - timedelta(days=1),
        actor="officer",
    )
    return fresh


@pytest.fixture
def told(known: Installation) -> CaseInSql:
    """A case whose every LEA was told."""
    now = utc_now()
    case = open_report(known.resources.database, report(closing=now.date() - timedelta(days=9)), now)
    send_all(case)
    return case


def link(known: Installation, case: CaseInSql, reference: str) -> str:
    with known.resources.database.reading() as session:
        notice = session.exec(
            select(Notice.id)
            .join(Duty, col(Duty.id) == col(Notice.duty_id))
            .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
            .where(Notice.case_id == case.id, Agreement.reference == reference)
        ).one()
    return f"/n/{notice_token(known.resources.keyring.derive(LINK_PURPOSE), notice, 1)}"


def terminated(known: Installation, reference: str) -> bool:
    with known.resources.database.reading() as session:
        found = session.exec(select(Agreement).where(Agreement.reference == reference)).one()
        return found.terminated_on is not None


def kinds(known: Installation) -> list[AnswerKind]:
    with known.resources.database.reading() as session:
        return [answer.kind for answer in session.exec(select(Answer).order_by(col(Answer.given_at)))]


def words(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


async def test_the_page_offers_the_grounds_of_its_own_agreement_and_no_acknowledgement(
    known: Installation, told: CaseInSql
) -> None:
    visitor = known.visitor()
    pages = {reference: words((await visitor.get(link(known, told, reference))).text) for reference in (V1, V2)}
    assert "We disapprove of the successor." in pages[V1]
    assert "would violate our policies" not in pages[V1]
    assert "would violate our policies, or state or federal law." in pages[V2]
    for page in pages.values():
        assert "Acknowledge this notice" not in page
        assert "For telling families" not in page
        assert "Signed assurance that the successor assumes the obligations: assurance.pdf" in page


async def test_the_assurance_is_fetched_by_the_link(known: Installation, told: CaseInSql) -> None:
    visitor, path = known.visitor(), link(known, told, V1)
    found = re.search(r'action="(/n/[^"]+/documents/[^"]+)"', (await visitor.get(path)).text)
    assert found
    answer = await visitor.http.post(found[1])
    assert (answer.headers["content-type"], answer.content) == ("application/pdf", signed_pdf())


async def test_no_objection_is_kept_once_and_shown(known: Installation, told: CaseInSql) -> None:
    visitor, path = known.visitor(), link(known, told, V1)
    for _ in range(2):
        answer = await visitor.http.post(path, data={"kind": "no_objection", "name": "Sam Example"})
        assert answer.status_code == 303
    assert kinds(known) == [AnswerKind.NO_OBJECTION]
    assert "that you do not object" in words((await visitor.get(path)).text)
    officer = await known.officer()
    page = words((await officer.get(f"/cases/{told.id}")).text)
    assert "1 got no objection, 0 ended the agreement" in page
    assert "Silence is noted 30 days after the notice. No clause gives that time" in page


async def test_a_termination_ends_the_agreement_and_nothing_can_be_said_after_it(
    known: Installation, told: CaseInSql
) -> None:
    visitor, path = known.visitor(), link(known, told, V1)
    assert (await visitor.http.post(path, data=DISAPPROVES)).status_code == 303
    assert terminated(known, V1)
    assert not terminated(known, V2)
    assert "You terminated the agreement" in words((await visitor.get(path)).text)
    later = await visitor.http.post(path, data={"kind": "no_objection", "name": "Somebody Else"})
    assert later.status_code == 409
    assert kinds(known) == [AnswerKind.TERMINATES]
    officer = await known.officer()
    page = words((await officer.get(f"/cases/{told.id}")).text)
    assert "Sam Example, Superintendent <sam@d1.example.org>" in page
    assert "We disapprove of the successor." in page


async def test_a_termination_has_effect_from_the_day_that_the_lea_names(known: Installation, told: CaseInSql) -> None:
    day = utc_now().date() + timedelta(days=30)
    answer = await known.visitor().http.post(
        link(known, told, V2), data=DISAPPROVES | {"ground": "would_violate", "on": f"{day}"}
    )
    assert answer.status_code == 303, answer.text
    with known.resources.database.reading() as session:
        assert session.exec(select(Agreement).where(Agreement.reference == V2)).one().terminated_on == day
    (declared,) = evidence(known.resources.database, "termination_declared")
    assert declared.body["on"] == day.isoformat()


@pytest.mark.parametrize(
    ("changed", "faulty"),
    [
        ({"ground": ""}, "No ground is chosen."),
        ({"ground": "would_violate"}, "No ground is chosen."),
        ({"attested": ""}, "It is not attested."),
        ({"on": "2020-01-31"}, "It can have effect from"),
        ({"on": "soon"}, "This is not a date."),
        ({"email": "sam"}, "An e-mail address is not one that mail can be sent to."),
        ({"name": ""}, "Nothing is given here."),
    ],
)
async def test_half_a_termination_terminates_nothing_and_keeps_what_was_typed(
    known: Installation, told: CaseInSql, changed: dict[str, str], faulty: str
) -> None:
    answer = await known.visitor().http.post(link(known, told, V1), data=DISAPPROVES | changed)
    assert answer.status_code == 422
    assert faulty in words(answer.text)
    assert not terminated(known, V1)
    if "name" not in changed:
        assert "Sam Example, Superintendent" in answer.text


async def test_a_question_is_asked_as_of_any_notice(known: Installation, told: CaseInSql) -> None:
    asked = {"kind": "question", "name": "Sam", "email": "sam@d1.example.org", "question": "Who hosts it now?"}
    assert (await known.visitor().http.post(link(known, told, V2), data=asked)).status_code == 303
    assert kinds(known) == [AnswerKind.QUESTION]


async def test_what_a_notice_does_not_offer_cannot_be_answered(told_of_breach: tuple[Installation, str]) -> None:
    installation, path = told_of_breach
    for kind in ("no_objection", "terminates"):
        answer = await installation.visitor().http.post(path, data=DISAPPROVES | {"kind": kind})
        assert answer.status_code == 404
    assert kinds(installation) == []


@pytest.fixture
def told_of_breach(known: Installation) -> tuple[Installation, str]:
    resources = known.resources
    return known, give_notices(resources.database, resources.catalogue, utc_now()).link(resources, V1)


def typed(**changed: str) -> dict[str, str]:
    return {
        "act": "open",
        "title": "The merger",
        "change": "merger",
        "successor": "Example Holdings, Inc.",
        "closing": f"{utc_now():%Y-%m-%d}",
        "contact_name": "Kim Example",
        "contact_email": "kim@holdings.example.org",
        **changed,
    }


async def opened(officer: Visitor, pdf: bytes | None, **changed: str) -> tuple[str, dict[str, str]]:
    """The page that says what would follow, and what it carries on."""
    token = form_token(await officer.get(PAGE))
    files = {"assurance": ("assurance.pdf", pdf, "application/pdf")} if pdf else None
    checked = await officer.http.post(PAGE, data={"form_token": token, **typed(**changed)}, files=files)
    kept = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', checked.text))
    return words(checked.text), kept


async def test_it_is_reported_with_its_assurance_for_every_agreement_that_is_in_force(known: Installation) -> None:
    officer = await known.officer()
    page, kept = await opened(officer, signed_pdf())
    assert "Check your answers" in page
    assert "12 agreements are in the case; 12 notices would be drafted." in page
    answer = await officer.http.post(PAGE, data={**kept, "act": "open"})
    assert answer.status_code == 303, answer.text
    with known.resources.database.reading() as session:
        entry = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "case_opened")).one()
        assert signed_pdf() in [fetch(session, sha256) for sha256 in entry.artifacts]
    shown = words((await officer.get(answer.headers["location"])).text)
    assert "The signature is intact and covers the whole document." in shown
    for act in ("Add the successor's assurance", "Record an LEA's decision", "Record that it does not take place"):
        assert act in shown


async def test_without_one_it_says_what_is_waited_for(known: Installation) -> None:
    page, _ = await opened(await known.officer(), None)
    assert "No notice can be drafted while this is not known: Signed assurance" in page


@pytest.mark.parametrize(
    ("pdf", "says"),
    [
        (altered(signed_pdf()), "Its digital signature is broken"),
        (plain_pdf(), "nobody is named who signed it"),
        (b"We assume the obligations.", "This is not a PDF."),
    ],
)
async def test_an_assurance_that_cannot_be_taken_is_refused_at_the_form(
    known: Installation, pdf: bytes, says: str
) -> None:
    page, _ = await opened(await known.officer(), pdf)
    assert says in page
    assert "nothing was opened yet" in page
    refused = [entry.body for entry in evidence(known.resources.database, "file_refused")]
    if "nobody is named" in says:
        assert refused == [], "the file itself was sound"
    else:
        (body,) = refused
        assert (body["kind"], body["field"], body["file_digest"]) == ("successor", "assurance", sha256_hex(pdf))
        assert body["says"] in page


async def test_programs_give_its_bytes_in_base64(known: Installation) -> None:
    officer = await known.officer()
    given = {
        "title": "The merger",
        "change": "merger",
        "successor": "Example Holdings, Inc.",
        "closing": f"{utc_now():%Y-%m-%d}",
        "contact": {"name": "Kim Example", "email": "kim@holdings.example.org"},
        "assurance": {"base64": b64encode(signed_pdf()).decode()},
    }
    token = form_token(await officer.get(PAGE))
    answer = await officer.http.post("/api/cases/new/successor", json=given, headers={"X-Form-Token": token})
    assert answer.status_code == 201, answer.text
    assert answer.json()["existed"] is False
