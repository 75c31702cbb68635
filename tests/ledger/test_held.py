"""Held against the ledger: whatever somebody changes in a table that pages show is found, and named in words."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text
from sqlmodel import Session, SQLModel, col, select

import models.tables
from agreements.importing import DEMO_FILE, import_agreements
from cases.acts import Approve, Done, Propose, Release, SetDate, Undo, Vouch
from cases.breach import BREACH, Confirm, IncidentReport
from cases.intake import ApproximateTime
from config.database import Database
from config.keyring import Keyring
from ledger.append import append
from ledger.entries import ContactsRecorded
from ledger.held.comparing import Comparison, hold_tables
from ledger.held.rules import HELD, NOT_HELD, Why
from ledger.verify import Step, stream, verify_all
from mail.handover import OutcomeUnknown, Rejected
from mail.reports import Report
from models.enums import AnswerKind, DeliveryStatus, DutyStatus, ReportKind, Verdict
from models.errors import IntegrityError
from models.identifiers import agreement_id
from models.tables import AgreementContact, Delivery, Duty, Notice
from records.answers import checked_answer, record_answers
from records.bounces import CameBack, record_report
from records.cases import open_case
from records.deliveries import Answer
from records.escalations import raise_duties
from records.intake import keep_intake
from records.outbox import OutgoingMessage
from tests.support.accounts import have_account
from tests.support.case_in_sql import CATALOGUE, QUEUED, SECOND_PERSON, CaseInSql
from tests.support.incidents import REPORTER
from tests.support.pretended import pretend_kept

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOTICE, AUDIT = "breach.notice", "breach.security-audit"
REFUSES, LOSES, BOUNCES = "MO-001", "NH-001", "RI-001"
STATES = ("VA-001", "OR-001", "IL-001", "TN-001", REFUSES, LOSES, BOUNCES)


def play(database: Database) -> None:
    """A breach at seven LEAs: told, refused, lost, vouched for, come back, acknowledged, decided by two people."""
    demo = DEMO_FILE.read_text("utf-8")
    import_agreements(database, CATALOGUE, demo, file_name="demo.csv", now=NOW, actor="officer")
    moved = demo.replace("office@pinecoast", "front.office@pinecoast")
    import_agreements(database, CATALOGUE, moved, file_name="demo.csv", now=NOW + HOUR, actor="officer")
    report = IncidentReport(
        title="A matter",
        description="A disk was lost.",
        data_types=("Student name",),
        agreements=STATES,
        reporter=REPORTER,
        point_of_contact=REPORTER,
        discovered_at=NOW - HOUR,
        occurred=ApproximateTime(kind="instant", at=NOW - timedelta(days=9)),
    )
    with database.writing() as session:
        case_id, _ = keep_intake(session, BREACH, report, "digest", actor="officer", now=NOW)
        open_case(session, CATALOGUE, case_id, NOW)
    have_account(database, SECOND_PERSON)
    case = CaseInSql(database, case_id, NOW)
    case.compute()
    case.act(Confirm(confirmed_at=NOW))
    case.now += HOUR
    case.act(Release())
    case.send_what_leaves(_answer)
    case.now += HOUR
    vouch = {"clause": NOTICE, "agreement": LOSES, "arrived_at": case.now - HOUR, "particulars": "By telephone."}
    case.act(Vouch.model_validate(vouch))
    _come_back(case)
    _acknowledge(case)
    case.now += HOUR
    proposed = case.act(Propose.model_validate({"clause": AUDIT, "ground": "no_student_data", "reason": "None of it."}))
    case.act(Approve(proposal_id=_id(proposed)), SECOND_PERSON)
    for undone in (True, False):
        done = {"clause": NOTICE, "agreements": [REFUSES], "done_at": case.now, "how": "By letter.", "to_whom": "Them."}
        said = _id(case.act(Done.model_validate(done | {"proof": b"a receipt"})))
        case.act(Approve(proposal_id=said), SECOND_PERSON)
        case.now += HOUR
        if undone:
            case.act(Undo.model_validate({"proposal_id": said, "reason": "Another one."}))
    case.now += timedelta(days=30)
    with database.writing() as session:
        raise_duties(session, case.id, case.now)
    case.act(SetDate.model_validate({"name": "discovered", "instant": NOW - 2 * HOUR, "reason": "An error."}))


def _id(made: UUID | None) -> UUID:
    assert made
    return made


def _answer(outgoing: OutgoingMessage) -> Answer:
    match outgoing.email.partition("@")[2]:
        case "ozarkridge.example.org":
            return Rejected(550, "5.1.1 No such mailbox")
        case "granitenotch.example.org":
            return OutcomeUnknown("The connection was lost.")
        case _:
            return QUEUED


def _delivery(session: Session, reference: str) -> Delivery:
    query = select(Delivery).join(Notice, col(Notice.id) == col(Delivery.notice_id))
    query = query.join(Duty, col(Duty.id) == col(Notice.duty_id)).where(Duty.agreement_id == agreement_id(reference))
    found = session.exec(query.where(col(Delivery.is_copy).is_(False)).order_by(col(Delivery.id))).first()
    assert found
    return found


def _come_back(case: CaseInSql) -> None:
    with case.database.writing() as session:
        delivery = _delivery(session, BOUNCES)
        report = Report(ReportKind.FAILED, status="5.1.1", says="No such mailbox")
        came = record_report(session, CameBack("a report", delivery.id, None, report, "file", b"raw"), case.now)
        assert came.case_id, "its duty is owed again"
    case.compute()


def _acknowledge(case: CaseInSql) -> None:
    with case.database.writing() as session:
        notice = _delivery(session, "VA-001").notice_id
        record_answers(session, [checked_answer(notice, AnswerKind.ACKNOWLEDGED)], b"key", case.now)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp("held")
    url = f"sqlite:///{folder}/kept.sqlite3"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        name = f"test_{uuid4().hex}"
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = f"{server}/{name}"
    database = Database(url, Keyring.create(Path(folder, "keyring.json")))
    database.migrate()
    play(database)
    yield database
    database.close()


@contextmanager
def tampered(database: Database, *statements: str, **values: object) -> Iterator[Session]:
    """The database as somebody changed it who can write its tables; nothing of that stays."""

    class Undone(Exception):
        pass

    try:
        with database.writing() as session:
            for statement in statements:
                assert session.execute(text(statement), values).rowcount > 0, statement  # type: ignore[attr-defined]
            yield session
            raise Undone
    except Undone:
        pass


def held(session: Session) -> Comparison:
    return hold_tables(session, stream(session))


def test_what_was_played_is_held(played: Database) -> None:
    with played.reading() as session:
        found = verify_all(session)
        assert found.sound, found.flaw
        assert found.tables
        assert found.tables.rows["duty"] == len(session.exec(select(Duty)).all())
        statuses = set(session.exec(select(Duty.status)))
        assert statuses >= {DutyStatus.PERFORMED, DutyStatus.RUNNING, DutyStatus.NOT_REQUIRED}
        assert set(session.exec(select(Duty.verdict))) >= {Verdict.ON_TIME, Verdict.ON_TIME_BY_OTHER_MEANS, None}
        ends = {DeliveryStatus.REJECTED, DeliveryStatus.VOUCHED, DeliveryStatus.BOUNCED, DeliveryStatus.ACKNOWLEDGED}
        assert set(session.exec(select(Delivery.status))) >= ends | {DeliveryStatus.ACCEPTED}


ELSEWHEN = "'2026-03-02 15:00:01+00:00'"
LAST_ARTIFACT, LAST_TERMS = "(SELECT max(sha256) FROM artifact)", "(SELECT max(hash) FROM terms_snapshot)"
FORMER = "(SELECT id FROM agreement_contact WHERE rank = -1)"
REASONS = """'{"owed_by": "lea", "owed_to": "lea", "performed_by": "act"}'"""


@pytest.mark.parametrize(
    ("table", "change", "where", "says"),
    [
        ("duty", "verdict = 'late'", "verdict = 'on_time'", "“late” as its verdict, and not what entry"),
        ("duty", "verdict = 'on_time'", "verdict = 'on_time_by_other_means'", "says: “on_time_by_other_means”"),
        ("duty", "status = 'performed'", "status = 'running'", "“performed” as its status"),
        ("duty", "status = 'not_required'", "status = 'running'", "“not_required” as its status"),
        ("duty", f"due_at = {ELSEWHEN}, target_at = {ELSEWHEN}", "status = 'running'", "as its due_at"),
        ("duty", f"performed_at = {ELSEWHEN}", "verdict = 'on_time'", "as its performed_at"),
        ("duty", "performed_under = NULL", "performed_under IS NOT NULL", "nothing as its performed_under"),
        ("duty", "owed_by = 'lea'", "TRUE", "“lea” as its owed_by"),
        ("duty", "occurrence = 9", "verdict = 'on_time'", "as its id"),
        ("duty", "escalated_at = NULL", "escalated_at IS NOT NULL", "nothing as its escalated_at"),
        ("due_date", f"body = {REASONS}", "TRUE", "The due date"),
        ("notice", f"given_at = {ELSEWHEN}", "given_at IS NOT NULL", "as its given_at"),
        ("notice", f"given_at = {ELSEWHEN}", "given_at IS NULL", "as its given_at"),
        ("notice", "lacking = '[]'", "given_at IS NOT NULL", "as its lacking"),
        ("notice", "acknowledged_at = given_at", "acknowledged_at IS NULL", "as its acknowledged_at, and no entry"),
        ("delivery", "status = 'accepted'", "status = 'rejected'", "says: “rejected”"),
        ("delivery", "status = 'accepted'", "status = 'bounced'", "says: “bounced”"),
        ("delivery", "status = 'accepted'", "status = 'vouched'", "says: “vouched”"),
        ("delivery", "vouched_by = 'another'", "status = 'vouched'", "“another” as its vouched_by"),
        ("delivery", f"settled_at = {ELSEWHEN}", "status = 'accepted'", "as its settled_at"),
        ("delivery", "reply_code = 251", "status = 'accepted'", "“251” as its reply_code"),
        ("delivery", "queue_id = 'Z9'", "status = 'accepted'", "“Z9” as its queue_id"),
        ("delivery", f"contact_id = {FORMER}", "status = 'accepted'", "as its contact_id"),
        ("delivery", f"message_sha256 = {LAST_ARTIFACT}", "status = 'accepted'", "as its message_sha256"),
        ("delivery_report", "kind = 'delivered'", "TRUE", "“delivered” as its kind"),
        ("agreement_contact", "rank = 7", "TRUE", "“7” as its rank"),
        ("agreement_contact", "rank = 0", "rank = -1", "“0” as its rank"),
        ("duenotice_case", "status = 'dismissed'", "TRUE", "“dismissed” as its status"),
        ("duenotice_case", "closed_at = opened_at", "TRUE", "as its closed_at, and no entry says so"),
        ("case_act", "actor = 'another'", "TRUE", "“another” as its actor"),
        ("case_agreement", f"terms_hash = {LAST_TERMS}", "TRUE", "as its terms_hash"),
        ("terms_snapshot", "body = 'x'", "TRUE", "et of terms"),
        ("proposal", "decided_by = proposed_by", "TRUE", "as its decided_by"),
        ("proposal", "undone_by = NULL", "undone_by IS NOT NULL", "as its undone_by"),
        ("answer", "kind = 'question'", "TRUE", "“question” as its kind"),
        ("batch", "released_by = 'another'", "released_by IS NOT NULL", "“another” as its released_by"),
    ],
)
def test_a_change_in_a_table_is_found_and_named(
    played: Database, table: str, change: str, where: str, says: str
) -> None:
    with tampered(played, f"UPDATE {table} SET {change} WHERE {where}") as session:
        found = held(session).disagreement
        assert found
        assert says in found.sentence, found.sentence
        assert found.table == table
        if found.entry:
            assert re.search(rf"entry {found.entry:,} \(\w", found.sentence), found.sentence


@pytest.mark.parametrize("table", ["answer", "delivery_report"])
def test_a_row_that_is_gone_is_named_with_the_entry_that_speaks_of_it(played: Database, table: str) -> None:
    with tampered(played, f"DELETE FROM {table}") as session:
        found = held(session).disagreement
    assert found
    assert re.search(r"is missing in the table; entry [\d,]+ \(\w+\) speaks of it", found.sentence)


def test_a_row_that_no_entry_speaks_of_is_one_too_many(played: Database) -> None:
    with tampered(played) as session:
        duty = session.exec(select(Duty).where(Duty.verdict == Verdict.ON_TIME)).first()
        assert duty
        session.add(Duty(**duty.model_dump() | {"id": uuid4(), "occurrence": 7}))
        session.flush()
        found = held(session).disagreement
    assert found
    assert (found.table, found.column, found.entry) == ("duty", None, None)
    assert found.sentence.endswith("stands in the table, and no entry says anything of it.")


def test_two_addresses_that_were_swapped_are_found_and_not_repeated(played: Database) -> None:
    with tampered(played) as session:
        first, second = session.exec(select(AgreementContact).where(AgreementContact.rank == 0).limit(2)).all()
        first.email, second.email = second.email, first.email
        session.add_all([first, second])
        session.flush()
        found = held(session).disagreement
        assert found
        assert (found.table, found.column, found.holds, found.says) == ("agreement_contact", "email", None, None)
        assert "(contacts_recorded) says" in found.sentence
        assert "@" not in found.sentence


@pytest.mark.parametrize(("column", "value"), [("email", "'another@district.test'"), ("party", "'nobody'")])
def test_what_can_no_longer_be_read_is_found(played: Database, column: str, value: str) -> None:
    """An address that was not sealed under the installation's key, and a word that the column cannot hold."""
    sealed = f"CAST({value} AS BLOB)" if played.engine.dialect.name == "sqlite" else f"{value}::bytea"
    given = sealed if column == "email" else value
    with tampered(played, f"UPDATE agreement_contact SET {column} = {given}") as session:
        found = held(session).disagreement
    assert found
    assert found.sentence.startswith("A contact, in the first row of its table, cannot be read.")
    assert "another@district" not in found.sentence


