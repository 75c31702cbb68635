"""Handing a message to the mail server, and knowing which of three things happened.

The server took it or refused it (``Accepted``, ``Rejected``); nothing was sent and it can be tried again later
(``MailServerUnavailable``); or the connection was lost after the content was given, and nobody can say
(``OutcomeUnknown``). The line between the last two is the server's ``354`` to DATA (RFC 5321, 4.1.1.4): before it no
byte of the message has left, after it the message may have been taken although no answer came back.

``aiosmtplib`` raises the same exception on both sides of that line, so the transaction is spoken here command by
command, over its connections.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self, TypeAlias

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from mail.facts import checked_address
from mail.handover import (
    Accepted,
    DeliveryDeferred,
    MailServerUnavailable,
    OutcomeUnknown,
    Rejected,
    SendResult,
    ServerReply,
)

_BROKEN = (aiosmtplib.SMTPException, OSError)
"""What a broken connection or an unreadable answer raises; ``OSError`` covers timeouts and TLS."""

_START_OF_LINE_DOT = re.compile(rb"^\.", re.MULTILINE)
_ENHANCED_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")

_DATA_GO_AHEAD = 354
_CLOSING = 421
_REFUSES_EVERY_MESSAGE = frozenset({503, 530})
"""Another command, or a login, is wanted first (RFC 5321, 4.2.2; RFC 4954, 6): not a word about this message."""


Begun: TypeAlias = Callable[[], Awaitable[None]]
"""What is to be done before the first byte of a message leaves, as noting that it is under way."""


class Security(StrEnum):
    """How the connection is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


Seconds = Annotated[float, Field(gt=0)]


class SmtpServer(BaseModel):
    """The mail server that notices are handed to, and how to speak to it.

    Attributes:
        username: the account to log in with; None to send without logging in.
        ca_file: certificate authorities to trust besides the system's (PEM).
        client_name: what to call this machine in EHLO; None for its own name.
        connections: how many connections are kept; each carries one message at a time.
        timeout: how long to wait for a connection or for the answer to a command, in seconds.
        data_timeout: how long to wait for the answer to a message's content, in seconds. RFC 5321, 4.5.3.2.6 asks
            for ten minutes: a shorter wait turns slow deliveries into unknown ones, which are sent twice.
        idle_limit: a connection unused for longer is made anew, since servers and firewalls drop idle ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    security: Security = Security.STARTTLS
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    client_name: str | None = None
    connections: int = Field(default=4, ge=1, le=64)
    timeout: Seconds = 30
    data_timeout: Seconds = 600
    idle_limit: Seconds = 60

    @model_validator(mode="after")
    def _credentials_are_protected(self) -> Self:
        if self.username and self.security is Security.NONE and not _is_loopback(self.host):
            raise ValueError("the mail server's password would travel unprotected; set security to starttls or tls")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Lost(Exception):
    """The connection was lost, or closed by the server, before any content was given."""


class _Connection:
    """One connection to the server, opened when first needed and again when it was lost."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._where = f"mail server {server.host}:{server.port}"
        self._client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password.get_secret_value() if server.password else None,
            local_hostname=server.client_name,
            timeout=server.timeout,
            use_tls=server.security is Security.TLS,
            start_tls=server.security is Security.STARTTLS,
            cert_bundle=str(server.ca_file) if server.ca_file else None,
        )
        self._last_used = 0.0

    async def send(self, content: bytes, sender: str, recipient: str, begun: Begun | None) -> SendResult:
        """Send over the open connection, or over a new one if that is closed or proves to be."""
        if self._is_usable():
            with suppress(_Lost):
                return await self._transaction(content, sender, recipient, begun)
        await self._open()
        try:
            return await self._transaction(content, sender, recipient, begun)
        except _Lost as lost:
            raise self._unavailable(
                f"The mail server closed the connection before the message was given{lost}."
            ) from None

    def drop(self) -> None:
        """Close without a word, since the conversation is out of step or over."""
        self._client.close()

    async def quit(self) -> None:
        """Take leave of the server and close."""
        if self._client.is_connected:
            with suppress(*_BROKEN):
                await self._client.quit()
        self._client.close()

    def _is_usable(self) -> bool:
        if self._client.is_connected and time.monotonic() - self._last_used <= self._server.idle_limit:
            return True
        self._client.close()
        return False

    async def _open(self) -> None:
        try:
            await self._client.connect()
            if self._client.is_ehlo_or_helo_needed:
                await self._client.ehlo()
        except (*_BROKEN, UnicodeError) as error:
            self.drop()
            raise self._not_opened(error) from None

    def _not_opened(self, error: Exception) -> MailServerUnavailable:
        if isinstance(error, aiosmtplib.SMTPAuthenticationError):
            return self._unavailable(
                f"The mail server refused the login ({error.code}).", "Check the SMTP user name and password."
            )
        if isinstance(error, aiosmtplib.SMTPResponseException):
            return self._unavailable(f"The mail server turned the connection away ({error.code}).")
        if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
            return self._unavailable(
                "A protected connection to the mail server could not be made.",
                "Check the SMTP security setting, and that the server's certificate is trusted and names this host.",
            )
        return self._unavailable(
            f"The mail server could not be reached or did not answer as expected ({type(error).__name__}).",
            "Check the SMTP host, port and security settings, and that the server is up.",
        )

    async def _transaction(self, content: bytes, sender: str, recipient: str, begun: Begun | None) -> SendResult:
        """MAIL, RCPT, DATA, content (RFC 5321, 3.3). Raises ``_Lost`` if the connection is, before the content."""
        answer = await self._command(b"MAIL", b"FROM:<" + sender.encode("ascii") + b">")
        if answer.code // 100 != 2:
            await self._reset()
            raise self._unavailable(
                f"The mail server does not take mail from the sender's address now {_codes(answer)}.",
                "Check the SMTP sender address and login.",
            )
        for command in ((b"RCPT", b"TO:<" + recipient.encode("ascii") + b">"), (b"DATA",)):
            answer = await self._command(*command)
            if answer.code // 100 not in (2, 3):
                return await self._refused(answer)
        if answer.code != _DATA_GO_AHEAD:
            self.drop()
            raise self._unavailable(f"The mail server answered DATA with {answer.code} instead of 354.")
        if begun is not None:
            try:
                await begun()
            except BaseException:
                self.drop()
                raise
        answer = await self._give(content)
        if answer.code // 100 == 2:
            self._last_used = time.monotonic()
            return Accepted(answer.code, answer.message)
        if answer.code // 100 in (4, 5):
            return await self._refused(answer)
        self.drop()
        raise self._unknown(f"the server answered with {answer.code}, which is neither yes nor no")

    async def _command(self, *words: bytes) -> aiosmtplib.SMTPResponse:
        try:
            answer = await self._client.execute_command(*words)
        except _BROKEN:
            self.drop()
            raise _Lost from None
        if answer.code == _CLOSING:
            self.drop()
            raise _Lost(f" {_codes(answer)}")
        return answer

    async def _give(self, content: bytes) -> aiosmtplib.SMTPResponse:
        protocol: SMTPProtocol | None = self._client.protocol
        if protocol is None or not protocol.is_connected:
            self.drop()
            raise _Lost
        try:
            protocol.write(content)
            return await protocol.read_response(timeout=self._server.data_timeout)
        except _BROKEN as error:
            self.drop()
            raise self._unknown(type(error).__name__) from None

    async def _refused(self, answer: aiosmtplib.SMTPResponse) -> Rejected:
        """Return a permanent refusal of this message; raise a passing one, or one that any message would get."""
        if answer.code == _CLOSING:
            self.drop()
            raise self._unavailable(f"The mail server is closing its connections {_codes(answer)}.")
        await self._reset()
        if answer.code in _REFUSES_EVERY_MESSAGE:
            raise self._unavailable(
                f"The mail server wants something else first {_codes(answer)}.", "Check the SMTP login and security."
            )
        if answer.code // 100 == 4:
            raise DeliveryDeferred(
                f"The mail server will not take this message now {_codes(answer)}.",
                where=self._where,
                next_step="It is tried again later.",
                reply=ServerReply(answer.code, answer.message),
            )
        return Rejected(answer.code, answer.message)

    async def _reset(self) -> None:
        """End the transaction so that the connection can carry the next message."""
        try:
            await self._client.rset()
            self._last_used = time.monotonic()
        except _BROKEN:
            self.drop()

    def _unavailable(self, message: str, advice: str = "") -> MailServerUnavailable:
        next_step = f"{advice} Nothing was sent; it is tried again later.".strip()
        return MailServerUnavailable(message, where=self._where, next_step=next_step)

    def _unknown(self, cause: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"The mail server was given the message but its answer was lost ({cause}).",
            where=self._where,
            next_step="Send it again with the same Message-ID, and record both sends.",
        )


