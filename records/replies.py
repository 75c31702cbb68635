"""The answers that officers give to questions of LEAs: kept, and written as letters to who asked."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import HttpUrl
from sqlmodel import Session, col, select

from cases.acts import AnswerQuestion
from ledger.artifacts import fetch
from ledger.entries import JsonObject
from mail.compose import Addressing
from mail.delivery_states import ARRIVED
from mail.facts import Mailbox
from mail.replies import ReplyFacts, compose_reply
from models import identifiers
from models.enums import AnswerKind, DeliveryStatus
from models.errors import NotFound
from models.tables import Agreement, Answer, Delivery, Duty, Letter, Notice
from records.answers import open_answer
from records.outbox import NoticeWriter


def keep_reply(
    session: Session, case_id: UUID, act: AnswerQuestion, *, act_id: UUID, actor: str, at: datetime
) -> JsonObject:
    """Keep the answer to a question, and a place in the outbox for its letter; return what evidence adds.

    That is the question by the SHA-256 of what was asked; the answer's own is with the act.

    Raises:
        NotFound: the case has no such question.
        Refused: it was dealt with already.
    """
    question = open_answer(session, case_id, act.question)
    if question.kind is not AnswerKind.QUESTION:
        raise NotFound("This is no question.", where="question", next_step="Choose one on the case's page.")
    question.seen_at = at
    reply = Letter(
        id=identifiers.letter_id(act_id),
        act_id=act_id,
        answer_id=question.id,
        case_id=case_id,
        text_sha256=act.text.sha256,
        status=DeliveryStatus.RESERVED,
        again_at=at,
        written_by=actor,
        written_at=at,
    )
    session.add(reply)
    return {"notice": str(question.notice_id), "reply": str(reply.id), "asked_sha256": question.said_sha256}


def reopen(session: Session, answer_id: UUID) -> None:
    """Make a question open again, since the letter that answers it did not arrive for sure."""
    question = session.get_one(Answer, answer_id)
    question.seen_at = question.raised_at = None


def write_reply(session: Session, writer: NoticeWriter, reply: Letter, now: datetime) -> bytes:
    """The letter that answers a question, as it is sent."""
    question = session.get_one(Answer, reply.answer_id)
    notice, agreement = session.exec(
        select(Notice, Agreement)
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .where(Notice.id == question.notice_id)
    ).one()
    asked_about = select(Delivery.message_id).where(
        Delivery.notice_id == notice.id, col(Delivery.status).in_(ARRIVED), col(Delivery.is_copy).is_(False)
    )
    facts = ReplyFacts(
        sender=writer.organisation,
        reader=agreement.lea_name,
        asker=question.name or agreement.lea_name,
        agreement_reference=agreement.reference,
        case_reference=identifiers.case_reference(reply.case_id),
        time_zone=agreement.time_zone,
        asked_at=question.given_at,
        replied_at=now,
        question=question.text or "",
        answer=fetch(session, reply.text_sha256).decode(),
        answers_url=None if notice.link_revoked_at else HttpUrl(writer.link(notice)),
        follows=session.exec(asked_about.order_by(col(Delivery.id))).first(),
    )
    to = Mailbox(name=question.name or "", email=question.email or "")
    message_id = identifiers.message_id(reply.id, writer.message_id_domain)
    return compose_reply(facts, Addressing(message_id=message_id, sender=writer.sender, to=(to,)), writer.templates).raw
