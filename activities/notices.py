"""Giving notices: compose, reserve in the outbox, send, and record the server's answer, in bulk and resumably.

Mail is sent at least once and counted exactly once. A delivery is reserved and marked as under way before the send,
and settled after it, in two transactions. One found under way at the next attempt was interrupted: nobody can say
whether it arrived, so the same bytes are sent again under the same Message-ID, and both sends are recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from sqlmodel import Session, col, func, select
from temporalio.exceptions import ApplicationError

from activities.clock import activity_clock
from activities.letters import Desk, Letter, delivery_entry
from activities.signatures import SEND_BATCH
from config.database import Database
from ledger.actors import ENGINE
from ledger.append import Entry, append
from ledger.kinds import EvidenceKind
from mail.transport import (
    Accepted,
    DeliveryDeferred,
    MailServerUnavailable,
    OutcomeUnknown,
    Rejected,
    SendResult,
    SmtpTransport,
)
from models.messages import BatchOutcome, SendBatch
from models.tables import AgreementContact, Batch, Delivery, Duty, Notice
from models.words import BatchStatus, DeliveryStatus, DutyStatus, NoticeKind, Verdict

CHUNK = 50
"""How many notices are composed, sent and recorded together: what a crash can leave under way."""

Answer: TypeAlias = SendResult | MailServerUnavailable | OutcomeUnknown


@dataclass(frozen=True)
class Handed:
    """One letter with what the mail server answered."""

    letter: Letter
    answer: Answer
    at: datetime


class NoticeActivities:
    """The activity that gives the notices of a batch."""

    def __init__(self, database: Database, transport: SmtpTransport, desk: Desk) -> None:
        self._database = database
        self._transport = transport
        self._desk = desk

    @SEND_BATCH.implements
    async def send_batch(self, message: SendBatch) -> BatchOutcome:
        """Give every notice of the batch that is not yet given, trying each contact in turn.

        Raises:
            ApplicationError: the mail server is down, put a letter off, or left its fate unknown; what was given
                stays given, and the next attempt goes on with the rest.
        """
        now = activity_clock()
        await asyncio.to_thread(self._begin, message, now())
        while pending := await asyncio.to_thread(self._pending, message.batch_id):
            trouble = await self._give(message, pending, now)
            if trouble:
                raise ApplicationError(str(trouble), type=trouble.code)
        return await asyncio.to_thread(self._finish, message.batch_id)

    async def _give(
        self, message: SendBatch, pending: Sequence[UUID], now: Callable[[], datetime]
    ) -> MailServerUnavailable | OutcomeUnknown | None:
        trouble: MailServerUnavailable | OutcomeUnknown | None = None
        for chunk in _chunks(pending):
            letters = await asyncio.to_thread(self._reserve, message, chunk, now())
            handed = await asyncio.gather(*(self._hand_over(letter, now) for letter in letters))
            await asyncio.to_thread(self._settle, message.batch_id, handed, now())
            for item in handed:
                if isinstance(item.answer, MailServerUnavailable | OutcomeUnknown):
                    trouble = item.answer
                    if isinstance(trouble, MailServerUnavailable) and not isinstance(trouble, DeliveryDeferred):
                        return trouble
        return trouble

    async def _hand_over(self, letter: Letter, now: Callable[[], datetime]) -> Handed:
        answer: Answer
        try:
            answer = await self._transport.send(letter.raw, self._desk.sender.email, letter.email)
        except (MailServerUnavailable, OutcomeUnknown) as error:
            answer = error
        return Handed(letter, answer, now())

    def _begin(self, message: SendBatch, now: datetime) -> None:
        with self._database.writing() as session:
            batch = session.get_one(Batch, message.batch_id)
            if batch.status is BatchStatus.SENT:
                return
            batch.status, batch.released_by = BatchStatus.SENDING, message.released_by
            session.add(batch)
            append(
                session,
                Entry(
                    case_id=batch.case_id,
                    kind=EvidenceKind.NOTICE_RELEASED,
                    subject=str(batch.id),
                    actor=message.released_by or ENGINE,
                    at=now,
                    body={"clause": batch.clause, "notices": batch.size, "released": message.released_by is not None},
                    key=released_key(batch.id),
                ),
            )

    def _pending(self, batch_id: UUID) -> list[UUID]:
        with self._database.reading() as session:
            return self._desk.pending(session, batch_id)

    def _reserve(self, message: SendBatch, notices: Sequence[UUID], now: datetime) -> list[Letter]:
        with self._database.writing() as session:
            case_id = session.get_one(Batch, message.batch_id).case_id
            return self._desk.reserve(session, case_id, notices, released=message.released_by is not None, now=now)

    def _settle(self, batch_id: UUID, handed: Sequence[Handed], now: datetime) -> None:
        with self._database.writing() as session:
            batch = session.get_one(Batch, batch_id)
            outbox = _outbox(session, [item.letter.delivery_id for item in handed])
            entries = [entry for item in handed for entry in _settle(session, batch, outbox, item)]
            entries += _note_trouble(batch, handed, now)
            session.add(batch)
            append(session, *entries)

    def _finish(self, batch_id: UUID) -> BatchOutcome:
        with self._database.writing() as session:
            batch = session.get_one(Batch, batch_id)
            batch.status = BatchStatus.SENT
            session.add(batch)
            given, late = session.exec(
                select(
                    func.count(col(Notice.given_at)), func.count().filter(col(Duty.discharged_at) > col(Duty.due_at))
                )
                .join(Duty, col(Duty.id) == col(Notice.duty_id))
                .where(Notice.batch_id == batch_id, col(Notice.dropped).is_(False))
            ).one()
            refused = session.exec(
                select(func.count())
                .select_from(Delivery)
                .join(Notice, col(Notice.id) == col(Delivery.notice_id))
                .where(Notice.batch_id == batch_id, Delivery.status == DeliveryStatus.REJECTED)
            ).one()
            return BatchOutcome(given=given, late=late, undelivered=batch.size - given, refused=refused)


def released_key(batch_id: UUID) -> str:
    """The key of the evidence that a batch began to leave."""
    return f"notice-released:{batch_id}"


def _chunks(items: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def _outbox(session: Session, deliveries: Sequence[UUID]) -> dict[UUID, tuple[Delivery, Notice, Duty]]:
    rows = session.exec(
        select(Delivery, Notice, Duty)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(col(Delivery.id).in_(deliveries))
    )
    return {delivery.id: (delivery, notice, duty) for delivery, notice, duty in rows}


def _settle(
    session: Session, batch: Batch, outbox: Mapping[UUID, tuple[Delivery, Notice, Duty]], handed: Handed
) -> list[Entry]:
    """Write one answer into the outbox; the first acceptance by a contact discharges the duty."""
    letter, answer = handed.letter, handed.answer
    delivery, notice, duty = outbox[letter.delivery_id]
    if isinstance(answer, MailServerUnavailable):
        delivery.attempted_at = None
        return []
    if isinstance(answer, OutcomeUnknown):
        delivery.status = DeliveryStatus.UNKNOWN
        return [delivery_entry(EvidenceKind.DELIVERY_UNKNOWN, batch.case_id, delivery, handed.at)]
    delivery.settled_at, delivery.answer = handed.at, f"{answer.code} {answer.text}"
    if isinstance(answer, Rejected):
        delivery.status = DeliveryStatus.REJECTED
        contact = session.get_one(AgreementContact, delivery.contact_id)
        contact.failing_since = contact.failing_since or handed.at
        session.add(contact)
        return [
            delivery_entry(EvidenceKind.DELIVERY_REJECTED, batch.case_id, delivery, handed.at, {"code": answer.code})
        ]
    delivery.status = DeliveryStatus.ACCEPTED
    accepted: dict[str, object] = {"code": answer.code}
    if letter.copy:
        return [delivery_entry(EvidenceKind.COPY_GIVEN, batch.case_id, delivery, handed.at, accepted)]
    return [
        delivery_entry(
            EvidenceKind.NOTICE_GIVEN,
            batch.case_id,
            delivery,
            handed.at,
            accepted | _discharge(notice, duty, handed.at),
        )
    ]


def _discharge(notice: Notice, duty: Duty, at: datetime) -> dict[str, object]:
    notice.given_at = at
    if notice.kind is not NoticeKind.DISMISSAL:
        duty.lacking, duty.lacking_count = notice.lacking, len(notice.lacking)
    if duty.status is DutyStatus.RUNNING:
        duty.status, duty.discharged_at = DutyStatus.DISCHARGED, at
        duty.verdict = Verdict.LATE if duty.due_at and at > duty.due_at else Verdict.ON_TIME
    return {
        "duty": str(duty.id),
        "clause": duty.clause,
        "due_at": duty.due_at.isoformat() if duty.due_at else None,
        "kind": notice.kind.value,
        "verdict": duty.verdict,
        "given": notice.given,
        "lacking": notice.lacking,
    }


def _note_trouble(batch: Batch, handed: Sequence[Handed], now: datetime) -> list[Entry]:
    """Keep on the batch what holds its notices back, since when; it is cleared by the first acceptance."""
    troubles = [item.answer for item in handed if isinstance(item.answer, MailServerUnavailable | OutcomeUnknown)]
    if not troubles:
        if any(isinstance(item.answer, Accepted) for item in handed):
            batch.trouble = batch.trouble_since = None
        return []
    code = troubles[0].code
    if batch.trouble == code:
        return []
    batch.trouble, batch.trouble_since = code, now
    return [
        Entry(
            case_id=batch.case_id,
            kind=EvidenceKind.DELIVERY_TROUBLED,
            subject=str(batch.id),
            actor=ENGINE,
            at=now,
            body={"trouble": code},
            key=f"delivery-troubled:{batch.id}:{code}:{now.isoformat()}",
        )
    ]
