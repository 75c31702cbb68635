"""Short messages that are no notices: what the officer is reminded of, and LEAs asked for an acknowledgement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from hashlib import sha256
from typing import NamedTuple

from mail.compose import wrap
from mail.facts import ContactPerson, Mailbox, clean_line, wire_address


class Enclosure(NamedTuple):
    """A file that goes with a message: its name, its bytes, and what these are (a media type of RFC 6838)."""

    name: str
    content: bytes
    media_type: str


def _address(mailbox: Mailbox | ContactPerson) -> Address:
    local, _, domain = wire_address(mailbox.email).rpartition("@")
    return Address(display_name=mailbox.name, username=local, domain=domain)


def compose_plain_mail(
    subject: str,
    paragraphs: Sequence[str],
    *,
    sender: Mailbox,
    to: Mailbox,
    reply_to: ContactPerson,
    message_id: str,
    at: datetime,
    enclosed: Sequence[Enclosure] = (),
) -> bytes:
    """Write a plain-text message with its files: the same always give the same bytes (``.eml``, CRLF).

    Whoever answers it reaches the person ``reply_to``.
    """
    addresses = {"From": _address(sender), "Reply-To": _address(reply_to), "To": _address(to)}
    # An internationalised address stands in its header as it is (RFC 6532).
    message = EmailMessage(policy=SMTP if all(one.addr_spec.isascii() for one in addresses.values()) else SMTPUTF8)
    for header, address in addresses.items():
        message[header] = address
    message["Subject"] = clean_line(subject)
    message["Date"] = at.astimezone(UTC).replace(microsecond=0)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n\n".join(wrap(paragraph) for paragraph in paragraphs) + "\n", cte="quoted-printable")
    for name, content, media_type in enclosed:
        maintype, _, subtype = media_type.partition("/")
        message.add_attachment(content, maintype=maintype, subtype=subtype, filename=name, cte="base64")
    if enclosed:
        # "=_" cannot occur in quoted-printable or base64, so the boundary cannot occur in a part (RFC 2045, 6.7).
        message.set_boundary(f"=_{sha256(message_id.encode()).hexdigest()[:32]}")
    return message.as_bytes()
