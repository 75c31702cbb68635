"""What the mail server answered for each notice, and what that performs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, assert_never
from uuid import UUID
from zlib import crc32

from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from agreements.due_dates import StoredDueDate
from ledger import entries
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import CaseEvent, DeliveryPassedOver, DeliveryRejected, DeliveryUnknown
from mail.delivery_states import UNDER_WAY, WAITING, Happening, moved
from mail.handover import Accepted, DeliveryDeferred, MailServerUnavailable, OutcomeUnknown, Rejected, SendResult
from models.bulk import among, columns_of, tables_of, update_rows
from models.enums import SEEN, DeliveryStatus, NoticeKind, Verdict
from models.tables import AgreementContact, Batch, Delivery, Duty, Letter, Notice
from records.accepted import Taken, accept
from records.mail_state import PauseRule, disregard, is_disregarded, note_answered, pause_if_alike
from records.outbox import ANSWER_UNREAD, OutgoingMessage, attempt_of
from records.performing import perform_by_notice

PUT_OFF_MINUTES = (1, 2, 5, 10, 15, 30, 60)
"""After how many minutes a message that was put off is tried again, each time; the last one stays."""

LAST_TRY_BEFORE_DUE = timedelta(minutes=1)
"""How long before it is due a notice is tried once more that would be late by its own next moment."""

TRIES_BEFORE_THE_NEXT_CONTACT = 4
"""How often a contact's mail server may defer a notice before the next contact is told: about eight minutes."""

Answer: TypeAlias = SendResult | MailServerUnavailable | OutcomeUnknown


@dataclass(frozen=True)
class Handed:
    """One outgoing message with what the mail server answered."""

    outgoing: OutgoingMessage
    answer: Answer
    at: datetime


@dataclass(frozen=True)
class _Place:
    """A delivery with everything that an answer about it changes."""

    delivery: Delivery
    notice: Notice
    duty: Duty
    batch: Batch


_DELIVERY, _NOTICE = tables_of(Delivery, Notice)
_TO_MARK = (
    select_columns(*columns_of(Delivery, "id", "status", "attempts", "may_be_there_since"))
    .join(_NOTICE, _NOTICE.c.id == _DELIVERY.c.notice_id)
    .where(_NOTICE.c.dropped.is_(False), among(_DELIVERY.c.id, "deliveries"))
)


def mark_under_way(session: Session, deliveries: Mapping[UUID, datetime]) -> set[UUID]:
    """Note of some messages that their content begins to leave, each with when; return those that may leave.

    One that was dropped meanwhile may not, as when people decided that its notice is not to be sent.
    """
    session.flush()  # what is read in bulk is what stands there
    rows = session.execute(_TO_MARK, {"deliveries": list(deliveries)})
    marked = [
        {
            "id": delivery,
            "status": moved(status, Happening.HANDED_OVER),
            "attempts": attempts + 1,
            "attempted_at": deliveries[delivery],
            "may_be_there_since": since if status is DeliveryStatus.UNKNOWN else deliveries[delivery],
        }
        for delivery, status, attempts, since in rows
        if status in WAITING
    ]
    update_rows(session, Delivery, marked)
    return {row["id"] for row in marked}


def break_off(session: Session, batch_id: UUID, now: datetime, *, unknown_resends: int) -> None:
    """Note of what was under way in a batch that nobody can say whether it arrived: whoever sent it has stopped.

    It is sent again at once, unless that was so often that a person decides: its server may answer as well as ever.
    """
    rows = session.exec(
        select(Delivery, Notice.case_id)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .where(Notice.batch_id == batch_id, col(Delivery.status).in_(UNDER_WAY))
        .order_by(col(Delivery.id))
        .options(ANSWER_UNREAD)
    ).all()
    append(session, *(_lost(delivery, case_id, now, unknown_resends) for delivery, case_id in rows))
    for delivery, _ in rows:
        delivery.again_at = delivery.again_at and now


