"""Handing messages to the mail server over a few connections, and knowing what each came to (``mail.handover``)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from mail.dkim import Signer
from mail.facts import checked_address
from mail.handover import Envelope, SendResult
from mail.pacing import Pacing
from mail.smtp_connection import Begun, Connection, Outgoing
from mail.smtp_server import SmtpServer


async def _nothing() -> None:
    """Nothing is to be done before the content leaves."""


@dataclass
class _Borrowed:
    """A connection that carries a message, and whether another one has its place by now."""

    connection: Connection
    is_replaced: bool = False


class SmtpTransport:
    """A few connections to one mail server, opened as they are needed and used again.

    A connection whose answer is long in coming gives its place to another one, so that it costs the others nothing; so
    at most ``connections + waiting`` messages are under way at one moment.

    Use it as an async context manager, or call ``close``. ``send`` may be called by many tasks at once.

    Args:
        server: the mail server.
        signer: signs each message as it leaves (DKIM); None leaves that to the mail server.
    """

    def __init__(self, server: SmtpServer, signer: Signer | None = None) -> None:
        self._server = server
        self._signer = signer
        self._pacing = Pacing(server)
        self._waiting = 0
        # Last in, first out: the connection used most recently is the least likely to be stale.
        self._free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for _ in range(server.connections):
            self._free.put_nowait(Connection(server))

    async def __aenter__(self) -> Self:
        """Return the transport; connections are made by the first sends."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self.close()

    async def send(self, raw: bytes, envelope: Envelope, *, begun: Begun = _nothing) -> SendResult:
        """Hand one message to the server for one recipient, and return what it answered.

        A cancelled call closes its connection; if it was cancelled while the content was under way, the outcome is
        as unknown as with ``OutcomeUnknown``.

        Args:
            raw: the message with CRLF line endings, sent byte for byte, below the signature if there is a signer.
            envelope: from whom and to whom.
            begun: awaited once the server waits for the content, before any of it leaves: what a crash from then on
                leaves unknown is to be written down by it. The server waits meanwhile, so it should take well under a
                second; calls of several connections are best written down together. It can be called a second time for
                one message, if the connection is lost in that very moment; if it raises, nothing is sent.

        Raises:
            InvalidInput: an address is not one that can be sent to.
            MailServerUnavailable: nothing was sent; ``DeliveryDeferred`` if only this message is concerned.
            OutcomeUnknown: the content was given and no answer came back.
        """
        for address in (envelope.sender, envelope.recipient):
            checked_address(address)
        signed = self._signer.sign(raw) if self._signer else raw
        async with self._pacing.turn(envelope.recipient.rpartition("@")[2]) as turn, self._borrowed() as borrowed:

            def slow() -> None:
                turn.slow()
                self._replace(borrowed)

            return await borrowed.connection.send(Outgoing(envelope, signed, begun, slow))

    async def close(self) -> None:
        """Take leave of the server on every connection; calls of ``send`` should have ended."""
        free = [self._free.get_nowait() for _ in range(self._free.qsize())]
        await asyncio.gather(*(connection.quit() for connection in free))
        for connection in free:
            self._free.put_nowait(connection)

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[_Borrowed]:
        borrowed = _Borrowed(await self._free.get())
        try:
            yield borrowed
        except asyncio.CancelledError:
            borrowed.connection.drop()
            raise
        finally:
            if borrowed.is_replaced:
                self._waiting -= 1
                borrowed.connection.drop()
            else:
                self._free.put_nowait(borrowed.connection)

    def _replace(self, borrowed: _Borrowed) -> None:
        """Give the place of a connection that waits for an answer to a new one, if not too many wait already."""
        if self._waiting < self._server.waiting:
            self._waiting += 1
            borrowed.is_replaced = True
            self._free.put_nowait(Connection(self._server))
