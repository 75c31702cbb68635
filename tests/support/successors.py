"""Changes of control: reports of them, cases of them in SQL alone, and what LEAs answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

from sqlmodel import Session, col, select

from cases.state import NoticePolicy
from cases.successor import SUCCESSOR, AddAssurance, SuccessorReport
from config.database import Database
from models.enums import AnswerKind
from models.identifiers import agreement_id
from models.tables import Answer, Case, Duty, EvidenceEntry, Notice
from records.answers import GivenAnswer, record_answers
from records.intake import keep_intake, prepare
from starter.case_service import CaseService
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.case_in_sql import CaseInSql, Place, keep_agreement
from tests.support.incidents import OFFICER, QUIET
from tests.support.officers import officer
from tests.support.signed_pdfs import signed_pdf

NOW = datetime.fromisoformat("2026-06-10T15:00:00+00:00")
CLOSING = date(2026, 6, 1)
NOTICE = "successor.notice"
DAY = timedelta(days=1)
ILLINOIS, OREGON = Place("ndpa-v1", "IL"), Place("ndpa-v2", "OR")
CONTACT = {"name": "Kim Example", "email": "privacy@holdings.example.org"}


def report(*agreements: str, **changed: object) -> SuccessorReport:
    """A merger that closed on ``CLOSING``, with a signed assurance."""
    given: dict[str, object] = {
        "title": "The merger",
        "change": "merger",
        "successor": "Example Holdings, Inc.",
        "contact": CONTACT,
        "closing": CLOSING,
        "assurance": signed_pdf(),
        "agreements": agreements,
    }
    return SuccessorReport.model_validate(given | changed)


def keep_places(database: Database, *places: Place, executed: date = date(2025, 1, 12)) -> None:
    """Keep an agreement of each place."""
    with database.writing() as session:
        for place in places:
            keep_agreement(session, place, executed, NOW)


def open_report(database: Database, intake: SuccessorReport, now: datetime = NOW) -> CaseInSql:
    """Keep a report and compute its case, whose notices wait for an officer."""
    with database.writing() as session:
        prepare(session, SUCCESSOR, intake, now)
        case_id, _ = keep_intake(session, SUCCESSOR, intake, str(uuid4()), actor="officer", now=now)
        session.get_one(Case, case_id).workflow_started_at = now
    case = CaseInSql(database, case_id, now, policy=NoticePolicy())
    case.compute()
    return case


def send_all(case: CaseInSql) -> None:
    """Let the clock come to where every notice that is drafted has left."""
    case.now = max(duty.due_at for duty in case.duties if duty.due_at) - timedelta(minutes=60)
    case.send_what_leaves()


def answer(case: CaseInSql, reference: str, kind: AnswerKind, ground: str | None = None, *, actor: str = "lea") -> None:
    """Answer as an LEA does by its notice's link."""
    with case.database.writing() as session:
        given = GivenAnswer(_notice(session, case.id, reference), kind, actor, "Sam Example", ground=ground)
        record_answers(session, [given], bytes(32), case.now)


def _notice(session: Session, case_id: UUID, reference: str) -> UUID:
    found = session.exec(
        select(Notice.id)
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(Notice.case_id == case_id, Duty.agreement_id == agreement_id(reference), col(Notice.offers))
    ).one()
    return found


def answers(database: Database) -> list[Answer]:
    """What was answered."""
    with database.reading() as session:
        return list(session.exec(select(Answer).order_by(col(Answer.given_at))))


def evidence(database: Database, *kinds: str) -> list[EvidenceEntry]:
    """The entries of some kinds."""
    with database.reading() as session:
        return list(session.exec(select(EvidenceEntry).where(col(EvidenceEntry.kind).in_(kinds))))


async def open_played(engine: VirtualEngine, intake: SuccessorReport, **settings: object) -> UUID:
    """Report a change of control, quietly save for the settings given, and let its case come to rest."""
    changed = engine.resources.settings.model_copy(update=QUIET | settings)
    service = CaseService(replace(engine.resources, settings=changed))
    opened = await service.open_case(SUCCESSOR, intake, actor=OFFICER, dates_confirmed=True)
    assert opened.clocks_run
    await engine.settle(opened.case_id)
    return opened.case_id


def played_answer(engine: VirtualEngine, case_id: UUID, reference: str, kind: AnswerKind, at: datetime) -> None:
    """Answer as an LEA does by its notice's link, in a case that is played."""
    case = CaseInSql(engine.resources.database, case_id, at)
    ground = "disapproves" if kind is AnswerKind.TERMINATES else None
    answer(case, reference, kind, ground)


def today() -> date:
    """The day on which played cases begin."""
    return utc_now().date()


async def told_answered_and_silent(
    engine: VirtualEngine, agrees: str = "IL-001", terminates: str = "MO-001", silent: str = "VA-001"
) -> UUID:
    """The assurance comes late; one LEA does not object, one terminates, and of one silence is noted at the end."""
    intake = report(agrees, terminates, silent, closing=today(), assurance=None)
    case_id = await open_played(engine, intake, chase_hours=(24, 72))
    await engine.advance(case_id, 20 * DAY)
    await officer(engine).do(case_id, AddAssurance, OFFICER, assurance=signed_pdf())
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    now = await engine.now(case_id)
    played_answer(engine, case_id, agrees, AnswerKind.NO_OBJECTION, now)
    played_answer(engine, case_id, terminates, AnswerKind.TERMINATES, now)
    await engine.advance(case_id, 31 * DAY)
    return case_id