def test_the_check_of_the_ledger_names_it_as_its_last_step(played: Database) -> None:
    with tampered(played, "UPDATE duty SET verdict = 'late' WHERE verdict = 'on_time'") as session:
        found = verify_all(session)
        assert found.flaw
        assert (found.flaw.step, "as its verdict" in found.flaw.reason) == (Step.TABLES, True)
        assert verify_all(session, tables=False).sound, "the ledger itself is what it was"


def test_what_an_entry_lists_and_nobody_can_read_is_no_proof_of_anything(played: Database) -> None:
    with tampered(played) as session:
        listed = session.execute(
            text("SELECT artifacts FROM evidence WHERE kind = 'contacts_recorded' ORDER BY number LIMIT 1")
        ).scalar_one()
        name = re.findall("[0-9a-f]{64}", str(listed))[0]
        session.execute(text("UPDATE artifact SET content = NULL WHERE sha256 = :name"), {"name": name})
        with pytest.raises(IntegrityError, match="can be held against it") as caught:
            held(session)
        assert name in str(caught.value)


def test_an_entry_whose_particulars_are_another_kind_s_is_named(played: Database) -> None:
    with tampered(played) as session:
        pretend_kept(session, "e" * 64)
        append(session, ContactsRecorded(actor="officer", at=NOW, contacts=1, contacts_sha256="e" * 64))
        with pytest.raises(IntegrityError):
            held(session)


