"""A draft mailed to an officer as a test: kept as what it is, and never as a notice."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from config.database import Database
from ledger.append import append
from ledger.artifacts import store
from ledger.entries import DraftTested
from mail.compose import Addressing, compose
from mail.facts import Mailbox
from models import identifiers
from records.outbox import NoticeWriter
from records.queries.drafts import Drafts


def keep_test(
    database: Database, writer: NoticeWriter, case_id: UUID, notice_id: UUID, to: Mailbox, *, actor: str, now: datetime
) -> bytes:
    """Write a draft as a test for one officer, marked so, and keep it with its evidence; return the message.

    Raises:
        NotFound: there is no such case, or the draft does not wait in it.
        Refused: nobody is left who could be told by it.
    """
    with database.writing() as session:
        drafted = Drafts(session, writer, case_id, now).drafted(notice_id)
        name = identifiers.plain_mail_id(f"draft test:{notice_id}:{actor}:{now.isoformat()}")
        addressing = Addressing(
            message_id=identifiers.message_id(name, writer.message_id_domain), sender=writer.sender, to=(to,)
        )
        raw = compose(drafted.facts, addressing, test=True).raw
        sha256 = store(session, raw, "message/rfc822", now)
        append(session, DraftTested(case_id=case_id, actor=actor, at=now, notice_id=notice_id, message_sha256=sha256))
    return raw
