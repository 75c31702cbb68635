"""Short messages that are no notices: what the officer is reminded of, and LEAs asked for an acknowledgement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from typing import NamedTuple

from mail.compose import header_text, mailboxes_header, wrap
from mail.facts import ContactPerson, Mailbox, clean_line


class Enclosure(NamedTuple):
    """A file that goes with a message: its name, its bytes, and what these are (a media type of RFC 6838)."""

    name: str
    content: bytes
    media_type: str


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
    headers = (
        mailboxes_header("From", (sender,)),
        mailboxes_header("Reply-To", (Mailbox(name=reply_to.name, email=reply_to.email),)),
        mailboxes_header("To", (to,)),
        f"Subject: {header_text(clean_line(subject), len('Subject: '))}",
        f"Date: {format_datetime(at.astimezone(UTC))}",
        f"Message-ID: {message_id}",
        "Auto-Submitted: auto-generated",
    )
    # Only for the content: as a header the standard library writes an encoded word that somebody typed as what it
    # decodes to, line breaks included.
    message = EmailMessage(policy=SMTP)
    message.set_content("\n\n".join(wrap(paragraph) for paragraph in paragraphs) + "\n", cte="quoted-printable")
    for name, content, media_type in enclosed:
        maintype, _, subtype = media_type.partition("/")
        message.add_attachment(content, maintype=maintype, subtype=subtype, filename=clean_line(name), cte="base64")
    if enclosed:
        # "=_" cannot occur in quoted-printable or base64, so the boundary cannot occur in a part (RFC 2045, 6.7).
        message.set_boundary(f"=_{sha256(message_id.encode()).hexdigest()[:32]}")
    return "".join(f"{header}\r\n" for header in headers).encode() + message.as_bytes()
