"""A notice as it was sent, for whoever holds its link."""

from __future__ import annotations

from email import message_from_bytes, policy
from uuid import UUID

from sqlmodel import col, select

from config.database import Database
from ledger.artifacts import fetch
from mail.delivery_states import ARRIVED
from models.tables import Delivery
from models.view import View


class SentLetter(View):
    """The words of a notice, all of them."""

    subject: str
    text: str


def read_sent_letter(database: Database, notice_id: UUID) -> SentLetter | None:
    """The letter that a mail server took for a notice; None where none has taken one."""
    with database.reading() as session:
        sha256 = session.exec(
            select(Delivery.message_sha256)
            .where(Delivery.notice_id == notice_id, col(Delivery.status).in_(ARRIVED))
            .order_by(col(Delivery.settled_at), col(Delivery.id))
        ).first()
        if sha256 is None:
            return None
        message = message_from_bytes(fetch(session, sha256), policy=policy.SMTP)
    body = message.get_body(("plain",))
    return SentLetter(subject=str(message["Subject"]), text=body.get_content() if body else "")
