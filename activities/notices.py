"""Giving notices: compose, reserve in the outbox, send, and record the server's answer, in bulk and resumably.

Mail is sent at least once and counted exactly once. A delivery is reserved and marked as under way before the send,
and settled after it, in two transactions. One found under way at the next attempt was interrupted: nobody can say
whether it arrived, so the same bytes are sent again under the same Message-ID, and both sends are recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel import col, func, select
from temporalio.exceptions import ApplicationError

from activities.clock import activity_clock
from activities.contracts import SEND_BATCH
from cases.messages import BatchOutcome, SendBatch
from config.database import Database
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import NoticeReleased
from mail.transport import (
    DeliveryDeferred,
    MailServerUnavailable,
    OutcomeUnknown,
    SmtpTransport,
)
from models.enums import BatchStatus, DeliveryStatus
from models.tables import Batch, Delivery, Duty, Notice
from records.deliveries import Answer, Handed, settle
from records.outbox import NoticeWriter, OutgoingMessage

CHUNK = 50
"""How many notices are composed, sent and recorded together: what a crash can leave under way."""


class NoticeActivities:
    """The activity that gives the notices of a batch."""

    def __init__(self, database: Database, transport: SmtpTransport, notice_writer: NoticeWriter) -> None:
        self._database = database
        self._transport = transport
        self._notice_writer = notice_writer

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
            handed = await asyncio.gather(*(self._hand_over(outgoing, now) for outgoing in letters))
            await asyncio.to_thread(self._settle, message.batch_id, handed, now())
            for item in handed:
                if isinstance(item.answer, MailServerUnavailable | OutcomeUnknown):
                    trouble = item.answer
                    if isinstance(trouble, MailServerUnavailable) and not isinstance(trouble, DeliveryDeferred):
                        return trouble
        return trouble

    async def _hand_over(self, outgoing: OutgoingMessage, now: Callable[[], datetime]) -> Handed:
        answer: Answer
        try:
            answer = await self._transport.send(outgoing.raw, self._notice_writer.sender.email, outgoing.email)
        except (MailServerUnavailable, OutcomeUnknown) as error:
            answer = error
        return Handed(outgoing, answer, now())

    def _begin(self, message: SendBatch, now: datetime) -> None:
        with self._database.writing() as session:
            batch = session.get_one(Batch, message.batch_id)
            if batch.status is BatchStatus.SENT:
                return
            batch.status, batch.released_by = BatchStatus.SENDING, message.released_by
            batch.began_at = batch.began_at or now
            session.add(batch)
            append(
                session,
                NoticeReleased(
                    case_id=batch.case_id,
                    actor=message.released_by or ENGINE,
                    at=now,
                    batch_id=batch.id,
                    clause=batch.clause,
                    notices=batch.size,
                    released=message.released_by is not None,
                ),
            )

    def _pending(self, batch_id: UUID) -> list[UUID]:
        with self._database.reading() as session:
            return self._notice_writer.pending(session, batch_id)

    def _reserve(self, message: SendBatch, notices: Sequence[UUID], now: datetime) -> list[OutgoingMessage]:
        with self._database.writing() as session:
            case_id = session.get_one(Batch, message.batch_id).case_id
            return self._notice_writer.reserve(
                session, case_id, notices, released=message.released_by is not None, now=now
            )

    def _settle(self, batch_id: UUID, handed: Sequence[Handed], now: datetime) -> None:
        with self._database.writing() as session:
            settle(session, batch_id, handed, now)

    def _finish(self, batch_id: UUID) -> BatchOutcome:
        with self._database.writing() as session:
            batch = session.get_one(Batch, batch_id)
            batch.status = BatchStatus.SENT
            session.add(batch)
            given, late = session.exec(
                select(func.count(col(Notice.given_at)), func.count().filter(col(Duty.performed_at) > col(Duty.due_at)))
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


def _chunks(items: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
