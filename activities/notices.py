"""Giving notices: compose, reserve in the outbox, send, and record the server's answer, in bulk and resumably.

Mail is sent at least once and counted exactly once. A delivery is reserved and marked as under way before the send,
and settled after it, in two transactions. One found under way at the next attempt was interrupted: nobody can say
whether it arrived, so the same bytes are sent again under the same Message-ID, and both sends are recorded.

One recipient's trouble is his own: what is deferred or may have been lost is put off to a moment of its own, and the
batch's place is free for the next one. What may have been lost again and again is left to a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clock import activity_clock
from activities.contracts import NoticeContract
from activities.heartbeat import beating
from cases.messages import BatchOutcome, SendBatch
from config.database import Database
from mail.handover import DeliveryDeferred, Envelope, MailServerUnavailable, OutcomeUnknown
from mail.transport import SmtpTransport
from models.grouping import parts
from models.tables import Batch
from records.batches import begin_batch, finish_batch
from records.deliveries import Answer, Handed, settle
from records.outbox import NoticeWriter, OutgoingMessage, still_to_send

CHUNK = 50
"""How many notices are composed, sent and recorded together: what a crash can leave under way."""

LONGEST_HANDOVER = timedelta(minutes=15)
"""How long a chunk may take to be handed over: every connection's time limit, met by every message."""


class NoticeActivities(NoticeContract):
    """The activity that gives the notices of a batch.

    A message of which nobody can say whether it arrived is sent again ``unknown_resends`` times, then a person decides.
    """

    def __init__(
        self, database: Database, transport: SmtpTransport, notice_writer: NoticeWriter, *, unknown_resends: int
    ) -> None:
        self._database = database
        self._transport = transport
        self._notice_writer = notice_writer
        self._unknown_resends = unknown_resends

    @activity.defn
    async def send_batch(self, message: SendBatch) -> BatchOutcome:
        """Give every notice of the batch that is not yet given, trying each contact in turn; put off what cannot be.

        Raises:
            ApplicationError: the mail server takes no mail at all; what was given stays given, and the next attempt
                goes on with the rest.
        """
        now = activity_clock()
        if not await asyncio.to_thread(self._begin, message, now()):
            return BatchOutcome(kept_back=True)
        while pending := await asyncio.to_thread(self._pending, message, now()):
            for chunk in parts(pending, CHUNK):
                await self._give(message, chunk, now)
        return await asyncio.to_thread(self._finish, message, now())

    async def _give(self, message: SendBatch, chunk: Sequence[UUID], now: Callable[[], datetime]) -> None:
        mails = await asyncio.to_thread(self._reserve, message, chunk, now())
        async with beating(LONGEST_HANDOVER):
            handed = await asyncio.gather(*(self._hand_over(mail, now) for mail in mails))
        await asyncio.to_thread(self._settle, message, handed, now())
        for item in handed:
            if isinstance(item.answer, MailServerUnavailable) and not isinstance(item.answer, DeliveryDeferred):
                raise ApplicationError(str(item.answer), type=item.answer.code)

    async def _hand_over(self, outgoing: OutgoingMessage, now: Callable[[], datetime]) -> Handed:
        answer: Answer
        try:
            answer = await self._transport.send(
                outgoing.raw, Envelope(self._notice_writer.sender.email, outgoing.email)
            )
        except (MailServerUnavailable, OutcomeUnknown) as error:
            answer = error
        return Handed(outgoing, answer, now())

    def _begin(self, message: SendBatch, now: datetime) -> bool:
        with self._database.writing() as session:
            return begin_batch(session, message, now)

    def _pending(self, message: SendBatch, now: datetime) -> list[UUID]:
        """The notices of which something is to be sent by now."""
        with self._database.reading() as session:
            return [notice for notice, at in still_to_send(session, message.batch_id).items() if at <= now]

    def _reserve(self, message: SendBatch, notices: Sequence[UUID], now: datetime) -> list[OutgoingMessage]:
        with self._database.writing() as session:
            case_id = session.get_one(Batch, message.batch_id).case_id
            return self._notice_writer.reserve(session, case_id, notices, now)

    def _settle(self, message: SendBatch, handed: Sequence[Handed], now: datetime) -> None:
        with self._database.writing() as session:
            settle(session, message.batch_id, handed, now, unknown_resends=self._unknown_resends)

    def _finish(self, message: SendBatch, now: datetime) -> BatchOutcome:
        with self._database.writing() as session:
            return finish_batch(session, message.batch_id, now)
