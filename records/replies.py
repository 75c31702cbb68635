"""The answers that officers give to questions of LEAs: kept, written as letters, and what became of those.

A letter has a place in an outbox of its own, since it performs no duty, goes to who asked rather than to a contact of
the agreement, and leaves also once its case is closed and has no workflow. It is reserved and marked as under way
before it is handed over, and settled afterwards, in two transactions; it leaves at least once, under one Message-ID.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import HttpUrl
from sqlmodel import Session, col, select

from cases.acts import AnswerQuestion
from ledger.actors import ENGINE
from ledger.append import append
from ledger.artifacts import fetch, store
from ledger.entries import JsonObject, ReplyHandedOver
from mail.compose import Addressing
from mail.facts import Mailbox
from mail.handover import Accepted, DeliveryDeferred, OutcomeUnknown, Rejected
from mail.replies import ReplyFacts, compose_reply
from models import identifiers
from models.enums import AnswerKind, DeliveryStatus, Told
from models.errors import NotFound
from models.tables import Agreement, Answer, Delivery, Duty, Notice, Reply
from records.answers import open_answer
from records.deliveries import Answer as ServerAnswer
from records.deliveries import put_off, put_unknown_off
from records.outbox import ARRIVED, UNSETTLED, NoticeWriter

UNDER_WAY = timedelta(minutes=15)
"""After how long a letter is taken up again of which nobody wrote down what became of it."""

SERVER_AWAY = timedelta(minutes=1)
"""When a letter is tried again that no server took."""


@dataclass(frozen=True)
class OutgoingReply:
    """One letter ready to be handed to the mail server."""

    reply_id: UUID
    email: str
    raw: bytes = field(repr=False)


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
    reply = Reply(
        id=identifiers.reply_id(act_id),
        answer_id=question.id,
        case_id=case_id,
        text_sha256=act.text.sha256,
        status=DeliveryStatus.RESERVED,
        again_at=at,
        replied_by=actor,
        replied_at=at,
    )
    session.add(reply)
    return {"notice": str(question.notice_id), "reply": str(reply.id), "asked_sha256": question.said_sha256}


def take_up(session: Session, writer: NoticeWriter, now: datetime, limit: int) -> list[OutgoingReply]:
    """Take letters that are to be sent by now, the longest waiting first, and mark them as under way.

    One that was under way before and of which nothing is known is sent again as it is.
    """
    waiting = (col(Reply.status).in_(UNSETTLED), col(Reply.again_at) <= now)
    rows = session.exec(
        select(Reply, Answer)
        .join(Answer, col(Answer.id) == col(Reply.answer_id))
        .where(*waiting)
        .order_by(col(Reply.again_at), col(Reply.id))
        .limit(limit)
        .with_for_update(skip_locked=True, of=Reply)
    ).all()
    return list(_take_up(session, writer, rows, now))


def _take_up(
    session: Session, writer: NoticeWriter, rows: Sequence[tuple[Reply, Answer]], now: datetime
) -> Iterator[OutgoingReply]:
    for reply, question in rows:
        if reply.attempted_at is not None:  # it was broken off between handing over and settling
            reply.status = DeliveryStatus.UNKNOWN
        if reply.message_sha256 is None:
            letter = _write(session, writer, reply, question, now)
            reply.message_sha256 = store(session, letter, "message/rfc822", now)
        reply.attempts, reply.attempted_at, reply.again_at = reply.attempts + 1, now, now + UNDER_WAY
        yield OutgoingReply(reply.id, question.email or "", fetch(session, reply.message_sha256))


def settle_reply(
    session: Session, reply_id: UUID, answer: ServerAnswer, now: datetime, *, unknown_resends: int
) -> None:
    """Write what the mail server answered, with the evidence of it.

    A question whose letter was refused, or of which nobody can say whether it arrived, is open again.
    """
    reply = session.get_one(Reply, reply_id)
    assert reply.message_sha256, "a letter is written before it is handed over"
    reply.attempted_at = None
    match answer:
        case Accepted():
            outcome, reply.status, reply.again_at, reply.settled_at = Told.ACCEPTED, DeliveryStatus.ACCEPTED, None, now
        case Rejected():
            outcome, reply.status, reply.again_at, reply.settled_at = Told.REJECTED, DeliveryStatus.REJECTED, None, now
        case OutcomeUnknown():
            outcome = Told.UNKNOWN
            if reply.status is not DeliveryStatus.UNKNOWN:
                reply.status, reply.tries = DeliveryStatus.UNKNOWN, 0
            put_unknown_off(reply, now, unknown_resends)
        case DeliveryDeferred() if reply.status is DeliveryStatus.RESERVED:
            put_off(reply, now)
            return
        case _:  # no server took anything
            reply.again_at = now + SERVER_AWAY
            return
    if reply.again_at is None and reply.status is not DeliveryStatus.ACCEPTED:
        question = session.get_one(Answer, reply.answer_id)
        question.seen_at = question.raised_at = None
    append(
        session,
        ReplyHandedOver(
            case_id=reply.case_id,
            actor=ENGINE,
            at=now,
            reply_id=reply.id,
            answer=reply.answer_id,
            message_sha256=reply.message_sha256,
            attempt=reply.attempts,
            outcome=outcome,
            code=answer.code if isinstance(answer, Accepted | Rejected) else None,
        ),
    )


def _write(session: Session, writer: NoticeWriter, reply: Reply, question: Answer, now: datetime) -> bytes:
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
    return compose_reply(facts, Addressing(message_id=message_id, sender=writer.sender, to=(to,))).raw
