"""Short messages that are no notices: what the officer is reminded of, and LEAs asked for an acknowledgement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import NamedTuple

from mail.compose import Addressing, boundary_of, headers_of, wrap
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
    addressing = Addressing(message_id=message_id, sender=sender, to=(to,))
    headers = headers_of(addressing, clean_line(subject), contact=reply_to, at=at)
    # Only for the content: as a header the standard library writes an encoded word that somebody typed as what it
    # decodes to, line breaks included.
    message = EmailMessage(policy=SMTP)
    message.set_content("\n\n".join(wrap(paragraph) for paragraph in paragraphs) + "\n", cte="quoted-printable")
    for name, content, media_type in enclosed:
        maintype, _, subtype = media_type.partition("/")
        message.add_attachment(content, maintype=maintype, subtype=subtype, filename=clean_line(name), cte="base64")
    if enclosed:
        message.set_boundary(boundary_of(message_id))
    return headers + message.as_bytes()
