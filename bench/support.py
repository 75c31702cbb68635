"""What several measurements need: fictional districts, cases as the engine leaves them in SQL, and a browser."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import httpx
import rfc8785
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlmodel import Session, SQLModel, col, insert, select, update

from agreements.importing import import_agreements
from config.database import Database
from ledger.append import append
from ledger.entries import ReminderSent
from mail.compose import Addressing
from mail.facts import (
    Clause,
    ContactPerson,
    ElementStatus,
    ElementValue,
    Mailbox,
    NoticeFacts,
    Sender,
    Signatory,
    SignedAgreement,
)
from mail.links import LINK_PURPOSE, notice_token
from models import identifiers
from models.enums import BatchStatus, CaseStatus, DutyStatus, FactStatus, NoticeKind, Party, PerformedBy, Role, Verdict
from models.tables import (
    Agreement,
    AgreementContact,
    Batch,
    Case,
    CaseAgreement,
    CaseAnchor,
    CaseFact,
    DueDate,
    Duty,
    HolderTask,
    Notice,
    TermsSnapshot,
)
from people.accounts import add_account
from people.sign_in import issue_token
from records.scope import pin_terms
from starter.resources import Resources, utc_now
from terms.catalogue import Catalogue
from terms.duties import DueDuty, duties_for
from terms.effective import EffectiveTerms, effective_terms
from web.app import create_app

ORIGIN = "http://127.0.0.1"
ACTOR = "bench"
CLAUSE, EVENT = "breach.notice", "breach"
SIGNED = date(2025, 1, 12)
ANCHORS = ("confirmed", "discovered")
"""The dated facts of a case, all at one instant."""

COLUMNS = "reference,form,lea_name,state,time_zone,executed_on,general_name,general_email,security_name,security_email"
AT_ONCE = 2_000
"""How many rows or entries of evidence go into one transaction."""

FACTS = {
    "description": "Rosters were readable by an account that should not have read them.",
    "data_types": "Student names\nDates of birth",
    "provider_point_of_contact": "Robin Example, robin@provider.example.org, +1 555 0102",
}

SENDER = Mailbox(name="Example Learning, Inc.", email="notices@provider.test")
ROBIN = ContactPerson(name="Robin Example", email="privacy@provider.test", phone="555 0100")
NOTICE = NoticeFacts(
    kind=NoticeKind.NOTICE,
    template="notice",
    reader="Example District",
    time_zone="America/New_York",
    agreement=SignedAgreement(
        title="Student Data Privacy Agreement",
        reference="B-00001",
        provider="Example Learning, Inc.",
        lea="Example District",
        signed_on=SIGNED,
    ),
    clauses=(
        Clause(
            id=CLAUSE,
            provision=("Standard clauses, Article V, section 4: the provider tells the LEA.",),
            why=("The incident was confirmed on Saturday, October 31, 2026.", "72 elapsed hours later is Tuesday."),
        ),
    ),
    noticed_at=datetime(2026, 11, 1, 2, 15, tzinfo=UTC),
    sender=Sender(
        organisation="Example Learning, Inc.",
        contact=ROBIN,
        signatory=Signatory(name="Robin Example", title="Chief Privacy Officer"),
        point_of_contact=ROBIN,
        parents_contact=ROBIN,
    ),
    case_reference="B-7F3K",
    elements=tuple(
        ElementValue(
            id=element, label=element, citation="Standard clauses V.4", status=ElementStatus.KNOWN, value=value
        )
        for element, value in FACTS.items()
    ),
    acknowledge_url="https://duenotice.provider.test/n/7c1d",
)
"""What a notice says that is composed to be measured."""


def addressed(number: int) -> Addressing:
    """The notice to the fictional district of this number."""
    return Addressing(
        message_id=f"<{UUID(int=number)}@provider.test>",
        sender=SENDER,
        to=(Mailbox(name=f"District {number}", email=f"security@d{number}.example.org"),),
    )


def district_file(catalogue: Catalogue, count: int, clause: str = CLAUSE) -> str:
    """A file of ``count`` fictional districts, in turn from every state whose terms have a clause."""
    places = [
        (form, state)
        for form in catalogue.forms
        for state in catalogue.states(form)
        if clause in effective_terms(catalogue, form, state, on=SIGNED).clauses
    ]
    lines = [COLUMNS]
    for number in range(count):
        form, state = places[number % len(places)]
        zone, host = catalogue.state(form, state).zone, f"d{number}.example.org"
        lines.append(
            f"B-{number:05},{form},District {number},{state},{zone},{SIGNED},"
            f"Office,office@{host},Security,security@{host}"
        )
    return "\n".join(lines)


def know_districts(database: Database, catalogue: Catalogue, count: int, clause: str = CLAUSE) -> tuple[str, ...]:
    """Import so many fictional districts; return their references."""
    text = district_file(catalogue, count, clause)
    import_agreements(database, catalogue, text, file_name="many.csv", now=utc_now(), actor=ACTOR)
    return tuple(line.partition(",")[0] for line in text.splitlines()[1:])


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def shown(task: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar; the function that it gives is told of each advance."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns) as progress:
        bar = progress.add_task(task, total=total)
        yield lambda advance: progress.update(bar, advance=advance)


async def officer(resources: Resources) -> httpx.AsyncClient:
    """A browser in which an officer is signed in, beside the pages in this process."""
    http = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(resources)), base_url=ORIGIN)
    add_account(resources.database, ACTOR, Role.OFFICER, made_by="bench", now=utc_now())
    token = issue_token(resources.database, ACTOR, utc_now(), issued_by="bench")
    answer = await http.post("/sign-in", data={"token": token})
    assert answer.status_code == 303, answer.text
    return http


@dataclass(frozen=True)
class KeptCase:
    """A case in SQL, and by the reference of each agreement the notice of its one duty there."""

    case_id: UUID
    notices: Mapping[str, UUID]

    def link(self, resources: Resources, reference: str) -> str:
        """The path of a notice's own page."""
        return f"/n/{notice_token(resources.keyring.derive(LINK_PURPOSE), self.notices[reference], 1)}"


