"""Short messages that are no notices: what the officer is reminded of, and LEAs asked for an acknowledgement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from mail.compose import wrap
from mail.facts import Mailbox, clean_line


def compose_plain_mail(
    subject: str, paragraphs: Sequence[str], *, sender: Mailbox, to: Mailbox, message_id: str, at: datetime
) -> bytes:
    """Write a plain-text message: the same words always give the same bytes (``.eml``, CRLF)."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(display_name=sender.name, addr_spec=sender.email)
    message["To"] = Address(display_name=to.name, addr_spec=to.email)
    message["Subject"] = clean_line(subject)
    message["Date"] = at.astimezone(UTC).replace(microsecond=0)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n\n".join(wrap(paragraph) for paragraph in paragraphs) + "\n", cte="quoted-printable")
    return message.as_bytes()