def settle(
    session: Session, handed: Sequence[Handed], *, unknown_resends: int, pause: PauseRule, on_the_way: int = 0
) -> bool:
    """Write what the mail server answered into the outbox, with the evidence of it; return whether mail is paused.

    A message of which nobody can say whether it arrived is sent again ``unknown_resends`` times, then a person decides.
    ``on_the_way`` is how many messages are about to be handed over, or were and are not answered yet.
    """
    session.flush()  # what is read in bulk is what stands there
    taken = [
        Taken(item.outgoing.delivery_id, item.answer, item.at) for item in handed if isinstance(item.answer, Accepted)
    ]
    events = accept(session, taken)
    others = [item for item in handed if not isinstance(item.answer, Accepted)]
    outbox = _outbox(session, [item.outgoing.delivery_id for item in others])
    for item in others:
        events += _settle(session, outbox[item.outgoing.delivery_id], item, unknown_resends)
    answered = [item.at for item in handed if isinstance(item.answer, Accepted | Rejected | DeliveryDeferred)]
    if answered:
        note_answered(session, min(answered))
    append(session, *events)
    refused = {
        (outbox[item.outgoing.delivery_id].batch.id, item.answer.code, item.answer.status): item.at
        for item in others
        if isinstance(item.answer, Rejected)
    }
    session.flush()
    if any(isinstance(event, DeliveryRejected) and event.disregarded for event in events):
        return True  # another worker has paused it meanwhile
    return any(pause_if_alike(session, *alike, pause, at, on_the_way=on_the_way) for alike, at in refused.items())


def _outbox(session: Session, deliveries: Sequence[UUID]) -> dict[UUID, _Place]:
    if not deliveries:
        return {}
    rows = session.exec(
        select(Delivery, Notice, Duty, Batch)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(Batch, col(Batch.id) == col(Notice.batch_id))
        .where(col(Delivery.id).in_(deliveries))
        .options(ANSWER_UNREAD)
    )
    return {row[0].id: _Place(*row) for row in rows}


def _settle(session: Session, place: _Place, handed: Handed, unknown_resends: int) -> list[CaseEvent]:
    """Write one answer into the outbox that is no acceptance."""
    delivery, answer, at = place.delivery, handed.answer, handed.at
    if delivery.status not in UNDER_WAY and not isinstance(answer, OutcomeUnknown):
        _note_attempt(delivery, at)  # it was answered before its content left
    if isinstance(answer, Rejected | DeliveryDeferred):
        place.batch.trouble = place.batch.trouble_since = None  # the server answers
    match answer:
        case Accepted():
            raise AssertionError("acceptances are written in bulk (records.accepted)")
        case Rejected():
            return [_reject(session, place, answer, at)]
        case DeliveryDeferred():
            return _defer(handed.outgoing, place, answer, at, unknown_resends)
        case OutcomeUnknown():
            return [_lost(delivery, place.notice.case_id, at, unknown_resends)]
        case MailServerUnavailable():
            delivery.status = moved(delivery.status, Happening.NOT_TAKEN)
            return []
        case _:
            assert_never(answer)


def _note_attempt(delivery: Delivery, at: datetime) -> None:
    delivery.attempts, delivery.attempted_at = delivery.attempts + 1, at


def _keep_reply(delivery: Delivery, answer: SendResult, at: datetime) -> None:
    delivery.settled_at, delivery.again_at = at, None
    delivery.answer = f"{answer.code} {answer.text}"
    delivery.reply_code, delivery.reply_status = answer.code, answer.status


def _reject(session: Session, place: _Place, answer: Rejected, at: datetime) -> CaseEvent:
    """Note a refusal; one of those for which mail is paused says nothing of its contact."""
    delivery = place.delivery
    contact = session.get_one(AgreementContact, delivery.contact_id)
    delivery.status = moved(delivery.status, Happening.REJECTED)
    _keep_reply(delivery, answer, at)
    contact.failing_since = contact.failing_since or at
    disregarded = is_disregarded(session, answer.code, answer.status)
    if disregarded:
        disregard(delivery, contact)
    return DeliveryRejected(
        case_id=place.notice.case_id,
        actor=ENGINE,
        at=at,
        attempt=attempt_of(delivery),
        code=answer.code,
        status=answer.status,
        disregarded=disregarded or None,
    )