@dataclass(frozen=True)
class Row:
    """A row to be inserted: making the tables' own objects takes ten times as long."""

    table: type[SQLModel]
    values: dict[str, Any]


@cache
def _defaults(table: type[SQLModel]) -> Mapping[str, Any]:
    fields = table.model_fields.items()
    return {name: field.get_default(call_default_factory=True) for name, field in fields if not field.is_required()}


def row_of(table: type[SQLModel], **values: Any) -> Row:
    """A row with these values, and the table's own defaults for the others."""
    return Row(table, {**_defaults(table), **values})


class CaseKeeper:
    """Keeps cases in SQL as the engine leaves them once it has computed them, many at a time.

    Args:
        database: where to keep them.
        catalogue: the clauses that they are under.
        given: whether each LEA was given its notice an hour ago; else the notices wait for release.
    """

    def __init__(self, database: Database, catalogue: Catalogue, *, given: bool) -> None:
        self._database = database
        self._given = given
        self._now = utc_now()
        self._dues: dict[tuple[str, str, datetime], tuple[DueDuty, Row]] = {}
        with database.reading() as session:
            self._agreements = list(session.exec(select(Agreement).order_by(col(Agreement.reference))))
        self._terms = self._pinned(catalogue)

    def _pinned(self, catalogue: Catalogue) -> dict[UUID, EffectiveTerms]:
        """The terms of each agreement, as a first case of all of them pins them; that case is closed."""
        case_id = uuid4()
        scope = [
            row_of(CaseAgreement, case_id=case_id, agreement_id=row.id, added_at=self._now) for row in self._agreements
        ]
        with self._database.writing() as session:
            insert_rows(session, [self._case(case_id, self._now), *scope])
            pin_terms(session, catalogue, case_id, self._now)
            terms = {row.hash: EffectiveTerms.from_snapshot(row.body) for row in session.exec(select(TermsSnapshot))}
            hashes = session.exec(
                select(CaseAgreement.agreement_id, CaseAgreement.terms_hash).where(CaseAgreement.case_id == case_id)
            ).all()
            closed = update(Case).where(col(Case.id) == case_id)
            session.execute(closed.values(status=CaseStatus.CLOSED, closed_at=self._now))
        return {agreement: terms[pinned] for agreement, pinned in hashes if pinned}

    def one_of_all(self) -> KeptCase:
        """One case that touches every agreement."""
        case_id, confirmed_at = uuid4(), self._now - timedelta(hours=2)
        rows = self._common_rows(case_id, confirmed_at)
        notices = {}
        for agreement in self._agreements:
            notices[agreement.reference] = self._add_duty(rows, case_id, agreement, confirmed_at)
        with self._database.writing() as session:
            insert_rows(session, rows)
        self._leave_evidence([(case_id, notice) for notice in notices.values()])
        return KeptCase(case_id, notices)

    def many_of_one(self, count: int) -> list[UUID]:
        """Open cases of one agreement each, confirmed over the last two and a half days; one in fifty is overdue."""
        kept: list[UUID] = []
        with shown("cases kept", count) as advance:
            while len(kept) < count:
                some = [uuid4() for _ in range(min(AT_ONCE, count - len(kept)))]
                rows: list[Row] = []
                for number, case_id in enumerate(some, start=len(kept)):
                    hours = 100 if number % 50 == 49 else number % 60
                    confirmed_at = self._now - timedelta(hours=hours)
                    rows += self._common_rows(case_id, confirmed_at)
                    self._add_duty(rows, case_id, self._agreements[number % len(self._agreements)], confirmed_at)
                with self._database.writing() as session:
                    insert_rows(session, rows)
                self._leave_evidence([(case_id, case_id) for case_id in some])
                kept += some
                advance(len(some))
        return kept

    def _case(self, case_id: UUID, at: datetime) -> Row:
        return row_of(
            Case,
            id=case_id,
            kind="breach",
            event="breach",
            status=CaseStatus.OPEN,
            title="Rosters were readable",
            report_digest=str(case_id),
            opened_at=at,
            workflow_started_at=at,
            changed_at=at,
            computed_at=at,
        )

    def _common_rows(self, case_id: UUID, at: datetime) -> list[Row]:
        facts = (
            row_of(
                CaseFact,
                id=uuid4(),
                case_id=case_id,
                element=element,
                status=FactStatus.KNOWN,
                value=value,
                recorded_at=at,
                recorded_by=ACTOR,
            )
            for element, value in FACTS.items()
        )
        anchors = (
            row_of(CaseAnchor, id=uuid4(), case_id=case_id, name=name, instant=at, recorded_at=at, recorded_by=ACTOR)
            for name in ("occurred", *ANCHORS)
        )
        return [self._case(case_id, at), *facts, *anchors]

    def _add_duty(self, rows: list[Row], case_id: UUID, agreement: Agreement, confirmed_at: datetime) -> UUID:
        """Add the rows of an agreement in a case: its one duty, and the notice of it; return the notice's id."""
        terms = self._terms[agreement.id]
        duty, due_date = self._due(terms, agreement.time_zone, confirmed_at)
        duty_id = identifiers.duty_id(case_id, agreement.id, duty.clause)
        given_at = confirmed_at + timedelta(hours=1) if self._given else None
        overdue = duty.due_at is not None and duty.due_at < self._now and not self._given
        batch = row_of(
            Batch,
            id=uuid4(),
            case_id=case_id,
            kind=NoticeKind.NOTICE,
            clause=duty.clause,
            due_date_id=due_date.values["id"],
            status=BatchStatus.SENT if self._given else BatchStatus.WITHHELD if overdue else BatchStatus.WAITING,
            size=1,
            planned_at=confirmed_at,
            due_at=duty.due_at,
            leaves_at=(duty.due_at or self._now) - timedelta(hours=1),
        )
        notice_id = identifiers.notice_id(batch.values["id"], duty_id)
        notice = row_of(
            Notice,
            id=notice_id,
            batch_id=batch.values["id"],
            duty_id=duty_id,
            case_id=case_id,
            kind=NoticeKind.NOTICE,
            given=list(duty.contents) if self._given else [],
            composed_at=given_at,
            written_at=given_at,
            given_at=given_at,
        )
        rows += [
            row_of(
                CaseAgreement, case_id=case_id, agreement_id=agreement.id, terms_hash=terms.hash, added_at=confirmed_at
            ),
            due_date,
            row_of(
                Duty,
                id=duty_id,
                case_id=case_id,
                agreement_id=agreement.id,
                clause=duty.clause,
                owed_by=Party.PROVIDER,
                owed_to=Party.LEA,
                performed_by=PerformedBy.NOTICE,
                status=DutyStatus.PERFORMED if self._given else DutyStatus.RUNNING,
                due_date_id=due_date.values["id"],
                due_at=duty.due_at,
                target_at=duty.due_at,
                performed_at=given_at,
                verdict=Verdict.ON_TIME if self._given else None,
                escalated_at=self._now if overdue else None,
            ),
            batch,
            notice,
        ]
        return notice_id

    def _due(self, terms: EffectiveTerms, zone: str, confirmed_at: datetime) -> tuple[DueDuty, Row]:
        key = (terms.hash, zone, confirmed_at)
        if key not in self._dues:
            found = duties_for(terms, EVENT, dict.fromkeys(ANCHORS, confirmed_at), zone=zone)
            (duty,) = (duty for duty in found if duty.clause == CLAUSE)
            body = duty.model_dump(mode="json") | {"terms_hash": terms.hash, "time_zone": zone}
            self._dues[key] = duty, row_of(DueDate, id=identifiers.sha256_hex(rfc8785.dumps(body)), body=body)
        return self._dues[key]

    def _leave_evidence(self, about: Sequence[tuple[UUID, UUID]]) -> None:
        """As many entries as the cases would have left; which happening they attest costs a page nothing."""
        for start in range(0, len(about), AT_ONCE):
            with self._database.writing() as session:
                append(session, *(_entry(*item) for item in about[start : start + AT_ONCE]))


def _entry(case_id: UUID, subject: UUID) -> ReminderSent:
    now = utc_now()
    return ReminderSent(case_id=case_id, actor=ACTOR, at=now, clause=CLAUSE, due_at=now, part=str(subject), waiting=1)


def insert_rows(session: Session, rows: Sequence[Row]) -> None:
    """Insert rows table by table, parents first; a due date that is there is left as it is."""
    dates = {row.values["id"]: row for row in rows if row.table is DueDate}
    there = set(session.exec(select(DueDate.id).where(col(DueDate.id).in_(dates))))
    new = [row for key, row in dates.items() if key not in there]
    tables: tuple[type[SQLModel], ...] = (
        Case,
        CaseFact,
        CaseAnchor,
        CaseAgreement,
        DueDate,
        Duty,
        Batch,
        Notice,
        AgreementContact,
        HolderTask,
    )
    for table in tables:
        wanted = new if table is DueDate else rows
        if values := [row.values for row in wanted if row.table is table]:
            session.execute(insert(table), values)
