"""What is handed to a mail server, and what that comes to.

The server took it or refused it (``Accepted``, ``Rejected``); nothing was sent and it can be tried again later
(``MailServerUnavailable``, ``DeliveryDeferred``); or the connection was lost after the content was given, and nobody
can say (``OutcomeUnknown``). Errors never repeat what the server says, since servers quote addresses; its own words
come with ``ServerReply``, to be kept sealed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from models.errors import DuenoticeError, InvalidInput, Unavailable

_ENHANCED_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)")
_ENVELOPE_ID = re.compile(r"[!-~]{1,100}")
_QUEUE_IDS = (
    re.compile(r"queued (?:mail for delivery )?as (?P<id>[\w.-]+)", re.IGNORECASE),  # Postfix, and what speaks like it
    re.compile(r"\bid=(?P<id>[\w.-]+)"),  # Exim
    re.compile(r"\bInternalId=(?P<id>\d+)"),  # Exchange
    re.compile(r"(?P<id>[\w.-]+) Message accepted for delivery"),  # Sendmail
    re.compile(r"\bok:? +(?:\d{9,11} +)?(?P<id>[\w.-]{12,})", re.IGNORECASE),  # Gmail, SES
)
"""How servers name a message that they took: no standard says how, and each of these is one server's habit."""


@dataclass(frozen=True)
class Envelope:
    """Who one message is from and to, as the mail server is told (RFC 5321, 2.3.1).

    Attributes:
        sender: the address to which bounces return.
        recipient: the one recipient.
        envelope_id: a name that a report about the message repeats (ENVID; RFC 3461, 4.4), at most 100 characters; it
            shall name nobody.
        report: whether to ask for reports of success, failure and delay (RFC 3461, 4.1). A server that offers none
            is not asked.
    """

    sender: str
    recipient: str
    envelope_id: str | None = None
    report: bool = False

    def __post_init__(self) -> None:
        if self.envelope_id and not _ENVELOPE_ID.fullmatch(self.envelope_id):
            raise InvalidInput(
                "A message's name in reports is not one that mail servers take.",
                where="envelope_id",
                next_step="Use at most 100 visible ASCII characters.",
            )


@dataclass(frozen=True)
class TlsSession:
    """How the connection was protected that a message went over.

    Attributes:
        version: as ``TLSv1.3``.
        cipher: the cipher suite, by OpenSSL's name.
        certificate: whom the server's certificate names: its subject's common name, else its first
            alternative one.
    """

    version: str
    cipher: str
    certificate: str


@dataclass(frozen=True)
class ServerReply:
    """What the mail server said (RFC 5321, 4.2); ``text`` may name the recipient, so it is kept sealed."""

    code: int
    text: str

    @property
    def status(self) -> str | None:
        """The enhanced status code (RFC 3463), such as ``5.1.1``."""
        found = _ENHANCED_STATUS.match(self.text)
        return found[0] if found else None

    @property
    def codes(self) -> str:
        """The numbers of the reply, which unlike its text cannot name anybody."""
        return f"({self.code} {self.status})" if self.status else f"({self.code})"


@dataclass(frozen=True)
class Accepted(ServerReply):
    """The server took responsibility for the message (RFC 5321, 6.1).

    When it did is told by the caller's clock: in a rehearsal that is not the machine's. ``tls`` is None for a server on
    this machine that is spoken to in clear. A plain frozen value: pydantic reads and writes it as a field of a model.
    """

    tls: TlsSession | None = None

    @property
    def queue_id(self) -> str | None:
        """The name under which the server's own log has the message, where its words give one away."""
        found = next(filter(None, (shape.search(self.text) for shape in _QUEUE_IDS)), None)
        return found["id"].rstrip(".") if found else None


@dataclass(frozen=True)
class Rejected(ServerReply):
    """The server refused this recipient or this content for good."""


SendResult: TypeAlias = Accepted | Rejected


class MailServerUnavailable(Unavailable):
    """The mail server cannot be used at present. Nothing was sent."""

    code = "mail-server-unavailable"


class DeliveryDeferred(MailServerUnavailable):
    """The mail server works, but will not take this one message now (RFC 5321, 4.2.1: 4yz). Nothing was sent.

    ``reply`` is what the server said, where it said anything.
    """

    code = "mail-deferred"

    def __init__(
        self, message: str, *, where: str | None = None, next_step: str | None = None, reply: ServerReply | None = None
    ) -> None:
        super().__init__(message, where=where, next_step=next_step)
        self.reply = reply


class OutcomeUnknown(DuenoticeError):
    """The connection was lost after the content was given: the message may or may not have been taken."""

    code = "mail-outcome-unknown"
    exit_code = 5