TABLES = {
    mapper.class_ for mapper in SQLModel._sa_registry.mappers if mapper.class_.__module__ == models.tables.__name__
}


def test_every_table_is_held_or_says_why_not() -> None:
    assert set(HELD) | set(NOT_HELD) == TABLES
    assert not set(HELD) & set(NOT_HELD)
    assert all(why.reason for why in NOT_HELD.values())


@pytest.mark.parametrize("table", list(HELD), ids=lambda table: table.__name__)
def test_every_column_of_a_held_table_has_a_rule_or_says_why_not(table: type[SQLModel]) -> None:
    columns = HELD[table].columns
    assert set(columns) == set(table.model_fields)
    assert all(rule.reason for rule in columns.values() if isinstance(rule, Why))
    assert any(not isinstance(rule, Why) for rule in columns.values())


@pytest.mark.long
def test_holding_takes_no_more_memory_for_a_longer_ledger() -> None:
    """Facts go to disk: ten times as many take no more memory, but for SQLite's own pages."""
    from ledger.held.scratch import Scratch

    taken = []
    for rows in (5_000, 50_000):
        scratch = Scratch()
        tracemalloc.start()
        for number in range(rows):
            scratch.say("duty", f"{number:032x}", number, status="running", due_at=NOW)
        assert sum(1 for _ in scratch.all("duty")) == rows
        taken.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        scratch.close()
    assert taken[1] < 1.5 * taken[0]
