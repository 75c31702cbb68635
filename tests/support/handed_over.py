"""A file that is handed to the LEA of a case, in SQL alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

from cases.parent_access import PARENT_ACCESS
from config.database import Database
from ledger.artifacts import store
from mail.handed_over import HANDED_FOLDER
from mail.holder_links import digest_of
from records.handed_over import FileMail, hand_over, note_file_mail
from records.uploads import uploaded_file
from starter.resources import utc_now
from tests.support.case_in_sql import WRITER, CaseInSql, Place, open_in_sql

PLACE = Place("ndpa-v1", "IL")
CONTENT = b"student,grade\n4711,A\n"
DAYS = 30
A_MONTH = timedelta(days=DAYS)


@dataclass
class Handed:
    """A file that was handed over, with the mail about it."""

    case: CaseInSql
    mail: FileMail

    @property
    def token(self) -> str:
        """The token of the link in the mail."""
        found = re.search(rf"{HANDED_FOLDER}(\S{{43}})", text_of(self.mail.mail.raw))
        assert found, "the mail has no link"
        return found[1]

    @property
    def digest(self) -> str:
        """What SQL knows the link by."""
        return digest_of(self.token)


def text_of(raw: bytes) -> str:
    """What a mail says, in plain text."""
    body = BytesParser(EmailMessage, policy=policy.SMTP).parsebytes(raw).get_body(("plain",))
    assert body
    content: str = body.get_content()
    return content


def hand_a_file_over(database: Database, content: bytes = CONTENT, *, days: int = DAYS) -> Handed:
    """Hand a file to the LEA of a new request for access; its mail was accepted."""
    case = open_in_sql(database, PARENT_ACCESS, [PLACE], utc_now())
    file = uploaded_file("grades of 4711.csv", content)
    mail = hand_over(database, WRITER, case.id, file, None, days=days, actor="officer", now=case.now)
    with database.writing() as session:
        sha256 = store(session, mail.mail.kept or b"", "message/rfc822", case.now)
    note_file_mail(database, mail, sha256, actor="officer", now=case.now)
    return Handed(case, mail)