def _codes(answer: aiosmtplib.SMTPResponse) -> str:
    """The numbers of an answer, which unlike its text cannot name anybody (RFC 5321, 4.2; RFC 3463)."""
    enhanced = _ENHANCED_STATUS.match(answer.message)
    return f"({answer.code} {enhanced[1]})" if enhanced else f"({answer.code})"


def _stuffed(raw: bytes) -> bytes:
    """``raw`` as it follows DATA: leading dots doubled, and the closing dot (RFC 5321, 4.5.2)."""
    return _START_OF_LINE_DOT.sub(b"..", raw) + (b".\r\n" if raw.endswith(b"\r\n") else b"\r\n.\r\n")


class SmtpTransport:
    """A few connections to one mail server, opened as they are needed and used again.

    Use it as an async context manager, or call ``close``. ``send`` may be called by many tasks at once.
    """

    def __init__(self, server: SmtpServer) -> None:
        self._connections = [_Connection(server) for _ in range(server.connections)]
        # Last in, first out: the connection used most recently is the least likely to be stale.
        self._free: asyncio.LifoQueue[_Connection] = asyncio.LifoQueue()
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

    async def send(self, raw: bytes, sender: str, recipient: str, begun: Begun | None = None) -> SendResult:
        """Hand one message to the server for one recipient, and return what it answered.

        A cancelled call closes its connection; if it was cancelled while the content was under way, the outcome is
        as unknown as with ``OutcomeUnknown``.

        Args:
            raw: the message with CRLF line endings, sent byte for byte.
            sender: the envelope's sender, to which bounces return.
            recipient: the envelope's one recipient.
            begun: is waited for before the first byte of the content leaves; if it raises, none does.

        Raises:
            InvalidInput: an address is not one that can be sent to.
            MailServerUnavailable: nothing was sent; ``DeliveryDeferred`` if only this message is concerned.
            OutcomeUnknown: the content was given and no answer came back.
        """
        checked_address(sender)
        checked_address(recipient)
        async with self._borrowed() as connection:
            return await connection.send(_stuffed(raw), sender, recipient, begun)

    async def close(self) -> None:
        """Take leave of the server on every connection; calls of ``send`` should have ended."""
        await asyncio.gather(*(connection.quit() for connection in self._connections))

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[_Connection]:
        connection = await self._free.get()
        try:
            yield connection
        except asyncio.CancelledError:
            connection.drop()
            raise
        finally:
            self._free.put_nowait(connection)
