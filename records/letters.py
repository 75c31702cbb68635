"""The letters that officers write, and what became of them: answers to questions, and word that a duty is overdue.

A letter has a place in an outbox of its own, since it performs no duty, is not released or put together with others,
and leaves also once its case is closed and has no workflow. It is reserved and marked as under way before it is handed
over, and settled afterwards, in two transactions; it leaves at least once, under one Message-ID.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from config.logging import get_logger
from ledger.actors import ENGINE
from ledger.append import append
from ledger.artifacts import fetch, store
from ledger.entries import CaseEvent, ReplyHandedOver
from mail.delivery_states import UNSETTLED
from mail.handover import Accepted, DeliveryDeferred, OutcomeUnknown, Rejected
from mail.overdue import OverdueFacts
from mail.replies import ReplyFacts
from models.enums import DeliveryStatus, Told
from models.errors import IntegrityError
from models.tables import AgreementContact, Answer, Letter
from records.deliveries import Answer as ServerAnswer
from records.deliveries import put_off, put_unknown_off
from records.outbox import NoticeWriter
from records.overdue_letters import drop, handed_over, is_still_to_tell, turn_to_the_next, write_overdue
from records.replies import reopen, write_reply
from records.sent_mail import MailToSend

_log = get_logger("letters")

UNDER_WAY = timedelta(minutes=15)
"""After how long a letter is taken up again of which nobody wrote down what became of it."""

SERVER_AWAY = timedelta(minutes=1)
"""When a letter is tried again that no server took."""


@dataclass(frozen=True)
class OutgoingLetter:
    """One letter ready to be handed to the mail server."""

    letter_id: UUID
    mail: MailToSend

    @property
    def email(self) -> str:
        """To which address it goes."""
        return self.mail.email

    @property
    def raw(self) -> bytes:
        """The message."""
        return self.mail.raw


def take_up(session: Session, writer: NoticeWriter, now: datetime, limit: int) -> list[OutgoingLetter]:
    """Take letters that are to be sent by now, the longest waiting first, and mark them as under way.

    One that was under way before and of which nothing is known is sent again as it is. What tells of a duty that is not
    to be told of any more does not leave; nor, until it is restored, what is for an address that does not open.
    """
    rows = session.exec(
        select(Letter)
        .where(col(Letter.status).in_(UNSETTLED), col(Letter.again_at) <= now)
        .order_by(col(Letter.again_at), col(Letter.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    return list(_take_up(session, writer, rows, now))


def _take_up(session: Session, writer: NoticeWriter, rows: Sequence[Letter], now: datetime) -> Iterator[OutgoingLetter]:
    for letter in rows:
        if letter.attempted_at is not None:  # it was broken off between handing over and settling
            letter.status = DeliveryStatus.UNKNOWN
        if not is_still_to_tell(session, letter, writer.side, now):
            drop(session, letter, now)
            continue
        try:
            email = _address(session, letter)
            if letter.message_sha256 is None:
                written = _write(session, writer, letter, now)
                letter.message_sha256 = store(session, written, "message/rfc822", now, case=letter.case_id)
            raw = fetch(session, letter.message_sha256)
        except IntegrityError as error:
            _log.error("letter not sent", letter=str(letter.id), where=error.where, code=error.code)
            letter.again_at = now + SERVER_AWAY
            continue
        letter.attempts, letter.attempted_at, letter.again_at = letter.attempts + 1, now, now + UNDER_WAY
        mail = MailToSend(
            id=letter.id,
            sort=OverdueFacts.template if letter.duty_id else ReplyFacts.template,
            email=email,
            raw=raw,
            case_id=letter.case_id,
            belongs_to=letter.id,
            contact_id=letter.contact_id,
        )
        yield OutgoingLetter(letter.id, mail)


def settle_letter(
    session: Session, letter_id: UUID, answer: ServerAnswer, now: datetime, *, unknown_resends: int
) -> None:
    """Write what the mail server answered, with the evidence of it.

    A question whose letter was refused, or of which nobody can say whether it arrived, is open again. Where a contact
    refuses word of an overdue duty, the next one's turn comes.
    """
    letter = session.get_one(Letter, letter_id)
    letter.attempted_at = None
    match answer:
        case Accepted():
            outcome, letter.status = Told.ACCEPTED, DeliveryStatus.ACCEPTED
        case Rejected():
            outcome, letter.status = Told.REJECTED, DeliveryStatus.REJECTED
        case OutcomeUnknown():
            outcome = Told.UNKNOWN
            if letter.status is not DeliveryStatus.UNKNOWN:
                letter.status, letter.tries = DeliveryStatus.UNKNOWN, 0
            put_unknown_off(letter, now, unknown_resends)
        case DeliveryDeferred() if letter.status is DeliveryStatus.RESERVED:
            put_off(letter, now)
            return
        case _:  # no server took anything
            letter.again_at = now + SERVER_AWAY
            return
    code = None
    if isinstance(answer, Accepted | Rejected):
        code, letter.again_at, letter.settled_at = answer.code, None, now
    if letter.answer_id and letter.again_at is None and letter.status is not DeliveryStatus.ACCEPTED:
        reopen(session, letter.answer_id)
    if letter.duty_id and letter.status is DeliveryStatus.REJECTED:
        turn_to_the_next(session, letter, now)
    append(session, _event(session, letter, outcome, code, now))


def _event(session: Session, letter: Letter, outcome: Told, code: int | None, now: datetime) -> CaseEvent:
    """The evidence that a letter was handed to the mail server, and of what became of it."""
    assert letter.message_sha256, "a letter is written before it is handed over"
    if letter.answer_id is None:
        return handed_over(session, letter, outcome, code, now)
    return ReplyHandedOver(
        case_id=letter.case_id,
        actor=ENGINE,
        at=now,
        reply_id=letter.id,
        answer=letter.answer_id,
        message_sha256=letter.message_sha256,
        attempt=letter.attempts,
        outcome=outcome,
        code=code,
    )


def _write(session: Session, writer: NoticeWriter, letter: Letter, now: datetime) -> bytes:
    return write_overdue(session, writer, letter) if letter.duty_id else write_reply(session, writer, letter, now)


def _address(session: Session, letter: Letter) -> str:
    if letter.contact_id:
        return session.get_one(AgreementContact, letter.contact_id).email
    return session.get_one(Answer, letter.answer_id).email or ""
