"""Writing down what is being handed over before it leaves, and what was answered as soon as it was.

No more messages are under way at any moment than there are connections: each is marked durably before the first byte of
its content leaves, and the next one only once what became of an earlier one is durable too. So a worker that is killed
leaves no more of them unknown. What is to be written at one time, for whichever batches, is one transaction, so that
this costs few of them however fast mail leaves: most of what one costs is the same for one answer and for thirty. What
is on its way is waited for, never longer than a transaction takes: it would have waited as long for one under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from uuid import UUID

from config.database import Database
from records.deliveries import Handed, mark_under_way, settle
from records.mail_state import PauseRule

LONGEST_GATHERING = 0.05
"""How many seconds what is to be written waits for more, at most: a transaction can take long where many wait."""


class NotWanted(Exception):
    """A message may not leave any more: its notice was dropped since it was written."""


@dataclass
class _Mark:
    """A message whose content is about to leave; ``done`` is whether it may."""

    delivery: UUID
    at: datetime
    done: asyncio.Future[bool]


@dataclass
class _Answer:
    handed: Handed
    done: asyncio.Future[bool]


@dataclass
class HandingOver:
    """What one worker hands over, of all batches together.

    Attributes:
        connections: over how many messages leave at once.
        places: how many messages may be under way at once: some connections only wait for an answer that is slow.
        unknown_resends: how often one is sent again of which nobody can say whether it arrived.
        pause: when mail is paused.
        paused: whether this worker saw too many refusals that were alike, and hands nothing more over.
    """

    database: Database
    connections: int
    places: int
    unknown_resends: int
    pause: PauseRule
    paused: bool = False
    _turns: asyncio.Semaphore = field(init=False)
    _unanswered: set[UUID] = field(default_factory=set)
    _under_way: set[UUID] = field(default_factory=set)
    _marks: list[_Mark] = field(default_factory=list)
    _answers: list[_Answer] = field(default_factory=list)
    _writing: asyncio.Task[None] | None = None
    _begun: int = 0
    _all_here: asyncio.Event = field(default_factory=asyncio.Event)
    _took: float = 0.0

    def __post_init__(self) -> None:
        """As many turns as places, and one for each connection: while one answer is written down, the next one goes."""
        self._turns = asyncio.Semaphore(self.places + self.connections)

    @asynccontextmanager
    async def turn(self, delivery: UUID) -> AsyncIterator[None]:
        """Wait for a turn to hand one message over, so that no more begin to than can; in the end its place is free."""
        self._unanswered.add(delivery)
        try:
            async with self._turns:
                self._begun += 1
                try:
                    yield
                finally:
                    self._begun -= 1
                    self._under_way.discard(delivery)
                    self._write()
        finally:
            self._unanswered.discard(delivery)

    async def begin(self, delivery: UUID, now: Callable[[], datetime]) -> None:
        """Wait until it is durable that a message is under way; again, for one that is, changes nothing.

        Raises:
            NotWanted: it may not leave.
        """
        if delivery in self._under_way:
            return
        mark = _Mark(delivery, now(), asyncio.get_running_loop().create_future())
        self._marks.append(mark)
        self._write()
        if not await mark.done:
            raise NotWanted

    async def end(self, handed: Handed) -> None:
        """Wait until it is durable what became of a message."""
        answer = _Answer(handed, asyncio.get_running_loop().create_future())
        self._answers.append(answer)
        self._write()
        await answer.done

    def is_under_way(self, delivery: UUID) -> bool:
        """Whether a message was marked, and nothing was written of it since."""
        return delivery in self._under_way

    def _write(self) -> None:
        """See that somebody writes what there is, and knows when nothing else can come."""
        if self._is_all_here():
            self._all_here.set()
        if (self._marks or self._answers) and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write_all())

    def _is_all_here(self) -> bool:
        """Whether every connection, or else every message that was begun, waits for what is to be written."""
        return len(self._marks) >= min(self.connections, self._begun - len(self._answers))

    async def _gather(self) -> None:
        """Let what is on its way come too, for no longer than the last transaction took."""
        self._all_here.clear()
        if self._is_all_here():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(min(self._took, LONGEST_GATHERING)):
                await self._all_here.wait()

    async def _write_all(self) -> None:
        while True:
            await self._gather()
            marks, answers = self._next()
            if not marks and not answers:
                return
            began = monotonic()
            try:
                marked = await asyncio.to_thread(self._keep, marks, answers, self._on_the_way())
            except Exception as error:
                for done in (*(mark.done for mark in marks), *(answer.done for answer in answers)):
                    _fail(done, error)
                self._under_way -= {mark.delivery for mark in marks}
                continue
            finally:
                self._took = monotonic() - began
            self._under_way -= {mark.delivery for mark in marks} - marked
            for mark in marks:
                _tell(mark.done, mark.delivery in marked)
            for answer in answers:
                _tell(answer.done, True)

    def _next(self) -> tuple[list[_Mark], list[_Answer]]:
        """Every answer there is, and as many marks as then find a place; those that nobody waits for are dropped."""
        answers, self._answers = self._answers, []
        answered = {answer.handed.outgoing.delivery_id for answer in answers}
        self._under_way -= answered
        self._unanswered -= answered
        waiting = [mark for mark in self._marks if not mark.done.done()]
        free = max(self.places - len(self._under_way), 0)
        marks, self._marks = waiting[:free], waiting[free:]
        self._under_way |= {mark.delivery for mark in marks}
        return marks, answers

    def _on_the_way(self) -> int:
        """How many messages may yet be taken, of those that are under way or about to be.

        What waits for its turn counts too, for the first answers of a batch are a chance few of it; but no more of that
        than tells a chance from a server that refuses all.
        """
        return min(len(self._unanswered), max(self.places, 2 * self.pause.refusals))

    def _keep(self, marks: Sequence[_Mark], answers: Sequence[_Answer], on_the_way: int) -> set[UUID]:
        with self.database.writing() as session:
            if answers:
                handed = [answer.handed for answer in answers]
                self.paused |= settle(
                    session,
                    handed,
                    unknown_resends=self.unknown_resends,
                    pause=self.pause,
                    on_the_way=on_the_way,
                )
            moments: Mapping[UUID, datetime] = {mark.delivery: mark.at for mark in marks}
            return mark_under_way(session, moments) if marks else set()


def _tell(future: asyncio.Future[bool], result: bool) -> None:
    if not future.done():  # whoever waited may have been cancelled
        future.set_result(result)


def _fail(future: asyncio.Future[bool], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
