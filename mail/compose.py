"""Turning the facts of a notice into the message that is sent: the same facts always give the same bytes.

The wording is in the templates under ``config/notices/``; the law's words come in with the facts.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from pydantic import BaseModel, ConfigDict, Field

from mail.facts import ElementStatus, Mailbox, MessageId, NoticeFacts
from models.words import NoticeKind

TEMPLATES = Path(__file__).resolve().parent.parent / "config" / "notices"
"""Where the templates are: one ``.txt.j2`` and one ``.html.j2`` for each kind of notice, over a shared base."""

_TEMPLATE_OF = {
    NoticeKind.NOTICE: "breach_notice",
    NoticeKind.SUPPLEMENT: "supplement",
    NoticeKind.DISMISSAL: "dismissal",
}
_TITLE_OF = {
    NoticeKind.NOTICE: "{}",
    NoticeKind.SUPPLEMENT: "Supplement: {}",
    NoticeKind.DISMISSAL: "Dismissed: {}",
}
_TEXT_WIDTH = 72
_BLANK_LINES = re.compile(r"\n{3,}")


class Addressing(BaseModel):
    """Who one message is from and to, and its name.

    Attributes:
        message_id: the Message-ID (RFC 5322, 3.6.4), the same for every attempt to send the message.
        sender: the mailbox in From; answers go to the person that the notice names, by Reply-To.
        to: the contacts told.
        copies: those shown as copied; each gets a delivery of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    message_id: MessageId
    sender: Mailbox
    to: tuple[Mailbox, ...] = Field(min_length=1)
    copies: tuple[Mailbox, ...] = ()


@dataclass(frozen=True)
class ComposedNotice:
    """One message: its subject, its two bodies, and the bytes that are sent and kept (``.eml``, CRLF, 7-bit)."""

    subject: str
    text: str
    html: str
    raw: bytes


def compose(facts: NoticeFacts, addressing: Addressing) -> ComposedNotice:
    """Write one notice as a ``multipart/alternative`` message (RFC 2046, 5.1.4).

    The Date header is the instant of the notice; RFC 3834 marks the message as sent by a machine, so that
    out-of-office programs stay silent.
    """
    title = _TITLE_OF[facts.kind].format(facts.clause.title)
    subject = f"{title}: {facts.lea_name} (case {facts.case_reference})"
    text = _BLANK_LINES.sub("\n\n", _render(facts, title, subject, "txt"))
    html = _render(facts, title, subject, "html")
    return ComposedNotice(subject=subject, text=text, html=html, raw=_message(facts, addressing, subject, text, html))


def _render(facts: NoticeFacts, title: str, subject: str, suffix: str) -> str:
    def labels(status: ElementStatus) -> list[str]:
        return [element.label for element in facts.elements if element.status is status]

    return _templates.get_template(f"{_TEMPLATE_OF[facts.kind]}.{suffix}.j2").render(
        facts=facts,
        title=title,
        subject=subject,
        zone=ZoneInfo(facts.time_zone),
        to_follow=labels(ElementStatus.NOT_YET_KNOWN),
        added=[element.label for element in facts.elements if element.id in facts.added],
    )


def _message(facts: NoticeFacts, addressing: Addressing, subject: str, text: str, html: str) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = _address(addressing.sender)
    message["Reply-To"] = _address(Mailbox(name=facts.sender.contact, email=facts.sender.email))
    message["To"] = [_address(mailbox) for mailbox in addressing.to]
    if addressing.copies:
        message["Cc"] = [_address(mailbox) for mailbox in addressing.copies]
    message["Subject"] = subject
    message["Date"] = facts.noticed_at.astimezone(UTC).replace(microsecond=0)
    message["Message-ID"] = addressing.message_id
    if facts.follows:
        message["In-Reply-To"] = facts.follows.message_id
        message["References"] = facts.follows.message_id
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = "en-US"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    # "=_" cannot occur in quoted-printable, so the boundary cannot occur in a body (RFC 2045, 6.7).
    message.set_boundary(f"=_{sha256(addressing.message_id.encode()).hexdigest()[:32]}")
    return message.as_bytes()


def _address(mailbox: Mailbox) -> Address:
    return Address(display_name=mailbox.name, addr_spec=mailbox.email)


def local_instant(instant: datetime, zone: ZoneInfo) -> str:
    """Return an instant as it is read on a wall in ``zone``, with the zone's abbreviation.

    Seconds are shown only where there are any.
    """
    local = instant.astimezone(zone)
    clock = f"{local.hour % 12 or 12}:{local:%M}{f':{local:%S}' if local.second else ''} {local:%p}"
    return f"{local:%A, %B} {local.day}, {local.year}, {clock} {local.tzname()}"


def utc_instant(instant: datetime) -> str:
    """Return an instant in UTC, to the second where it has seconds."""
    utc = instant.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S} UTC" if utc.second else f"{utc:%Y-%m-%d %H:%M} UTC"


def wrap(text: str, indent: int = 0, first: str = "") -> str:
    """Return ``text`` with its lines broken at 72 columns and indented; words, and so links, stay whole.

    ``first`` stands in the margin of the first line: a bullet, or the name of a field.
    """
    margin = " " * indent
    lines = (
        textwrap.fill(
            line,
            width=_TEXT_WIDTH,
            initial_indent=margin,
            subsequent_indent=margin,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.split("\n")
    )
    return first.ljust(indent) + "\n".join(lines)[indent:]


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters |= {"local": local_instant, "utc": utc_instant, "wrap": wrap}
    return environment


_templates = _environment()
