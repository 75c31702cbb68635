"""A notice as it was sent, for whoever holds its link."""

from __future__ import annotations

from email import message_from_bytes, policy
from uuid import UUID

from sqlmodel import col, select

from config.database import Database
from ledger.artifacts import fetch, is_kept, text_of
from mail.delivery_states import ARRIVED
from models.columns import ERASED
from models.tables import Delivery, PostalLetter
from models.view import View


class SentLetter(View):
    """The words of a notice, all of them."""

    subject: str
    text: str


def read_sent_letter(database: Database, notice_id: UUID) -> SentLetter | None:
    """The letter that a mail server took for a notice, or that was written to be posted; None where there is neither.

    What only counsel got in copy comes last.
    """
    with database.reading() as session:
        taken = session.exec(
            select(Delivery.message_sha256, Delivery.is_copy)
            .where(Delivery.notice_id == notice_id, col(Delivery.status).in_(ARRIVED))
            .order_by(col(Delivery.is_copy), col(Delivery.settled_at), col(Delivery.id))
        ).first()
        sha256, is_copy = taken or (None, True)
        on_paper = session.exec(
            select(PostalLetter.words_sha256).where(
                PostalLetter.notice_id == notice_id, col(PostalLetter.replaced_at).is_(None)
            )
        ).first()
        if is_copy and on_paper:
            subject, _, text = text_of(session, on_paper).partition("\n\n")
            return SentLetter(subject=subject, text=text)
        if sha256 is None:
            return None
        if not is_kept(session, sha256):
            return SentLetter(subject=ERASED, text=ERASED)
        message = message_from_bytes(fetch(session, sha256), policy=policy.SMTP)
    body = message.get_body(("plain",))
    return SentLetter(subject=str(message["Subject"]), text=body.get_content() if body else "")