def _lost(delivery: Delivery, case_id: UUID, at: datetime, unknown_resends: int) -> DeliveryUnknown:
    if delivery.status is DeliveryStatus.UNDER_WAY:
        delivery.tries = 0
    delivery.status = moved(delivery.status, Happening.LOST)
    put_unknown_off(delivery, at, unknown_resends)
    return DeliveryUnknown(case_id=case_id, actor=ENGINE, at=at, attempt=attempt_of(delivery))


def put_off(delivery: Delivery | Letter, at: datetime) -> datetime:
    """Put a message off to a moment of its own, each time further away, and up to a fifth later than that."""
    delivery.tries += 1
    pause = timedelta(minutes=PUT_OFF_MINUTES[min(delivery.tries, len(PUT_OFF_MINUTES)) - 1])
    again_at = _on_a_grid(at + pause + pause * _jitter(delivery), pause / 10)
    delivery.again_at = again_at
    return again_at


def _jitter(delivery: Delivery | Letter) -> float:
    """A part of a tenth, so that what was put off together does not all come back at once; always the same."""
    return crc32(f"{delivery.id}:{delivery.tries}".encode()) / 2**32 / 10


def _on_a_grid(at: datetime, step: timedelta) -> datetime:
    """The next moment of a grid: those put off in one batch come back in a few groups, each in one go."""
    return at + -(at - datetime.min.replace(tzinfo=UTC)) % step


def put_unknown_off(delivery: Delivery | Letter, at: datetime, resends: int) -> None:
    """Put off a message that may have arrived; after so many resends it waits for a person instead."""
    put_off(delivery, at)
    if delivery.tries > resends:
        delivery.again_at = None


def _defer(
    outgoing: OutgoingMessage, place: _Place, answer: DeliveryDeferred, at: datetime, unknown_resends: int
) -> list[CaseEvent]:
    """Put a message off that its mail server does not take now, or let the next contact be told instead.

    That is so once it was deferred a few times, and at once where the notice would be late by the next try. Where
    nobody else is left, it is tried once more just before it is due.
    """
    delivery, notice, duty = place.delivery, place.notice, place.duty
    first = delivery.tries == 0
    delivery.status = moved(delivery.status, Happening.DEFERRED)
    if delivery.status is DeliveryStatus.UNKNOWN:
        put_unknown_off(delivery, at, unknown_resends)
        return []
    again_at = put_off(delivery, at)
    due_at = duty.due_at if notice.kind is NoticeKind.NOTICE else None
    late = due_at is not None and again_at > due_at
    envelope: dict[str, Any] = {"case_id": notice.case_id, "actor": ENGINE, "at": at, "attempt": attempt_of(delivery)}
    if outgoing.alternative and (late or delivery.tries >= TRIES_BEFORE_THE_NEXT_CONTACT):
        delivery.status = moved(delivery.status, Happening.PASSED_OVER)
        return [DeliveryPassedOver(**envelope)]
    if due_at and late and due_at - at > 2 * LAST_TRY_BEFORE_DUE:
        delivery.again_at = due_at - LAST_TRY_BEFORE_DUE
    reply = answer.reply
    codes: dict[str, Any] = {"code": reply.code, "status": reply.status} if reply else {}
    return [entries.DeliveryDeferred(**envelope, **codes)] if first else []


def give(
    notice: Notice, duty: Duty, due_date: StoredDueDate, at: datetime, *, verdicts: tuple[Verdict, Verdict] = SEEN
) -> None:
    """Note that a notice was given, and what that means for its duty; ``verdicts`` are those of its way."""
    notice.given_at = at
    perform_by_notice(duty, notice.kind, notice.lacking, due_date, at, verdicts=verdicts)
