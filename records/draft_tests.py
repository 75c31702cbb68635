"""A draft mailed to an officer as a test: kept as what it is, and never as a notice."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from ledger.append import append
from ledger.artifacts import store
from ledger.entries import DraftTested
from mail.compose import Addressing, compose
from mail.facts import Mailbox
from models import identifiers
from records.outbox import DraftedNotice, NoticeWriter
from records.sent_mail import MailToSend

SORT = "draft_test"
"""What such a mail is called among those that are sent: it is written from the templates of its notice."""


def keep_test(
    session: Session,
    writer: NoticeWriter,
    case_id: UUID,
    draft: DraftedNotice,
    to: Mailbox,
    *,
    actor: str,
    now: datetime,
) -> MailToSend:
    """Write a draft as a test for one officer, marked so, and keep it with its evidence; it is still to be sent."""
    notice_id = draft.notice_id
    name = identifiers.plain_mail_id(f"draft test:{notice_id}:{actor}:{now.isoformat()}")
    addressing = Addressing(
        message_id=identifiers.message_id(name, writer.message_id_domain), sender=writer.sender, to=(to,)
    )
    raw = compose(draft.facts, addressing, test=True, templates=writer.templates).raw
    sha256 = store(session, raw, "message/rfc822", now, case=case_id)
    append(session, DraftTested(case_id=case_id, actor=actor, at=now, notice_id=notice_id, message_sha256=sha256))
    return MailToSend(id=name, sort=SORT, email=to.email, raw=raw, case_id=case_id, belongs_to=notice_id, who=actor)
