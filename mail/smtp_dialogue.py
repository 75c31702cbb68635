"""The mail server's replies, in the order in which they come."""

from __future__ import annotations

import asyncio
import re
from collections import deque

from mail.facts import clean_block
from mail.handover import ServerReply

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_LONGEST = 65_536
"""How many bytes of one reply are read; RFC 5321, 4.5.3.1.5 allows 512 a line."""


class Dialogue(asyncio.Protocol):
    """What is said over a connection, once it was opened.

    It takes the connection over from what opened it: aiosmtplib keeps one reply at a time and loses those that come
    together, as the replies to commands in one write do (RFC 2920).
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._received = bytearray()
        self._lines: list[str] = []
        self._replies: deque[ServerReply] = deque()
        self._over: ConnectionError | None = None
        self._awaited: asyncio.Future[None] | None = None
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether anything can still be said."""
        return self._over is None and not self._transport.is_closing()

    @property
    def is_quiet(self) -> bool:
        """Whether the server has said nothing that was not read yet: else it is out of step with what it was asked."""
        return not (self._received or self._lines or self._replies)

    def say(self, data: bytes) -> None:
        """Send commands, or content.

        Raises:
            ConnectionError: the connection is closed.
        """
        if not self.is_open:
            raise self._over or ConnectionResetError("closed")
        self._transport.write(data)

    async def reply(self, within: float) -> ServerReply:
        """The next reply.

        Raises:
            TimeoutError: there was none within so many seconds.
            ConnectionError: the connection was closed, or what the server said was no reply.
        """
        if not self._replies and self._over is None:
            loop = asyncio.get_running_loop()
            self._awaited = loop.create_future()
            silence = loop.call_later(within, _give_up, self._awaited)
            try:
                await self._awaited
            finally:
                silence.cancel()
                self._awaited = None
        if self._replies:
            return self._replies.popleft()
        assert self._over is not None
        raise self._over

    def close(self) -> None:
        """Close without a word."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what arrived."""
        self._received += data
        while (end := self._received.find(b"\n")) >= 0:
            line = bytes(self._received[:end]).rstrip(b"\r")
            del self._received[: end + 1]
            self._take(line)
        if len(self._received) + sum(map(len, self._lines)) > _LONGEST:
            self._end(ConnectionError("a reply without end"))

    def connection_lost(self, error: Exception | None) -> None:
        """Let whoever waits know."""
        self._end(ConnectionResetError("lost"))

    def _take(self, line: bytes) -> None:
        """One line of a reply: code, then a hyphen if more follow (RFC 5321, 4.2.1)."""
        found = _LINE.fullmatch(line)
        if found is None:
            self._end(ConnectionError("an unreadable reply"))
            return
        self._lines.append((found[3] or b"").decode(errors="replace"))
        if found[2] != b"-":
            self._replies.append(ServerReply(int(found[1]), clean_block("\n".join(self._lines))))
            self._lines.clear()
            self._wake()

    def _end(self, error: ConnectionError) -> None:
        self._over = self._over or error
        self._wake()

    def _wake(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)


def _give_up(awaited: asyncio.Future[None]) -> None:
    """A reply does not come: half as much work for each as ``asyncio.timeout``, which can break off anything."""
    if not awaited.done():
        awaited.set_exception(TimeoutError())
