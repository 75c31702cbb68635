"""One connection to a mail server, and the transaction that hands a message over.

The line between "nothing was sent" and "nobody can say" is the server's ``354`` to DATA (RFC 5321, 4.1.1.4): before it
no byte of the message has left, after it the message may have been taken although no answer came back. ``aiosmtplib``
opens the connection (EHLO, STARTTLS, AUTH); the transaction is spoken here, because it raises the same exception on
both sides of that line.

MAIL, RCPT and DATA go in one write where the server offers PIPELINING (RFC 2920), and one by one where it does not, or
offers it and does not keep it. Each reply belongs to the command in its place; a server that says anything out of its
turn is not spoken to any further, since its next word could be taken for the answer about another message.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TypeAlias

import aiosmtplib
from cryptography import x509

from mail.facts import wire_address
from mail.handover import (
    Accepted,
    DeliveryDeferred,
    Envelope,
    MailServerUnavailable,
    OutcomeUnknown,
    Rejected,
    SendResult,
    ServerReply,
    TlsSession,
)
from mail.smtp_dialogue import Dialogue
from mail.smtp_server import Security, SmtpServer

Begun: TypeAlias = Callable[[], Awaitable[None]]
"""What is to be done before the first byte of a message leaves, as noting that it is under way."""

_NOT_OPENED = (aiosmtplib.SMTPException, OSError, UnicodeError)
"""What opening a connection raises; ``OSError`` covers timeouts and TLS."""

_NOT_XTEXT = re.compile(r"[^!-*,-<>-~]")

_NOT_QCHAR = re.compile(r"[^!-*,-<>-\[\]-~]")

_DATA_GO_AHEAD = 354
_CLOSING = 421
_TOO_LARGE = 552
_NOT_INTERNATIONALISED = 553
_REFUSES_EVERY_MESSAGE = frozenset({503, 530})
"""Another command, or a login, is wanted first (RFC 5321, 4.2.2; RFC 4954, 6): not a word about this message."""


class _Step(StrEnum):
    """What the server answers to, in order."""

    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CONTENT = "the content"


@dataclass(frozen=True)
class Outgoing:
    """One message on its way to the server.

    Attributes:
        begun: is awaited once the server waits for the content, before any of it leaves.
        slow: is called when the answer to the content is long in coming.
    """

    envelope: Envelope
    raw: bytes = field(repr=False)
    begun: Begun
    slow: Callable[[], None]

    @cached_property
    def sender(self) -> str:
        """The envelope's sender as the server is told."""
        return wire_address(self.envelope.sender)

    @cached_property
    def recipient(self) -> str:
        """The envelope's recipient as the server is told."""
        return wire_address(self.envelope.recipient)

    @cached_property
    def is_internationalised(self) -> bool:
        """Whether only a server that offers SMTPUTF8 can take it (RFC 6531, 3.1)."""
        return not (self.raw.isascii() and self.sender.isascii() and self.recipient.isascii())


@dataclass(frozen=True)
class Introduction:
    """What the server says of itself as a connection is opened.

    Attributes:
        address: the IP address that answered.
        extensions: what it offers (RFC 5321, 4.1.1.1), in small letters, each with its parameters.
        logins: the mechanisms by which it lets people log in (RFC 4954).
        tls: how the connection is protected, if it is.
        certificate_ends: until when the server's certificate is valid.
    """

    address: str
    extensions: Mapping[str, str]
    logins: tuple[str, ...]
    tls: TlsSession | None
    certificate_ends: datetime | None


async def introduce(server: SmtpServer) -> Introduction:
    """Ask a server what it offers, with the login that is set, and take leave of it.

    Raises:
        MailServerUnavailable: it does not answer, or not as it should.
    """
    connection = Connection(server)
    try:
        return await connection.introduce()
    finally:
        await connection.quit()


class _Lost(Exception):
    """The connection was lost, or closed by the server, before any content was given."""


class _Silent(Exception):
    """The server took the sender and says nothing more."""


