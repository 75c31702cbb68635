"""The letters of officers, handed to a mail server that says what a test has it say."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from mail.reports import Report
from models.enums import ReportKind
from records.bounces import CameBack
from records.deliveries import Answer
from records.letters import settle_letter, take_up
from records.sent_mail import begin_mail, record_mail_report, settle_mail
from tests.support.case_in_sql import QUEUED, WRITER, CaseInSql


def hand_over(case: CaseInSql, says: Answer = QUEUED, *, resends: int = 0) -> list[str]:
    """Send the letters that wait, with what the mail server says; return them."""
    with case.database.writing() as session:
        letters = take_up(session, WRITER, case.now, 10)
        for letter in letters:
            begin_mail(session, letter.mail, case.now, timedelta(hours=1))
            settle_mail(session, letter.mail, says, case.now)
            settle_letter(session, letter.letter_id, says, case.now, unknown_resends=resends)
    return [letter.raw.decode() for letter in letters]


def come_back(case: CaseInSql, letter_id: UUID) -> None:
    """Let a letter come back, as a mailbox that there is not."""
    gone = Report(ReportKind.FAILED, status="5.1.1", says="550 5.1.1 No such user")
    with case.database.writing() as session:
        record_mail_report(session, CameBack(uuid4().hex, letter_id, 1, gone, "imap", b"It came back."), case.now)
