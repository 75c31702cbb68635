"""What comes back about mails that are no notices: it is evidence, shown with what it belongs to, and moves no duty."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from agreements.subprocessors import import_subprocessors
from config.database import Database
from ledger.verify import verify_ledger
from mail.handover import Rejected
from mail.reports import Report
from models.enums import HolderMail, ReportKind
from models.tables import AgreementContact, DeliveryReport, Duty, EvidenceEntry, SentMail
from queries.holders import holders_of
from queries.mail import came_back_in, read_mail
from records.bounces import MOST_REPORTS, CameBack, Fate, Recorded, StillUnderWay
from records.deliveries import Answer
from records.holder_mail import HolderLetter, note_letter, prepare_letters
from records.need_sorts import NeedKind
from records.needs import Asking, read_needs
from records.sent_mail import (
    UNDER_WAY,
    MailToSend,
    begin_mail,
    mails_of_message,
    note_bounces_told,
    record_mail_report,
    returned_mails,
    settle_mail,
    untold_bounces,
)
from tests.support.case_in_sql import QUEUED
from tests.support.directives import BACKUP, HOSTING, ILLINOIS, DirectiveInSql, address_of, open_directive

HOUR = timedelta(hours=1)
GONE = Report(ReportKind.FAILED, status="5.1.1", says="550 5.1.1 No such user")


def hand_over(database: Database, mail: MailToSend, case: DirectiveInSql, answer: Answer | None = QUEUED) -> None:
    """Hand a mail over, to this answer of the mail server; None leaves it under way."""
    with database.writing() as session:
        begin_mail(session, mail, case.now, HOUR)
        if answer is not None:
            settle_mail(session, mail, answer, case.now)


def asked(database: Database, answer: Answer | None = QUEUED) -> tuple[DirectiveInSql, HolderLetter]:
    """A directive of which two subprocessors were asked, with what the first was written."""
    case = open_directive(database, HOSTING, BACKUP)
    with database.writing() as session:
        letters = {
            letter.holder: letter for letter in prepare_letters(session, case.writer, case.id, case.policy, case.now)
        }
    for letter in letters.values():
        hand_over(database, letter.mail, case, answer)
        with database.writing() as session:
            note_letter(session, letter, case.now, rejected=isinstance(answer, Rejected), unknown=False)
    case.compute()
    return case, letters[HOSTING]


def back(
    case: DirectiveInSql, mail_id: UUID, report: Report = GONE, *, source: str | None = None, attempt: int | None = 1
) -> Recorded:
    came = CameBack(source or uuid4().hex, mail_id, attempt, report, "imap", b"It came back.")
    with case.database.writing() as session:
        return record_mail_report(session, came, case.now)


def evidence(database: Database, kind: str) -> list[EvidenceEntry]:
    with database.reading() as session:
        found = select(EvidenceEntry).where(EvidenceEntry.kind == kind)
        return list(session.exec(found.order_by(col(EvidenceEntry.number))))


def needs(case: DirectiveInSql) -> list[NeedKind]:
    found, _ = read_needs(case.database, Asking("cli:ops"), case.now, offset=0, limit=50)
    return [need.kind for need in found]


def duties(database: Database) -> list[tuple[object, ...]]:
    with database.reading() as session:
        rows = session.exec(select(Duty).order_by(col(Duty.id))).all()
        return [(row.status, row.due_at, row.verdict, row.reopened_at, row.performed_at) for row in rows]


def test_a_task_that_came_back_is_evidence_a_need_of_a_person_and_moves_no_duty(database: Database) -> None:
    case, letter = asked(database)
    before = duties(database)
    assert NeedKind.HOLDERS_UNREACHED not in needs(case)
    case.now += HOUR
    assert back(case, letter.mail.id) == Recorded(Fate.RECORDED)
    (entry,) = evidence(database, "mail_bounced")
    assert (entry.case_id, entry.subject) == (case.id, str(letter.mail.id))
    assert (entry.body["sort"], entry.body["belongs_to"]) == ("holders/asked", str(letter.task_id))
    assert "@" not in str(entry.body)
    assert letter.sha256 in entry.artifacts, "the mail as it is kept, without its link"
    assert duties(database) == before
    assert NeedKind.HOLDERS_UNREACHED in needs(case)
    with database.reading() as session:
        (holder,) = (view for view in holders_of(session, case.id) if view.called == HOSTING)
        assert (holder.unreached_since, holder.unreached_says) == (case.now, GONE.says)
        (shown,) = came_back_in(session, case.id)
        assert (shown.sort, shown.to, shown.at) == ("holders/asked", HOSTING, case.now)
    with database.reading() as session:
        assert verify_ledger(session).sound


def test_the_right_address_ends_the_need_and_the_holder_is_asked_there(database: Database) -> None:
    case, letter = asked(database)
    back(case, letter.mail.id)
    rows = f"agreement,name,email,data\n{ILLINOIS.reference},{HOSTING},office@hosting.example.org,Rosters\n"
    import_subprocessors(database, rows, file_name="right.csv", now=case.now, actor="officer")
    written = case.write()
    assert [(each.holder, each.why, each.to.email) for each in written] == [
        (HOSTING, HolderMail.ASKED, "office@hosting.example.org")
    ]
    assert NeedKind.HOLDERS_UNREACHED not in needs(case)


def test_one_that_its_mail_server_refuses_at_once_is_such_a_need_too(database: Database) -> None:
    case, _ = asked(database, Rejected(550, "5.1.1 No such user"))
    assert NeedKind.HOLDERS_UNREACHED in needs(case)


def test_once_the_holder_answered_nothing_is_needed(database: Database) -> None:
    case, letter = asked(database)
    back(case, letter.mail.id)
    case.answer(HOSTING)
    assert NeedKind.HOLDERS_UNREACHED not in needs(case)


def test_it_is_recorded_once_however_often_it_comes(database: Database) -> None:
    case, letter = asked(database)
    assert back(case, letter.mail.id, source="one").fate is Fate.RECORDED
    case.now += HOUR
    assert back(case, letter.mail.id, source="one").fate is Fate.KNOWN
    assert len(evidence(database, "mail_bounced")) == 1


def test_of_one_mail_no_more_is_kept_than_a_person_can_read(database: Database) -> None:
    case, letter = asked(database)
    with database.writing() as session:
        session.get_one(SentMail, letter.mail.id).reports = MOST_REPORTS
    assert back(case, letter.mail.id).fate is Fate.KNOWN


@pytest.mark.parametrize("kind", [ReportKind.DELAYED, ReportKind.AUTO_REPLY, ReportKind.UNCLEAR, ReportKind.COMPLAINT])
def test_what_is_no_failure_is_evidence_and_no_more(database: Database, kind: ReportKind) -> None:
    case, letter = asked(database)
    assert back(case, letter.mail.id, Report(kind)).fate is Fate.RECORDED
    assert [entry.body["report"] for entry in evidence(database, "mail_reported")] == [kind]
    assert NeedKind.HOLDERS_UNREACHED not in needs(case)
    with database.reading() as session:
        assert untold_bounces(session, 10) == []
        assert session.exec(select(DeliveryReport)).all() == [], "none is about a notice"


def test_what_is_said_of_another_address_changes_nothing(database: Database) -> None:
    case, letter = asked(database)
    back(case, letter.mail.id, Report(ReportKind.FAILED, frozenset({"somebody@else.example.org"})))
    assert evidence(database, "mail_bounced") == []
    assert NeedKind.HOLDERS_UNREACHED not in needs(case)


@pytest.mark.parametrize("attempt", [2, 65_535])
def test_what_names_no_attempt_of_ours_is_foreign(database: Database, attempt: int) -> None:
    case, letter = asked(database)
    assert back(case, letter.mail.id, attempt=attempt).fate is Fate.FOREIGN
    assert back(case, uuid4()).fate is Fate.FOREIGN


def test_one_that_overtakes_the_server_s_own_answer_comes_again_but_not_for_ever(database: Database) -> None:
    case, letter = asked(database, answer=None)
    with pytest.raises(StillUnderWay):
        back(case, letter.mail.id)
    case.now += UNDER_WAY
    assert back(case, letter.mail.id).fate is Fate.RECORDED, "whoever handed it over has stopped"


def test_a_provider_s_event_names_a_mail_by_its_message_id_and_address(database: Database) -> None:
    _, letter = asked(database)
    with database.reading() as session:
        found = mails_of_message(session, f"<{letter.mail.id}@provider.example.org>", [address_of(HOSTING).upper()])
        assert found == [letter.mail.id]
        assert mails_of_message(session, f"<{letter.mail.id}@provider.example.org>", ["x@example.org"]) == []
        assert mails_of_message(session, f"<{uuid4()}@provider.example.org>", [address_of(HOSTING)]) == []


def test_what_came_back_is_told_once_by_case_and_of_the_telling_itself_nobody_is(database: Database) -> None:
    case, letter = asked(database)
    sorts = ("people/reminder", "people/mail_back")
    ours = [MailToSend(uuid4(), sort, "robin@provider.example.org", b"Hello", who="robin") for sort in sorts]
    for mail in ours:
        hand_over(database, mail, case)
    back(case, letter.mail.id)
    case.now += HOUR
    for mail in ours:
        back(case, mail.id)
    with database.writing() as session:
        (first,) = returned_mails(session, untold_bounces(session, 10))
        assert (first.case_id, first.to) == (case.id, HOSTING)
        note_bounces_told(session, [first.id], case.now)
        (second,) = returned_mails(session, untold_bounces(session, 10))
        assert (second.case_id, second.to, second.sort) == (None, "robin", "people/reminder")
        note_bounces_told(session, [second.id], case.now)
        assert untold_bounces(session, 10) == []
    assert {mail.sort for mail in read_mail(database).came_back} == set(sorts), "shown on the page of mail"


def test_a_contact_from_which_a_request_to_answer_came_back_is_known_to_fail(database: Database) -> None:
    case, _ = asked(database)
    with database.reading() as session:
        contact = session.exec(
            select(AgreementContact).where(AgreementContact.agreement_id == ILLINOIS.agreement)
        ).first()
        assert contact
    mail = MailToSend(uuid4(), "districts/asked_to_answer", contact.email, b"Hello", case.id, uuid4(), contact.id)
    hand_over(database, mail, case)
    before = duties(database)
    back(case, mail.id)
    with database.reading() as session:
        assert session.get_one(AgreementContact, contact.id).failing_since == case.now
    assert duties(database) == before
