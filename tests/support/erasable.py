"""A closed breach with everything in it that is personal, so that its erasure can be played."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlmodel import col, select

from agreements.importing import DEMO_FILE, import_agreements
from cases.acts import Approve, Decline, Done, Hold, Lift, Propose, Release
from cases.breach import BREACH, Confirm, IncidentReport
from cases.intake import ApproximateTime
from config.database import Database
from mail.handover import Rejected
from mail.reports import Report
from models.defaults import Defaults
from models.enums import AnswerKind, ReportKind
from models.tables import Delivery, Notice
from records.answers import checked_answer, record_answers
from records.bounces import CameBack, Fate, record_report
from records.cases import close_case, open_case
from records.intake import keep_intake
from terms.retention import years_after
from tests.support.accounts import have_account
from tests.support.case_in_sql import CATALOGUE, QUEUED, SECOND_PERSON, CaseInSql
from tests.support.incidents import REPORTER

OPENED = datetime(2026, 3, 2, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
DEFAULTS = Defaults()
CLOSED = OPENED + 2 * HOUR
OVER = years_after(CLOSED, DEFAULTS.retention_years)
SECRET = "A disk with the grades of Robin Pupil was lost."


def open_breach(database: Database, *references: str, digest: str = "one") -> CaseInSql:
    """A breach that was reported, confirmed and released."""
    report = IncidentReport(
        title="The disk of Robin Pupil",
        description=SECRET,
        data_types=("Student name",),
        agreements=references,
        reporter=REPORTER,
        point_of_contact=REPORTER,
        discovered_at=OPENED - HOUR,
        occurred=ApproximateTime(kind="instant", at=OPENED - timedelta(days=9)),
    )
    with database.writing() as session:
        case_id, _ = keep_intake(session, BREACH, report, digest, actor="officer", now=OPENED)
        open_case(session, CATALOGUE, case_id, OPENED)
    case = CaseInSql(database, case_id, OPENED)
    case.compute()
    case.act(Confirm(confirmed_at=OPENED))
    case.act(Release())
    return case


def closed_breach(database: Database) -> CaseInSql:
    """A breach of which one LEA was told, and asked something; another one's server refused. It is closed."""
    demo = DEMO_FILE.read_text("utf-8")
    import_agreements(database, CATALOGUE, demo, file_name="demo.csv", now=OPENED, actor="officer")
    have_account(database, SECOND_PERSON)
    found = open_breach(database, "VA-001", "MO-001")
    hold = found.act(Hold.model_validate({"particulars": "The police asks.", "shareable": False, "begins_at": OPENED}))
    found.now += HOUR / 4
    found.act(Lift.model_validate({"hold_id": hold}))
    found.now += HOUR / 4
    says = {"clause": "breach.notice", "ground": "no_student_data", "reason": "Robin was on no list."}
    proposal = found.act(Propose.model_validate(says))
    found.now += HOUR / 4
    found.act(Decline.model_validate({"proposal_id": proposal}), SECOND_PERSON)
    found.now += HOUR
    refuses = Rejected(550, "5.1.1 No such mailbox: robin")
    found.send_what_leaves(lambda letter: refuses if "ozarkridge" in letter.email else QUEUED)
    with database.writing() as session:
        delivery = session.exec(select(Delivery).where(col(Delivery.settled_at).is_not(None))).first()
        notice = session.exec(select(Notice.id).where(col(Notice.given_at).is_not(None))).first()
        assert delivery
        assert notice
        came = came_back(delivery, "first")
        assert record_report(session, came, found.now).fate is Fate.RECORDED
        asks = checked_answer(notice, AnswerKind.QUESTION, name="Robin Parent", email="r@lea.test", text="Which disk?")
        record_answers(session, [asks], b"key" * 11, found.now)
    means = {"how": "By letter.", "to_whom": "The superintendent.", "proof": b"a receipt for Robin"}
    done = {"clause": "breach.notice", "agreements": ["MO-001"], "done_at": found.now, **means}
    said = found.act(Done.model_validate(done))
    found.act(Approve.model_validate({"proposal_id": said}), SECOND_PERSON)
    close(found, CLOSED)
    return found


def close(case: CaseInSql, at: datetime) -> None:
    case.now = at
    with case.database.writing() as session:
        close_case(session, case.id, at)


def came_back(delivery: Delivery, source: str) -> CameBack:
    report = Report(kind=ReportKind.DELAYED, status="4.2.2", says="The mailbox of robin is full")
    return CameBack(source, delivery.id, None, report, "lmtp", f"Subject: late {source}\r\n\r\nrobin\r\n".encode())
