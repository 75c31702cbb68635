"""Audited reading: who opened which case, and who fetched what of it, is itself evidence, once in a while."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from fastapi.routing import APIRoute
from sqlmodel import col, select

from config.database import Database
from ledger.artifacts import store
from ledger.entries import READING_SPAN, CaseRead
from models.enums import Authentication, DeliveryStatus, Reading, Role
from models.tables import AgreementContact, Delivery, EvidenceEntry, Notice
from records.readings import note_reading
from tests.support.given_notices import Told
from web.app import PARTS

DRAFT = "what was not sent, and is no evidence"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def readings(database: Database, case_id: UUID) -> Sequence[EvidenceEntry]:
    with database.reading() as session:
        of_case = EvidenceEntry.case_id == case_id, EvidenceEntry.kind == CaseRead.kind
        return session.exec(select(EvidenceEntry).where(*of_case).order_by(col(EvidenceEntry.number))).all()


def sent_message(database: Database, case_id: UUID) -> str:
    """The SHA-256 of a message that is kept as sent to the contact of one of the case's notices."""
    with database.writing() as session:
        sha256 = store(session, b"Subject: A notice\r\n\r\nAs it was sent.\r\n", "message/rfc822", NOON)
        notice = session.exec(select(Notice).where(Notice.case_id == case_id)).first()
        contact = session.exec(select(AgreementContact)).first()
        assert notice
        assert contact
        session.add(
            Delivery(
                id=uuid4(),
                notice_id=notice.id,
                contact_id=contact.id,
                message_id="<a@provider.test>",
                status=DeliveryStatus.RESERVED,
                message_sha256=sha256,
                reserved_at=NOON,
            )
        )
    return sha256


async def test_who_opens_a_case_leaves_an_entry_once_and_sees_it(told: Told) -> None:
    database = told.installation.resources.database
    auditor = await told.installation.officer("ada", Role.AUDITOR)
    before = len(readings(database, told.given.case_id))
    for _ in range(2):
        page = await auditor.get(f"/cases/{told.given.case_id}")
        assert page.status_code == 200
    (entry,) = readings(database, told.given.case_id)[before:]
    assert (entry.actor, entry.body["what"], entry.subject) == ("ada", "case", None)
    assert entry.body["authenticated"] == Authentication.ONE_TIME_LINK
    shown = page.text[page.text.index('id="readings"') :]
    assert "ada" in shown
    assert "within 12 hours" in shown
    assert (await auditor.get(f"/api/cases/{told.given.case_id}")).status_code == 200
    assert len(readings(database, told.given.case_id)) == before + 1, "the same case, in JSON"


async def test_a_message_as_sent_is_named_by_the_entry_of_its_reading(told: Told) -> None:
    database = told.installation.resources.database
    sha256 = sent_message(database, told.given.case_id)
    auditor = await told.installation.officer("bea", Role.AUDITOR)
    for ending in ("", ".eml"):
        assert (await auditor.get(f"/cases/{told.given.case_id}/messages/{sha256}{ending}")).status_code == 200
    mine = [entry for entry in readings(database, told.given.case_id) if entry.actor == "bea"]
    assert [(entry.body["what"], entry.subject, entry.artifacts) for entry in mine] == [("message", sha256, [sha256])]
    listed = (await auditor.get(f"/api/cases/{told.given.case_id}/readings")).json()
    assert listed["items"][0] == {
        "number": mine[0].number,
        "at": mine[0].at.isoformat().replace("+00:00", "Z"),
        "actor": "bea",
        "what": "message",
        "thing": sha256,
    }


async def test_the_list_of_evidence_leaves_out_who_read_it(told: Told) -> None:
    auditor = await told.installation.officer("cleo", Role.AUDITOR)
    evidence = (await auditor.get(f"/api/cases/{told.given.case_id}/evidence?limit=1000")).json()
    assert CaseRead.kind not in {entry["kind"] for entry in evidence["items"]}
    assert [entry.body["what"] for entry in readings(told.installation.resources.database, told.given.case_id)][
        -1
    ] == "evidence"


async def test_what_is_not_there_is_not_read(told: Told) -> None:
    auditor = await told.installation.officer("dora", Role.AUDITOR)
    for address in (
        f"/cases/{UUID(int=7)}",
        f"/api/cases/{UUID(int=7)}/evidence",
        f"/cases/{told.given.case_id}/messages/no",
    ):
        assert (await auditor.get(address)).status_code == 404
    assert not [
        entry for entry in readings(told.installation.resources.database, told.given.case_id) if entry.actor == "dora"
    ]


async def test_the_same_is_noted_again_after_a_while(told: Told) -> None:
    database = told.installation.resources.database
    before = len(readings(database, told.given.case_id))
    for at in (NOON, NOON + READING_SPAN - timedelta(seconds=1), NOON + READING_SPAN):
        reading = CaseRead(case_id=told.given.case_id, actor="eve", at=at, what=Reading.CASE, thing=None)
        note_reading(database, reading)
    assert [entry.at for entry in readings(database, told.given.case_id)[before:]] == [NOON, NOON + READING_SPAN]


NOTED = {
    "/cases/{case_id}",
    "/cases/{case_id}/history",
    "/cases/{case_id}/messages/{sha256}",
    "/cases/{case_id}/messages/{sha256}.eml",
    "/cases/{case_id}/proposals/{proposal_id}",
    "/cases/{case_id}/proposals/{proposal_id}/proof",
    "/cases/{case_id}/documents/{document_id}",
    "/cases/{case_id}/costs/{cost_id}/receipt",
    "/api/cases/{case_id}",
    "/api/cases/{case_id}/head",
    "/api/cases/{case_id}/cohorts",
    "/api/cases/{case_id}/duties",
    "/api/cases/{case_id}/answers",
    "/api/cases/{case_id}/evidence",
    "/api/cases/{case_id}/history",
    "/api/cases/{case_id}/proposals/{proposal_id}",
    "/api/cases/{case_id}/proposals/{proposal_id}/proof",
}
NOT_NOTED = {
    "/cases/{case_id}/drafts": DRAFT,
    "/cases/{case_id}/drafts/release": DRAFT,
    "/cases/{case_id}/drafts/{notice_id}": DRAFT,
    "/cases/{case_id}/drafts/{notice_id}.eml": DRAFT,
    "/api/cases/{case_id}/drafts": DRAFT,
    "/api/cases/{case_id}/drafts/{notice_id}": DRAFT,
    "/api/cases/{case_id}/progress": "how many notices have left, and nothing of any",
    "/api/cases/{case_id}/readings": "who read it",
    "/cases/{case_id}/notices/{notice_id}/link": "when its links were made; none is shown",
    "/cases/{case_id}/erasure": "whether it can be erased, and who decided so; nothing that the case holds",
}


def test_every_address_of_a_case_notes_who_reads_or_says_why_not() -> None:
    addresses = {
        route.path
        for part in PARTS
        for route in part.router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and "/cases/{case_id}" in route.path
    }
    assert addresses == NOTED | NOT_NOTED.keys()


async def test_each_address_that_notes_it_does_so(told: Told) -> None:
    """Those that need more than a case are played above, or in tests of what they show."""
    auditor = await told.installation.officer("finn", Role.AUDITOR)
    case, database = told.given.case_id, told.installation.resources.database
    whole = [path for path in sorted(NOTED) if path.count("{") == 1]
    for path in whole:
        assert (await auditor.get(path.format(case_id=case))).status_code == 200, path
    mine = {entry.body["what"] for entry in readings(database, case) if entry.actor == "finn"}
    assert mine == {"case", "evidence", "history"}
