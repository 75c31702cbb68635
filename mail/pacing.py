"""How fast messages go, and that one recipient's server does not keep the others' waiting.

Messages to one domain count together, since one server takes them. While it owes an answer for longer than usual,
further messages to it are put off at once instead of standing in the others' way; after one that it never answered it
is given one message at a time, until it answers again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiolimiter import AsyncLimiter

from mail.handover import DeliveryDeferred, OutcomeUnknown
from mail.smtp_server import SmtpServer

_MINUTE = 60


class Turn:
    """One message's turn at its destination; its owner says when the answer is long in coming."""

    def __init__(self, destination: _Destination) -> None:
        self._destination = destination
        self.is_slow = False

    def slow(self) -> None:
        """The answer to the content is long in coming."""
        self.is_slow = True
        self._destination.slow += 1
        self._destination.wake()


class _Destination:
    """What is on its way to one domain."""

    def __init__(self, server: SmtpServer) -> None:
        self.limiter = _evenly(server.domain_rate, _MINUTE)
        self.taken = self.slow = 0
        self.is_silent = False
        self._where = server.where
        self._places = server.domain_connections or max(1, server.connections // 2)
        self._waiting = deque[asyncio.Future[None]]()

    async def take_place(self) -> None:
        """Wait for a place.

        Raises:
            DeliveryDeferred: another message would only wait behind one that is not answered.
        """
        while True:
            if self.slow or (self.is_silent and self.taken):
                raise DeliveryDeferred(
                    "The mail server has not answered yet for an earlier message to the same domain.",
                    where=self._where,
                    next_step="It is tried again later.",
                )
            if self.taken < self._places:
                self.taken += 1
                return
            looks_again = asyncio.get_running_loop().create_future()
            self._waiting.append(looks_again)
            try:
                await looks_again
            except asyncio.CancelledError:
                self.wake()  # it may have been woken for a place, which is another's now
                raise

    def wake(self) -> None:
        """Let as many of those that wait look again as there are places; all, where they may have to be put off.

        To wake all for each place costs more than the sending, where hundreds wait.
        """
        several = len(self._waiting) if self.slow or self.is_silent else self._places - self.taken
        while several > 0 and self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                several -= 1


class Pacing:
    """Gives each message its turn, by its destination and by the rates that are set."""

    def __init__(self, server: SmtpServer) -> None:
        self._limiter = _evenly(server.rate, 1)
        self._destinations = defaultdict[str, _Destination](partial(_Destination, server))

    @asynccontextmanager
    async def turn(self, domain: str) -> AsyncIterator[Turn]:
        """Wait until a message may go to a domain.

        Raises:
            DeliveryDeferred: its server owes an answer for an earlier message.
        """
        destination = self._destinations[domain.lower()]
        await destination.take_place()
        turn = Turn(destination)
        try:
            for limiter in (destination.limiter, self._limiter):
                if limiter:
                    await limiter.acquire()
            yield turn
            destination.is_silent = False
        except OutcomeUnknown:
            destination.is_silent = destination.is_silent or turn.is_slow
            raise
        finally:
            destination.taken -= 1
            destination.slow -= turn.is_slow
            destination.wake()


def _evenly(rate: float | None, seconds: float) -> AsyncLimiter | None:
    """So many in so many seconds, and no two of them together."""
    return AsyncLimiter(1, seconds / rate) if rate else None
