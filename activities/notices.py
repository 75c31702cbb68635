"""Giving notices: compose, reserve in the outbox, send, and record the server's answer, in bulk and resumably.

Mail is sent at least once and counted exactly once. A delivery is reserved, marked as under way before its content
leaves, and settled after it, each durable before the next (``activities.handing_over``). One found under way at the
next attempt was interrupted: nobody can say whether it arrived, so the same bytes are sent again under the same
Message-ID, and both sends are recorded.

One recipient's trouble is his own: what is deferred or may have been lost is put off to a moment of its own, whoever is
slow holds up no other, and the batch's place is free for the next one. What may have been lost again and again is left
to a person. What many recipients are refused alike is the installation's trouble, and pauses mail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import ParamSpec, TypeVar
from uuid import UUID

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clock import activity_clock
from activities.contracts import NoticeContract
from activities.handing_over import HandingOver, NotWanted
from activities.heartbeat import beating
from activities.postal_letters import write_letters
from cases.messages import BatchOutcome, SendBatch
from config.database import Database
from ledger.actors import ENGINE
from mail.handover import Accepted, DeliveryDeferred, Envelope, MailServerUnavailable, OutcomeUnknown, Rejected
from mail.return_path import ReturnPath
from mail.transport import SmtpTransport
from models.grouping import parts
from models.tables import Batch
from records.batches import begin_batch, finish_batch
from records.deliveries import Answer, Handed, break_off
from records.mail_state import Going, MailIsPaused, PauseRule, end_pause, going, is_disregarded, note_away, probe_again
from records.outbox import NoticeWriter, OutgoingMessage, Prepared, perhaps_to_send
from records.postal_letters import put_together, without_letter

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")

CHUNK = 200
"""How many notices are composed and reserved together; the next are while half of these are still being sent."""

LONGEST_TRANSACTION = timedelta(minutes=2)
"""How long work in SQL may take, the wait for others included: they are as many as there are batches leaving."""

LONGEST_HANDOVER = timedelta(minutes=15)
"""How long messages may be waited for: every connection's time limit, met by every message."""

LOOK_AGAIN = timedelta(seconds=30)
"""While the last messages are waited for: after how long it is looked whether there is anything else to send."""

AWAY_AFTER = 3
"""So many messages in a row, at least, that the server does not take: then it takes none at all."""

WORKS = timedelta(minutes=1)
"""For how long after an answer a single message that is not taken is no sign that the server takes none."""


@dataclass
class _Attempt:
    """One attempt at a batch.

    Attributes:
        probing: whether mail is paused, and one message is tried; ``probed`` is what was answered to that.
        not_taken: what the server did not take although it said nothing of the message.
        in_a_row: how many of those there were since its last answer.
        set_aside: the notices of which nothing more is tried in this attempt.
        stopped: why nothing more is handed over.
    """

    message: SendBatch
    now: Callable[[], datetime]
    probing: bool
    probed: list[Answer] = field(default_factory=list)
    not_taken: list[Handed] = field(default_factory=list)
    in_a_row: int = 0
    set_aside: set[UUID] = field(default_factory=set)
    stopped: Exception | None = None


