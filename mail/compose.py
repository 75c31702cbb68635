"""Turning the facts of a notice into the message that is sent: the same facts always give the same bytes.

The wording is in the templates (``mail.templates``): what every notice says in ``words.j2``, and what is said of one
clause in ``clauses/<its id>.j2``. The law's words come in with the facts.
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import Environment
from pydantic import BaseModel, ConfigDict, Field

from mail.facts import (
    TO_FOLLOW,
    ContactPerson,
    LetterFacts,
    Mailbox,
    MessageId,
    NoticeFacts,
    wire_address,
)
from mail.required import lost_by, required_of_letter, required_of_notice
from mail.templates import SHIPPED, Templates
from mail.wording import broken, is_dated

_OTHER_CLAUSE = "clauses/other.j2"
"""What is said under a clause that has no words of its own, such as one that an agreement adds by itself."""

_HEADER_WIDTH = 78
_LONGEST_PLAIN = 60
_MAILBOXES = 64
"""How many mailboxes are kept as they stand in headers: every message has those of its sender."""

_INSTANTS = 64
"""How many instants are kept likewise: messages that are written together bear the same."""

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


def compose(
    facts: NoticeFacts, addressing: Addressing, *, test: bool = False, templates: Templates = SHIPPED
) -> ComposedNotice:
    """Write one notice as a ``multipart/alternative`` message (RFC 2046, 5.1.4).

    A ``test`` goes to an officer instead of its reader, and says so in its subject and before everything else.

    The Date header is the instant of the notice; RFC 3834 marks the message as sent by a machine, so that
    out-of-office programs stay silent.
    """
    rendered = templates.write(
        lambda written_by: render(facts, written_by.environments, test=test),
        lambda rendered: lost_by(rendered, required_of_notice(facts)),
    )
    return compose_message(
        addressing,
        rendered.subject,
        rendered.text,
        rendered.html,
        contact=facts.sender.contact,
        at=facts.noticed_at,
        follows=facts.follows.message_id if facts.follows else None,
    )


class Rendered(NamedTuple):
    """What a letter says in its subject and in its two layouts."""

    subject: str
    text: str
    html: str


def render(facts: NoticeFacts, environments: Mapping[str, Environment], *, test: bool = False) -> Rendered:
    """Write what a notice says by the templates of an environment for each layout."""
    text, html = (_Layout(facts, suffix, environments[suffix], test=test) for suffix in ("txt", "html"))
    subject = _one_line(text.subject)
    return Rendered(subject, _BLANK_LINES.sub("\n\n", text.render(subject)), html.render(subject))


def notice_subject(facts: NoticeFacts, environments: Mapping[str, Environment], *, test: bool = False) -> str:
    """The subject of a notice as its template gives it, before it is made one line."""
    return _Layout(facts, "txt", environments["txt"], test=test).subject


def _one_line(subject: str) -> str:
    """A subject, whatever lines a template has written it in: it becomes a header."""
    return " ".join(subject.split())


class _Layout:
    """One notice in one of the two layouts, with the words of its first clause."""

    def __init__(self, facts: NoticeFacts, suffix: str, environment: Environment, *, test: bool) -> None:
        self._template = environment.get_template(f"{facts.template}.{suffix}.j2")
        values: dict[str, Any] = {
            "facts": facts,
            "test": test,
            "zone": ZoneInfo(facts.time_zone),
            # Whatever has no date yet is None, so that a template can ask for it.
            "dates": defaultdict(_nothing, {anchor.name: anchor for anchor in facts.anchors if is_dated(anchor)}),
            "to_follow": [element.label for element in facts.elements if element.status in TO_FOLLOW],
            "added": [element.label for element in facts.elements if element.id in facts.added],
        }
        clause, package = facts.clauses[0].id, facts.template.rpartition(":")[0]
        outside = [f"{package}:{clause}.j2"] if package else []
        own = environment.select_template([*outside, f"clauses/{clause}.j2", _OTHER_CLAUSE])
        values["clause"] = own.make_module(values)
        self._values = values | {"words": environment.get_template("words.j2").make_module(values)}

    @property
    def subject(self) -> str:
        """What the notice is, for its reader."""
        subject: str = self._values["words"].subject()
        return subject

    def render(self, subject: str) -> str:
        """The whole notice."""
        return self._template.render(self._values, subject=subject)


def _nothing() -> None:
    """No date."""


def compose_letter(
    facts: LetterFacts,
    addressing: Addressing,
    *,
    at: datetime,
    follows: str | None = None,
    templates: Templates = SHIPPED,
) -> ComposedNotice:
    """Write a letter that is no notice from the templates of its name: the same facts always give the same bytes."""
    rendered = templates.write(
        lambda written_by: render_letter(facts, written_by.environments),
        lambda rendered: lost_by(rendered, required_of_letter(facts)),
    )
    return compose_message(addressing, *rendered, contact=facts.sender.contact, at=at, follows=follows)


def render_letter(facts: LetterFacts, environments: Mapping[str, Environment]) -> Rendered:
    """Write what a letter says by the templates of its name."""
    subject = _one_line(letter_subject(facts, environments))
    values = _of_letter(facts) | {"subject": subject}
    text, html = (
        environments[suffix].get_template(f"{facts.template}.{suffix}.j2").render(values) for suffix in ("txt", "html")
    )
    return Rendered(subject, _BLANK_LINES.sub("\n\n", text), html)


def letter_subject(facts: LetterFacts, environments: Mapping[str, Environment]) -> str:
    """The subject of a letter as its template gives it, before it is made one line."""
    said: Any = environments["txt"].get_template(f"{facts.template}_words.j2").make_module(_of_letter(facts))
    return str(said.subject())


def _of_letter(facts: LetterFacts) -> dict[str, Any]:
    return {"facts": facts, "test": False, "zone": ZoneInfo(facts.time_zone)}


def compose_message(
    addressing: Addressing,
    subject: str,
    text: str,
    html: str,
    *,
    contact: ContactPerson,
    at: datetime,
    follows: str | None = None,
) -> ComposedNotice:
    """A letter in its two layouts as a message; whoever answers it reaches ``contact``.

    ``follows`` is the Message-ID of the one that it follows.
    """
    bodies = Bodies(quoted(text), quoted(html))
    raw = message_of(addressing, subject, bodies, contact=contact, at=at, follows=follows)
    return ComposedNotice(subject=subject, text=text, html=html, raw=raw)


class Bodies(NamedTuple):
    """The two layouts of a letter as they stand in its message."""

    text: bytes
    html: bytes


def message_of(
    addressing: Addressing,
    subject: str,
    bodies: Bodies,
    *,
    contact: ContactPerson,
    at: datetime,
    follows: str | None = None,
) -> bytes:
    """The message around the two layouts of a letter."""
    headers = headers_of(addressing, subject, contact=contact, at=at, follows=follows)
    boundary = boundary_of(addressing.message_id)
    return b"\r\n".join(
        (
            headers + b"Content-Language: en-US\r\nMIME-Version: 1.0",
            f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n'.encode("ascii"),
            f"--{boundary}".encode("ascii"),
            _PART_HEAD % b"plain" + bodies.text,
            f"--{boundary}".encode("ascii"),
            _PART_HEAD % b"html" + bodies.html,
            f"--{boundary}--\r\n".encode("ascii"),
        )
    )


def headers_of(
    addressing: Addressing, subject: str, *, contact: ContactPerson, at: datetime, follows: str | None = None
) -> bytes:
    """The headers that every mail has, each with its line's end: from whom and to whom, of what and when.

    They are ASCII, but for the first part of an internationalised address (RFC 6532).
    """
    headers = (
        _mailboxes("From", (addressing.sender,)),
        f"Reply-To: {_mailbox(contact.name, contact.email, len('Reply-To: '))}",
        _mailboxes("To", addressing.to),
        *((_mailboxes("Cc", addressing.copies),) if addressing.copies else ()),
        f"Subject: {_header_text(subject, len('Subject: '))}",
        f"Date: {_date(at.astimezone(UTC))}",
        f"Message-ID: {addressing.message_id}",
        *((f"In-Reply-To: {follows}", f"References: {follows}") if follows else ()),
        "Auto-Submitted: auto-generated",
    )
    return "".join(f"{header}\r\n" for header in headers).encode()


def boundary_of(message_id: str) -> str:
    """The boundary between a message's parts.

    "=_" cannot occur in quoted-printable or base64, so the boundary cannot occur in a part (RFC 2045, 6.7).
    """
    return f"=_{sha256(message_id.encode()).hexdigest()[:32]}"


_PART_HEAD = b'Content-Type: text/%s; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'


def quoted(body: str) -> bytes:
    """UTF-8 as quoted-printable, line by line: 7-bit, of at most 76 characters, and legible as it is."""
    return b2a_qp(body.replace("\n", "\r\n").encode(), istext=True)


def _mailboxes(header: str, mailboxes: Iterable[Mailbox]) -> str:
    """An address header with one mailbox to a line (RFC 5322, 3.4)."""
    return f"{header}: " + ",\r\n ".join(
        [_mailbox(mailbox.name, mailbox.email, len(header) + 2) for mailbox in mailboxes]
    )


@lru_cache(_INSTANTS)
def _date(utc: datetime) -> str:
    return format_datetime(utc)


@lru_cache(_MAILBOXES)
def _mailbox(name: str, address: str, column: int) -> str:
    email = wire_address(address)
    if not name:
        return email
    if _is_plain(name) and len(name) <= _LONGEST_PLAIN:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        phrase = f'"{escaped}"'
    else:
        phrase = _encoded_words(name, column)
    fold = "\r\n" if column + len(phrase) + len(email) > _HEADER_WIDTH - len(" <>,") else ""
    return f"{phrase}{fold} <{email}>"


def _header_text(text: str, column: int) -> str:
    """``text`` as the value of an unstructured header that starts at ``column``, folded (RFC 5322, 2.2.3)."""
    if not _is_plain(text):
        return _encoded_words(text, column)
    name = "-" * column
    return "\r\n ".join(broken(f"{name}{text}", _HEADER_WIDTH - len(" "))).removeprefix(name).lstrip()


def _is_plain(text: str) -> bool:
    """Whether a header can hold ``text`` as it is: ASCII, in words that fold, that read as no encoded word."""
    return text.isascii() and "=?" not in text and max(map(len, text.split()), default=0) <= _LONGEST_PLAIN


def _encoded_words(text: str, column: int) -> str:
    """``text`` as encoded words (RFC 2047), folded; the first line starts at ``column``."""
    return Header(text, "utf-8", maxlinelen=_HEADER_WIDTH - column).encode(linesep="\r\n")
