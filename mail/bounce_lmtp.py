"""Taking what comes back from the mail server of the same machine, by LMTP (RFC 2033) on loopback or a Unix socket."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import Envelope, Session

LARGEST_MESSAGE = 32 * 2**20
"""The largest message that is taken, in bytes; only its beginning is read, and nothing bounces that is a bounce."""

IDLE_SECONDS = 300.0

MOST_CONVERSATIONS = 32
"""How many clients are spoken to at the same time: the mail server keeps what is put off, and comes back with it."""

TakeMail = Callable[[bytes, str], Awaitable[str]]
"""Records a message for one recipient, and gives the answer to it, as ``250 2.0.0 Recorded``."""


class _Handler:
    def __init__(self, is_ours: Callable[[str], bool], take: TakeMail) -> None:
        self._is_ours = is_ours
        self._take = take

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's)
        self, server: LMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take return paths of ours alone, and one at a time: each recipient is answered by itself (RFC 2033, 4.2)."""
        if not self._is_ours(address):
            return "550 5.1.1 No message was sent from there"
        if envelope.rcpt_tos:
            return "452 4.5.3 One recipient at a time"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient taken"

    async def handle_DATA(self, server: LMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's)
        """Record the message, and only then take responsibility for it."""
        content = envelope.original_content
        return await self._take(content if isinstance(content, bytes) else b"", envelope.rcpt_tos[0])


class _Lmtp(LMTP):
    """One client's conversation; a fault in recording is the client's to try again, and is not put in its answer."""

    conversations: set[LMTP]
    """Those of the same listener, at most ``MOST_CONVERSATIONS``."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Speak to a client, unless there are too many already."""
        if len(self.conversations) < MOST_CONVERSATIONS:
            self.conversations.add(self)
            super().connection_made(transport)
        elif isinstance(transport, asyncio.Transport):
            transport.write(b"421 4.3.2 Too many conversations at once; try again later\r\n")
            transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """End a conversation that was begun."""
        if self in self.conversations:
            self.conversations.remove(self)
            super().connection_lost(error)

    async def handle_exception(self, error: Exception) -> str:
        logging.getLogger("bounces").error("LMTP: a message could not be recorded (%s)", type(error).__name__)
        return "451 4.3.0 Not recorded; try again later"


async def serve_lmtp(where: str, is_ours: Callable[[str], bool], take: TakeMail) -> asyncio.Server:
    """Serve LMTP at ``host:port``, or at the path of a socket that only this user and group may write to.

    Raises:
        OSError: the place is taken.
    """
    # aiosmtpd logs addresses and whole commands; none of that may reach a log.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    loop = asyncio.get_running_loop()
    conversations = set[LMTP]()

    def session() -> _Lmtp:
        made = _Lmtp(
            _Handler(is_ours, take),
            hostname="localhost",
            ident="Duenotice",
            data_size_limit=LARGEST_MESSAGE,
            timeout=IDLE_SECONDS,
            loop=loop,
        )
        made.conversations = conversations
        return made

    if where.startswith("/"):
        return await loop.create_unix_server(session, sock=_socket_at(Path(where)))
    host, _, port = where.rpartition(":")
    return await loop.create_server(session, host, int(port))


def _socket_at(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # as one that was killed leaves it
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(str(path))
    path.chmod(0o660)
    return made