class Connection:
    """One connection to the server, opened when first needed and again when it was lost."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
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
        self._dialogue: Dialogue | None = None
        self._tls: TlsSession | None = None
        self._keeps_pipelining = True
        self._last_used = 0.0

    async def send(self, message: Outgoing) -> SendResult:
        """Send over the open connection, or over a new one if that is closed or proves to be.

        Raises:
            MailServerUnavailable: nothing was sent; ``DeliveryDeferred`` if only this message is concerned.
            OutcomeUnknown: the content was given and no answer came back.
        """
        is_new = not self._is_usable()
        while True:
            if is_new:
                await self._open()
            pipelined = self._pipelines
            try:
                return await self._transaction(message)
            except _Lost as lost:
                if is_new:
                    raise self._unavailable(
                        f"The mail server closed the connection before the message was given{lost}."
                    ) from None
            except _Silent:
                # Commands that came in one write may have been dropped by a server that offers PIPELINING and does not
                # keep it; a silence about a single command is about this recipient.
                self._keeps_pipelining = not pipelined
                if not pipelined:
                    raise self._deferred("The mail server says nothing about this recipient.") from None
            is_new = True

    async def introduce(self) -> Introduction:
        """Open the connection, and return what the server said of itself.

        Raises:
            MailServerUnavailable: it cannot be opened.
        """
        await self._open()
        transport = self._client.transport
        assert transport is not None
        session: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        shown = session.getpeercert(binary_form=True) if session else None
        return Introduction(
            address=transport.get_extra_info("peername")[0],
            extensions=dict(self._client.esmtp_extensions),
            logins=tuple(self._client.server_auth_methods),
            tls=self._tls,
            certificate_ends=x509.load_der_x509_certificate(shown).not_valid_after_utc if shown else None,
        )

    def drop(self) -> None:
        """Close without a word, since the conversation is out of step or over."""
        if self._dialogue is not None:
            self._dialogue.close()
            self._dialogue = None
        self._client.close()

    async def quit(self) -> None:
        """Take leave of the server and close."""
        if self._dialogue is not None and self._dialogue.is_open:
            with suppress(OSError):
                self._dialogue.say(b"QUIT\r\n")
                await self._dialogue.reply(self._server.timeout)
        self.drop()

    @property
    def _pipelines(self) -> bool:
        return self._keeps_pipelining and self._offers("pipelining")

    def _offers(self, extension: str) -> bool:
        return self._client.supports_extension(extension)

    def _is_usable(self) -> bool:
        dialogue = self._dialogue
        is_fresh = time.monotonic() - self._last_used <= self._server.idle_limit
        if dialogue is not None and dialogue.is_open and dialogue.is_quiet and is_fresh:
            return True
        self.drop()
        return False

    async def _open(self) -> None:
        self.drop()
        try:
            await self._client.connect()
            if self._client.is_ehlo_or_helo_needed:
                await self._client.ehlo()
        except _NOT_OPENED as error:
            self.drop()
            raise self._not_opened(error) from None
        transport = self._client.transport
        assert isinstance(transport, asyncio.Transport)
        self._tls = _tls_session(transport)
        self._dialogue = Dialogue(transport)
        self._last_used = time.monotonic()

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

    async def _transaction(self, message: Outgoing) -> SendResult:
        """MAIL, RCPT, DATA, content (RFC 5321, 3.3).

        Raises:
            _Lost: the connection was lost before the content.
            _Silent: the server took the sender, and then said nothing.
        """
        if refusal := self._refused_unasked(message):
            return refusal
        refused = await self._announce(message)
        if refused is not None:
            return await self._refused(*refused)
        answer = await self._give(message)
        match answer.code // 100:
            case 2:
                self._last_used = time.monotonic()
                return Accepted(answer.code, answer.text, self._tls)
            case 4 | 5:
                return await self._refused(_Step.CONTENT, answer)
            case _:
                self.drop()
                raise self._unknown(f"the server answered with {answer.code}, which is neither yes nor no")

    def _refused_unasked(self, message: Outgoing) -> Rejected | None:
        """What the server has said already that it refuses, by the extensions that it offers."""
        limit = self._client.esmtp_extensions.get("size", "")
        if limit.isdecimal() and 0 < int(limit) < len(message.raw):  # RFC 1870, 4: 0 is no limit
            return Rejected(
                _TOO_LARGE,
                f"5.3.4 The message has {len(message.raw):,} bytes, and the mail server takes at most {int(limit):,}; "
                "it was not sent. Send less, or have the server's limit raised.",
            )
        if message.is_internationalised and not self._offers("smtputf8"):
            return Rejected(
                _NOT_INTERNATIONALISED,
                "5.6.7 An address of this message is not plain ASCII, and the mail server does not offer SMTPUTF8; it "
                "was not sent. Name another address, or hand mail to a server that offers it.",
            )
        return None

    async def _announce(self, message: Outgoing) -> tuple[_Step, ServerReply] | None:
        """Say MAIL, RCPT and DATA. Return None once the server waits for the content, else the step that it refused."""
        commands = self._commands(message)
        pipelined = self._pipelines
        if pipelined:
            self._say(b"".join(commands.values()))
        refused: tuple[_Step, ServerReply] | None = None
        for step, command in commands.items():
            try:
                if not pipelined:
                    self._say(command)
                reply = await self._hear(step)
            except (_Lost, _Silent):
                if refused is None:
                    raise
                return refused
            if step is _Step.DATA and reply.code == _DATA_GO_AHEAD:
                if refused is not None:
                    await self._give_nothing()
                return refused
            if reply.code // 100 != 2 or step is _Step.DATA:
                refused = refused or (step, reply)
                if not pipelined:
                    return refused
        return refused

    def _commands(self, message: Outgoing) -> dict[_Step, bytes]:
        envelope = message.envelope
        mail, rcpt = [f"MAIL FROM:<{message.sender}>"], [f"RCPT TO:<{message.recipient}>"]
        if self._offers("size"):
            mail.append(f"SIZE={len(message.raw)}")
        if message.is_internationalised:
            mail.append("SMTPUTF8")
        if self._offers("dsn"):
            if envelope.envelope_id:
                mail.append(f"ENVID={_xtext(envelope.envelope_id)}")
            if envelope.report:
                mail.append("RET=HDRS")
                rcpt += ["NOTIFY=SUCCESS,FAILURE,DELAY", f"ORCPT={_original_recipient(message.recipient)}"]
        lines = {_Step.MAIL: mail, _Step.RCPT: rcpt, _Step.DATA: ["DATA"]}
        return {step: " ".join(words).encode() + b"\r\n" for step, words in lines.items()}

    def _say(self, data: bytes) -> None:
        """Raises ``_Lost``; before anything is said, the server must have said nothing out of its turn."""
        dialogue = self._dialogue
        if dialogue is None or not dialogue.is_quiet:
            self.drop()
            raise _Lost
        try:
            dialogue.say(data)
        except OSError:
            self.drop()
            raise _Lost from None

    async def _hear(self, step: _Step) -> ServerReply:
        assert self._dialogue is not None
        try:
            reply = await self._dialogue.reply(self._server.timeout)
        except TimeoutError:
            self.drop()
            raise (_Lost if step is _Step.MAIL else _Silent) from None
        except OSError:
            self.drop()
            raise _Lost from None
        if reply.code == _CLOSING:
            self.drop()
            raise _Lost(f" {reply.codes}")
        return reply

    async def _give(self, message: Outgoing) -> ServerReply:
        """Give the content and return the answer to it; what is to be done before it leaves is done first."""
        try:
            await message.begun()
        except BaseException:
            self.drop()  # without the closing dot the server has nothing to deliver
            raise
        self._say(_stuffed(message.raw))
        dialogue = self._dialogue
        assert dialogue is not None
        slow = asyncio.get_running_loop().call_later(self._server.patience, message.slow)
        try:
            return await dialogue.reply(self._server.data_timeout)
        except OSError as error:
            self.drop()
            raise self._unknown(type(error).__name__) from None
        finally:
            slow.cancel()

    async def _give_nothing(self) -> None:
        """End at once what the server asks the content of, although it refused the message (RFC 2920, 3.1)."""
        with suppress(_Lost, _Silent):
            self._say(b".\r\n")
            await self._hear(_Step.DATA)

    async def _refused(self, step: _Step, answer: ServerReply) -> Rejected:
        """Return a permanent refusal of this message; raise a passing one, or one that any message would get."""
        if answer.code == _CLOSING:
            self.drop()
            raise self._unavailable(f"The mail server is closing its connections {answer.codes}.")
        await self._reset()
        if step is _Step.MAIL and answer.code != _TOO_LARGE:
            raise self._unavailable(
                f"The mail server does not take mail from the sender's address now {answer.codes}.",
                "Check the SMTP sender address and login.",
            )
        if answer.code in _REFUSES_EVERY_MESSAGE:
            raise self._unavailable(
                f"The mail server wants something else first {answer.codes}.", "Check the SMTP login and security."
            )
        match answer.code // 100:
            case 4:
                raise self._deferred(f"The mail server will not take this message now {answer.codes}.", answer)
            case 5:
                return Rejected(answer.code, answer.text)
            case _:
                self.drop()
                raise self._unavailable(
                    f"The mail server answered {step} with {answer.code}, which is no answer to it."
                )

    async def _reset(self) -> None:
        """End the transaction so that the connection can carry the next message."""
        with suppress(_Lost, _Silent):
            self._say(b"RSET\r\n")
            if (await self._hear(_Step.MAIL)).code // 100 == 2:
                self._last_used = time.monotonic()
            else:
                self.drop()

    def _deferred(self, message: str, reply: ServerReply | None = None) -> DeliveryDeferred:
        return DeliveryDeferred(message, where=self._server.where, next_step="It is tried again later.", reply=reply)

    def _unavailable(self, message: str, advice: str = "") -> MailServerUnavailable:
        next_step = f"{advice} Nothing was sent; it is tried again later.".strip()
        return MailServerUnavailable(message, where=self._server.where, next_step=next_step)

    def _unknown(self, cause: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"The mail server was given the message but its answer was lost ({cause}).",
            where=self._server.where,
            next_step="Send it again with the same Message-ID, and record both sends.",
        )


def _tls_session(transport: asyncio.Transport) -> TlsSession | None:
    """How a connection is protected; its certificate was verified by then, so Python tells whom it names."""
    session: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if session is None:
        return None
    cipher, shown = session.cipher(), session.getpeercert(binary_form=True)
    return TlsSession(
        version=session.version() or "", cipher=cipher[0] if cipher else "", certificate=_named(shown) if shown else ""
    )


def _named(certificate: bytes) -> str:
    """Whom a certificate (DER) names: its subject may be empty (RFC 5280, 4.1.2.6)."""
    read = x509.load_der_x509_certificate(certificate)
    names = [str(name.value) for name in read.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    with suppress(x509.ExtensionNotFound):
        others = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names += others.get_values_for_type(x509.DNSName)
    return next(iter(names), "")


def _stuffed(raw: bytes) -> bytes:
    """``raw`` as it follows DATA: leading dots doubled, and the closing dot (RFC 5321, 4.5.2)."""
    doubled = raw.replace(b"\n.", b"\n..")
    return (b"." if raw.startswith(b".") else b"") + doubled + (b".\r\n" if raw.endswith(b"\r\n") else b"\r\n.\r\n")


def _xtext(text: str) -> str:
    """``text`` as a parameter's value (RFC 3461, 4)."""
    return _NOT_XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", text)


def _original_recipient(address: str) -> str:
    """The address that a report is to name (RFC 3461, 4.2; for one that is not ASCII RFC 6533, 3)."""
    if address.isascii():
        return f"rfc822;{_xtext(address)}"
    return "utf-8;" + _NOT_QCHAR.sub(lambda found: f"\\x{{{ord(found[0]):X}}}", address)