class NoticeActivities(NoticeContract):
    """The activity that gives the notices of a batch.

    A message of which nobody can say whether it arrived is sent again ``unknown_resends`` times, then a person decides;
    ``pause`` says when refusals are so many that mail is paused. What comes back returns by ``return_path``; without
    one, to the sender.
    """

    def __init__(
        self,
        database: Database,
        transport: SmtpTransport,
        notice_writer: NoticeWriter,
        *,
        unknown_resends: int,
        pause: PauseRule,
        return_path: ReturnPath | None = None,
    ) -> None:
        self._database = database
        self._transport = transport
        self._notice_writer = notice_writer
        self._unknown_resends = unknown_resends
        self._pause = pause
        self._book = HandingOver(database, transport.connections, transport.most_under_way, unknown_resends, pause)
        self._composing = asyncio.Lock()
        self._answered_at: datetime | None = None
        self._return_path = return_path

    @activity.defn
    async def send_batch(self, message: SendBatch) -> BatchOutcome:
        """Give every notice of the batch that is not yet given, trying each contact in turn; put off what cannot be.

        Raises:
            ApplicationError: the mail server takes no mail at all, or mail is paused; what was given stays given, and
                the next attempt goes on with the rest.
        """
        now = activity_clock()
        begun = await _in_sql(self._begin, message, now())
        match begun:
            case None:
                return BatchOutcome(kept_back=True)
            case Going.PAUSED:
                raise _paused()
            case Going.ON | Going.PROBING:
                self._book.paused = False
        attempt = _Attempt(message, now, probing=begun is Going.PROBING)
        if attempt.probing:
            await self._give_all(attempt)
            self._book.paused = not await _in_sql(self._resumes, attempt)
            attempt.probing = False
        await self._give_all(attempt)
        await self._settle_not_taken(attempt)
        if attempt.stopped:
            raise attempt.stopped
        if self._book.paused and (attempt.probed or begun is Going.ON):
            raise _paused()
        await _in_sql(self._write_letters, message, now())
        return await _in_sql(self._finish, message, now())

    async def _give_all(self, attempt: _Attempt) -> None:
        """Hand over all that is to be handed over by now; of a batch that probes, one message."""
        on_the_way: dict[asyncio.Task[None], UUID] = {}
        try:
            while True:
                for chunk in parts(await self._perhaps(attempt, on_the_way.values()), CHUNK):
                    await self._wait(on_the_way, until_left=CHUNK // 2)
                    for mail in await self._reserve(attempt, chunk):
                        on_the_way[asyncio.create_task(self._hand_over(attempt, mail))] = mail.notice_id
                    if attempt.probing and on_the_way:
                        break
                if not on_the_way:
                    return
                await self._wait(on_the_way, at_most=LOOK_AGAIN)
                if attempt.probing and not on_the_way:
                    return
        finally:
            for task in on_the_way:
                task.cancel()

    async def _wait(
        self, on_the_way: dict[asyncio.Task[None], UUID], *, until_left: int = 0, at_most: timedelta | None = None
    ) -> None:
        """Wait until at most so many messages are on their way, or for so long."""
        when = asyncio.ALL_COMPLETED if until_left == 0 else asyncio.FIRST_COMPLETED
        timeout = at_most.total_seconds() if at_most else None
        while len(on_the_way) > until_left:
            async with beating(LONGEST_HANDOVER):
                done, _ = await asyncio.wait(on_the_way, timeout=timeout, return_when=when)
            for task in done:
                del on_the_way[task]
            if at_most:
                return

    async def _hand_over(self, attempt: _Attempt, mail: OutgoingMessage) -> None:
        """Hand one message over and record what became of it; whatever happens to it keeps no other from going on."""
        async with self._book.turn(mail.delivery_id):
            if attempt.stopped or self._book.paused:
                return
            try:
                await self._record(attempt, mail, await self._send(attempt, mail))
            except Exception as error:
                attempt.stopped = attempt.stopped or error

    async def _record(self, attempt: _Attempt, mail: OutgoingMessage, answer: Answer | None) -> None:
        """Record an answer; of what the server did not take and nobody was told of, there is nothing to record."""
        if answer is None:
            attempt.set_aside.add(mail.notice_id)
            return
        handed = Handed(mail, answer, attempt.now())
        if isinstance(answer, MailServerUnavailable) and not isinstance(answer, DeliveryDeferred):
            self._note_not_taken(attempt, handed)
            if not self._book.is_under_way(mail.delivery_id):
                return
        elif not isinstance(answer, OutcomeUnknown):
            attempt.in_a_row, self._answered_at = 0, handed.at
        await self._book.end(handed)
        if attempt.probing:
            attempt.probed.append(answer)

    async def _send(self, attempt: _Attempt, mail: OutgoingMessage) -> Answer | None:
        """The server's answer; None where the message may not leave any more."""
        begun = partial(self._book.begin, mail.delivery_id, attempt.now)
        try:
            return await self._transport.send(mail.raw, self._envelope(mail), begun=begun)
        except NotWanted:
            return None
        except (MailServerUnavailable, OutcomeUnknown) as error:
            return error

    def _envelope(self, outgoing: OutgoingMessage) -> Envelope:
        """Whom a message is for, and where it returns to: an address of this attempt's own, where that is read."""
        path = self._return_path
        if path is None:
            return Envelope(self._notice_writer.sender.email, outgoing.email)
        token = path.token(outgoing.delivery_id, outgoing.attempt)
        return Envelope(path.with_token(token), outgoing.email, token, report=True)

    def _note_not_taken(self, attempt: _Attempt, handed: Handed) -> None:
        attempt.not_taken.append(handed)
        attempt.set_aside.add(handed.outgoing.notice_id)
        attempt.in_a_row += 1
        if attempt.in_a_row >= max(AWAY_AFTER, self._transport.connections):
            attempt.stopped = attempt.stopped or _away(handed.answer)

    async def _settle_not_taken(self, attempt: _Attempt) -> None:
        """What was not taken by a server that answers others is put off like any other; else the server is away."""
        if not attempt.not_taken:
            return
        last = attempt.not_taken[-1]
        works = self._answered_at is not None and last.at - self._answered_at < WORKS
        if attempt.stopped is None and works:
            for handed in attempt.not_taken:
                deferred = DeliveryDeferred(str(handed.answer))
                await self._book.end(Handed(handed.outgoing, deferred, handed.at))
            return
        attempt.stopped = attempt.stopped or _away(last.answer)
        if isinstance(attempt.stopped, ApplicationError):
            await _in_sql(self._note_away, attempt, last.at)

    def _note_away(self, attempt: _Attempt, at: datetime) -> None:
        with self._database.writing() as session:
            note_away(session, attempt.message.batch_id, MailServerUnavailable.code, at)

    def _resumes(self, attempt: _Attempt) -> bool:
        """Whether what was tried ends the pause; where it said nothing about that, the next batch tries at once."""
        now, answers = attempt.now(), attempt.probed
        with self._database.writing() as session:
            if any(isinstance(answer, Accepted) for answer in answers):
                end_pause(session, ENGINE, now)
                return True
            refused = [answer for answer in answers if isinstance(answer, Rejected)]
            if not any(is_disregarded(session, answer.code, answer.status) for answer in refused):
                probe_again(session, now)
            return False

    def _begin(self, message: SendBatch, now: datetime) -> Going | None:
        """Whether the batch may hand its messages over; None where a decision keeps it back."""
        with self._database.writing() as session:
            break_off(session, message.batch_id, now, unknown_resends=self._unknown_resends)
            if not begin_batch(session, message, now):
                return None
            return going(session, message.batch_id, self._pause, now)

    async def _perhaps(self, attempt: _Attempt, on_the_way: Collection[UUID]) -> list[UUID]:
        """The notices of which something may be to be sent by now, and nothing is on its way."""
        if attempt.stopped or self._book.paused or (attempt.probing and on_the_way):
            return []
        found = await _in_sql(self._left, attempt.message)
        besides = attempt.set_aside.union(on_the_way)
        return [notice for notice in found if notice not in besides]

    def _left(self, message: SendBatch) -> Sequence[UUID]:
        with self._database.reading() as session:
            return perhaps_to_send(session, message.batch_id)

    async def _reserve(self, attempt: _Attempt, notices: Sequence[UUID]) -> Sequence[OutgoingMessage]:
        """Reserve those of some notices that are to be sent by now, and return their messages."""
        if attempt.stopped or self._book.paused:
            return ()
        # Composed before the transaction: while one is open, all others wait for it. And by one thread at a time, since
        # several get no more done, and keep those that write from what they need to end.
        async with beating(LONGEST_TRANSACTION), self._composing:
            now = attempt.now()  # what a notice says that it was written at, not when it began to wait for its turn
            case_id, prepared = await asyncio.to_thread(self._prepare, attempt, notices, now)
        if not prepared.notices:
            return ()
        mails = await _in_sql(self._write, case_id, prepared, now)
        # Of one that is not wanted any more there is nothing to send, and it is not looked at again.
        attempt.set_aside.update(set(prepared.notices) - {mail.notice_id for mail in mails})
        return mails

    def _prepare(self, attempt: _Attempt, notices: Sequence[UUID], now: datetime) -> tuple[UUID, Prepared]:
        """The case, and the messages of those of some notices that are to be sent by now."""
        at_most = 1 if attempt.probing else None
        with self._database.reading() as session:
            case_id = session.get_one(Batch, attempt.message.batch_id).case_id
            give_way = self._database.give_way
            return case_id, self._notice_writer.prepare(
                session, case_id, notices, now, at_most=at_most, give_way=give_way
            )

    def _write(self, case_id: UUID, prepared: Prepared, now: datetime) -> Sequence[OutgoingMessage]:
        with self._database.writing() as session:
            return self._notice_writer.reserve(session, case_id, prepared.notices, now, prepared)

    def _write_letters(self, message: SendBatch, now: datetime) -> None:
        """Write those of its notices as letters that no mail can bring to anybody; a person posts them."""
        with self._database.reading() as session:
            case_id = session.get_one(Batch, message.batch_id).case_id
            notices = without_letter(session, batch_id=message.batch_id)
        if notices:
            with self._database.writing() as session:
                put_together(session, case_id, notices)
            write_letters(self._database, self._notice_writer, notices, now)

    def _finish(self, message: SendBatch, now: datetime) -> BatchOutcome:
        with self._database.writing() as session:
            return finish_batch(session, message.batch_id, now)


def _paused() -> ApplicationError:
    return ApplicationError("mail is paused, since too many refusals were alike", type=MailIsPaused.code)


def _away(answer: Answer) -> ApplicationError:
    return ApplicationError(str(answer), type=MailServerUnavailable.code)


async def _in_sql(work: Callable[_Given, _Result], *given: _Given.args, **named: _Given.kwargs) -> _Result:
    """Do work in SQL in a thread, and say meanwhile that it goes on."""
    async with beating(LONGEST_TRANSACTION):
        return await asyncio.to_thread(work, *given, **named)
