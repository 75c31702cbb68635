"""Handing messages to the mail server over a few connections, and knowing what each came to (``mail.handover``)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from mail.facts import checked_address
from mail.handover import Envelope, SendResult
from mail.smtp_connection import Begun, Connection, Outgoing
from mail.smtp_server import SmtpServer


async def _nothing() -> None:
    """Nothing is to be done before the content leaves."""


class SmtpTransport:
    """A few connections to one mail server, opened as they are needed and used again.

    Use it as an async context manager, or call ``close``. ``send`` may be called by many tasks at once.
    """

    def __init__(self, server: SmtpServer) -> None:
        self._connections = [Connection(server) for _ in range(server.connections)]
        # Last in, first out: the connection used most recently is the least likely to be stale.
        self._free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for connection in self._connections:
            self._free.put_nowait(connection)

    async def __aenter__(self) -> Self:
        """Return the transport; connections are made by the first sends."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        await self.close()

    @property
    def connections(self) -> int:
        """How many messages can be under way at once."""
        return len(self._connections)

    async def send(self, raw: bytes, envelope: Envelope, *, begun: Begun = _nothing) -> SendResult:
        """Hand one message to the server for one recipient, and return what it answered.

        A cancelled call closes its connection; if it was cancelled while the content was under way, the outcome is
        as unknown as with ``OutcomeUnknown``.

        Args:
            raw: the message with CRLF line endings, sent byte for byte.
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
        checked_address(envelope.sender)
        checked_address(envelope.recipient)
        async with self._borrowed() as connection:
            return await connection.send(Outgoing(envelope, raw, begun, lambda: None))

    async def close(self) -> None:
        """Take leave of the server on every connection; calls of ``send`` should have ended."""
        await asyncio.gather(*(connection.quit() for connection in self._connections))

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Connection]:
        connection = await self._free.get()
        try:
            yield connection
        except asyncio.CancelledError:
            connection.drop()
            raise
        finally:
            self._free.put_nowait(connection)
