"""A case whose notices were given: what the engine leaves in SQL, for tests of what comes after."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import httpx
import rfc8785
from sqlmodel import Session, col, select

from agreements.terms import pinned_terms
from config.database import Database
from ledger.verify import verify_ledger
from mail.links import LINK_PURPOSE, notice_token
from models import identifiers
from models.enums import BatchStatus, CaseStatus, DutyStatus, FactStatus, NoticeKind, Party, PerformedBy, Verdict
from models.tables import (
    Agreement,
    Answer,
    Batch,
    Case,
    CaseAgreement,
    CaseAnchor,
    CaseFact,
    DueDate,
    Duty,
    EvidenceEntry,
    Notice,
)
from records.scope import pin_terms
from starter.resources import Resources
from terms.catalogue import Catalogue
from terms.duties import duties_for
from terms.effective import EffectiveTerms
from tests.support.installation import Installation, Visitor

CLAUSE = "breach.notice"
EVENT = "breach"

FACTS = {
    "description": "Rosters were readable by an account that should not have read them.",
    "data_types": "Student names\nDates of birth",
    "protective_advice": "Watch for mail that asks for a password.",
    "police_report_and_freeze": "A security freeze is free of charge at each agency.",
}


ROSTER = b"student\nA. Pupil\n"


@dataclass(frozen=True)
class GivenNotices:
    """A case, and by the reference of each agreement the notice that its LEA was given."""

    case_id: UUID
    notices: Mapping[str, UUID]

    def link(self, resources: Resources, reference: str) -> str:
        """The path of the notice's own page."""
        return f"/n/{notice_token(resources.keyring.derive(LINK_PURPOSE), self.notices[reference], 1)}"


def give_notices(database: Database, catalogue: Catalogue, now: datetime) -> GivenNotices:
    """Open a case for every agreement on file, in which each LEA was given one notice an hour ago."""
    case_id, given_at = uuid4(), now - timedelta(hours=1)
    with database.writing() as session:
        agreements = session.exec(select(Agreement)).all()
        session.add(
            Case(
                id=case_id,
                kind="breach",
                event="breach",
                status=CaseStatus.OPEN,
                title="Rosters were readable",
                report_digest=str(case_id),
                opened_by="robin",
                opened_at=now - timedelta(hours=2),
                workflow_started_at=now - timedelta(hours=2),
                computed_at=now,
            )
        )
        session.flush()
        session.add_all(CaseAgreement(case_id=case_id, agreement_id=row.id, added_at=now) for row in agreements)
        session.flush()
        pin_terms(session, catalogue, case_id, now)
        _know(session, case_id, given_at)
        terms = pinned_terms(session, case_id)
        hashes = {
            row.agreement_id: row.terms_hash or ""
            for row in session.exec(select(CaseAgreement).where(CaseAgreement.case_id == case_id))
        }
        batches: dict[tuple[str, str], Batch] = {}
        notices = {}
        for row in agreements:
            of_agreement = terms[hashes[row.id]]
            key = (of_agreement.hash, row.time_zone)
            if key not in batches:
                batches[key] = _batch(session, case_id, of_agreement, row.time_zone, given_at)
            notices[row.reference] = _notice(session, case_id, row, batches[key], of_agreement, given_at)
    return GivenNotices(case_id, notices)


def _know(session: Session, case_id: UUID, at: datetime) -> None:
    session.add_all(
        CaseFact(
            id=uuid4(),
            case_id=case_id,
            element=element,
            status=FactStatus.KNOWN,
            value=value,
            recorded_at=at,
            recorded_by="officer",
        )
        for element, value in FACTS.items()
    )
    session.add(
        CaseAnchor(
            id=uuid4(), case_id=case_id, name="occurred", first_day=at.date(), recorded_at=at, recorded_by="officer"
        )
    )


def _batch(session: Session, case_id: UUID, terms: EffectiveTerms, zone: str, at: datetime) -> Batch:
    (duty,) = (duty for duty in duties_for(terms, EVENT, {"confirmed": at}, zone=zone) if duty.clause == CLAUSE)
    body = duty.model_dump(mode="json") | {"terms_hash": terms.hash, "time_zone": zone}
    due_date = DueDate(id=identifiers.sha256_hex(rfc8785.dumps(body)), body=body)
    batch = Batch(
        id=uuid4(),
        case_id=case_id,
        kind=NoticeKind.NOTICE,
        clause=CLAUSE,
        due_date_id=due_date.id,
        status=BatchStatus.SENT,
        size=0,
        planned_at=at,
        leaves_at=at,
    )
    session.merge(due_date)
    session.flush()
    session.add(batch)
    session.flush()
    return batch


def _notice(
    session: Session, case_id: UUID, agreement: Agreement, batch: Batch, terms: EffectiveTerms, at: datetime
) -> UUID:
    batch.size += 1
    duty_id = identifiers.duty_id(case_id, agreement.id, CLAUSE)
    session.add(
        Duty(
            id=duty_id,
            case_id=case_id,
            agreement_id=agreement.id,
            clause=CLAUSE,
            owed_by=Party.PROVIDER,
            owed_to=Party.LEA,
            performed_by=PerformedBy.NOTICE,
            status=DutyStatus.PERFORMED,
            due_date_id=batch.due_date_id,
            due_at=at + timedelta(hours=72),
            target_at=at + timedelta(hours=72),
            performed_at=at,
            verdict=Verdict.ON_TIME,
        )
    )
    given = [element.id for element in terms.clause(CLAUSE).contents]
    notice = Notice(
        id=identifiers.notice_id(batch.id, duty_id),
        batch_id=batch.id,
        duty_id=duty_id,
        case_id=case_id,
        kind=NoticeKind.NOTICE,
        given=given,
        composed_at=at,
        written_at=at,
        given_at=at,
    )
    session.add(notice)
    return notice.id


@dataclass(frozen=True)
class Told:
    """An installation in which every LEA was given a notice, and somebody who is not signed in."""

    installation: Installation
    given: GivenNotices
    visitor: Visitor

    def link(self, reference: str) -> str:
        """The path of an LEA's notice."""
        return self.given.link(self.installation.resources, reference)

    async def answer(self, reference: str, **values: str) -> httpx.Response:
        """Send one of the page's forms."""
        return await self.visitor.http.post(self.link(reference), data=values)

    async def text(self, path: str) -> str:
        """A page as it is read."""
        answer = await self.visitor.get(path)
        assert answer.status_code == 200
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())

    def answers(self) -> list[Answer]:
        """What was kept."""
        with self.installation.resources.database.reading() as session:
            return list(session.exec(select(Answer).order_by(col(Answer.given_at))))

    def evidence(self, *kinds: str) -> list[EvidenceEntry]:
        """The case's entries of some kinds, the ledger being sound."""
        with self.installation.resources.database.reading() as session:
            assert verify_ledger(session).sound
            entries = session.exec(select(EvidenceEntry).where(EvidenceEntry.case_id == self.given.case_id))
            return [entry for entry in entries if entry.kind in kinds]

    async def officer_sends(self, to: str, file: tuple[str, bytes] | None = None, **values: object) -> httpx.Response:
        """Send one of the case page's forms."""
        officer, page = await self.installation.officer(), f"/cases/{self.given.case_id}"
        return await officer.send(page, f"{page}/{to}", values, file)

    async def add(self, element: str, agreement: str, name: str = "roster.csv") -> httpx.Response:
        """Add a file to the documents for families."""
        return await self.officer_sends("documents", (name, ROSTER), element=element, agreement=agreement)
