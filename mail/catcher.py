"""A local mail server that keeps what it is given and delivers nothing: for one machine, demos and rehearsals."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, Envelope, Session


class CatcherHandler:
    """Writes each message, byte for byte as it was received, to ``folder`` as one ``.eml`` file.

    File names are the instant of arrival and a running number, so that they sort by arrival and name nobody.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._numbers = count(1)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's)
        """Keep the message, and only then take responsibility for it."""
        assert isinstance(envelope.original_content, bytes)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{next(self._numbers):06d}.eml"
        try:
            self._keep(name, envelope.original_content)
        except OSError as error:
            return f"452 4.3.1 The message could not be kept: {error.strerror}"
        return f"250 2.0.0 Kept as {name}"

    def _keep(self, name: str, content: bytes) -> None:
        """Write under a name that no reader looks for, then rename: a ``.eml`` file is always whole."""
        unfinished = self._folder / f".{name}.part"
        unfinished.write_bytes(content)
        os.replace(unfinished, self._folder / name)


class _Session(SMTP):
    """One client's conversation; takes a message's content in a few reads where aiosmtpd takes it line by line.

    A rehearsal with thousands of notices would otherwise wait mostly for its own mail server.
    """

    line_length_limit = 2**25  # Also the most that one read may return.

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 (aiosmtpd's)
        """Take the content up to the closing dot (RFC 5321, 4.1.1.4 and 4.5.2)."""
        if arg or self.session is None or self.envelope is None or not self.envelope.rcpt_tos:
            await super().smtp_DATA(arg)
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        content = b"\r\n"
        while not content.endswith(b"\r\n.\r\n"):
            content += await self._reader.readuntil(b".\r\n")
        self.envelope.original_content = content[: -len(b".\r\n")].replace(b"\r\n.", b"\r\n")[len(b"\r\n") :]
        answer = await self.event_handler.handle_DATA(self, self.session, self.envelope)
        self.envelope = self._create_envelope()
        await self.push(answer)


@dataclass(frozen=True)
class Catcher:
    """A mail server that is running in this event loop."""

    host: str
    port: int
    _server: asyncio.Server
    _sessions: WeakSet[_Session]

    async def stop(self) -> None:
        """Stop listening, and hang up on whoever is still connected."""
        self._server.close()
        for session in self._sessions:
            if session.transport is not None:
                session.transport.close()
        await self._server.wait_closed()


async def start_catcher(folder: Path, host: str = "127.0.0.1", port: int = 0) -> Catcher:
    """Start a catcher that keeps its mail in ``folder``; port 0 takes any free port.

    Raises:
        OSError: the port is taken.
    """
    return await serve(CatcherHandler(folder), host, port)


async def serve(handler: object, host: str = "127.0.0.1", port: int = 0) -> Catcher:
    """Start a mail server whose answers are given by an aiosmtpd ``handler``.

    Raises:
        OSError: the port is taken.
    """
    # aiosmtpd logs addresses and whole commands; none of that may reach a log.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    loop = asyncio.get_running_loop()
    sessions: WeakSet[_Session] = WeakSet()

    def session() -> _Session:
        made = _Session(handler, hostname="localhost", ident="Duenotice mail catcher", data_size_limit=None, loop=loop)
        sessions.add(made)
        return made

    server = await loop.create_server(session, host, port)
    return Catcher(host, server.sockets[0].getsockname()[1], server, sessions)
