"""Turning the facts of a notice into the message that is sent: the same facts always give the same bytes.

The wording is in the templates under ``config/notices/``: what every notice says in ``words.j2``, and what is said of
one clause in ``clauses/<its id>.j2``. The law's words come in with the facts.
"""

from __future__ import annotations

import re
import textwrap
from binascii import b2a_qp
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.header import Header
from email.utils import format_datetime
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, FunctionLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, Field

from cases.values import AnchorValue
from mail.facts import (
    TO_FOLLOW,
    ContactPerson,
    FactsValue,
    Line,
    Mailbox,
    MessageId,
    NoticeFacts,
    Sender,
    ZoneName,
    wire_address,
)

TEMPLATES = Path(__file__).resolve().parent.parent / "config" / "notices"
"""Where the templates are: one ``.txt.j2`` and one ``.html.j2`` for each sort of notice, over a shared base."""

_OTHER_CLAUSE = "clauses/other.j2"
"""What is said under a clause that has no words of its own, such as one that an agreement adds by itself."""

_TEXT_WIDTH = 72
_HEADER_WIDTH = 78
_LONGEST_PLAIN = 60
_BLANK_LINES = re.compile(r"\n{3,}")
_ODD_SPACES = re.compile(r"  |[^\S ]|^ | $")
"""What only ``textwrap`` breaks as it should: runs of spaces, and white space of other kinds."""
_ONLY_DASHES = re.compile(r"^-+$", re.MULTILINE)


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


def compose(facts: NoticeFacts, addressing: Addressing, *, test: bool = False) -> ComposedNotice:
    """Write one notice as a ``multipart/alternative`` message (RFC 2046, 5.1.4).

    A ``test`` goes to an officer instead of its reader, and says so in its subject and before everything else.

    The Date header is the instant of the notice; RFC 3834 marks the message as sent by a machine, so that
    out-of-office programs stay silent.
    """
    rendered = render(facts, test=test)
    return compose_message(
        addressing,
        rendered.subject,
        rendered.text,
        rendered.html,
        contact=facts.sender.contact,
        at=facts.noticed_at,
        follows=facts.follows.message_id if facts.follows else None,
    )


@dataclass(frozen=True)
class Rendered:
    """What a notice says in its subject and in its two layouts."""

    subject: str
    text: str
    html: str


def render(
    facts: NoticeFacts, *, test: bool = False, environments: Mapping[str, Environment] | None = None
) -> Rendered:
    """Write what a notice says, by the templates of other environments where any are given."""
    written_by = environments or ENVIRONMENTS
    text, html = (_Layout(facts, suffix, written_by[suffix], test=test) for suffix in ("txt", "html"))
    subject = f"{'TEST, no notice: ' if test else ''}{text.heading}: {facts.reader} ({facts.case_reference})"
    return Rendered(subject, _BLANK_LINES.sub("\n\n", text.render(subject)), html.render(subject))


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
    def heading(self) -> str:
        """What the notice is, for its reader."""
        heading: str = self._values["words"].heading()
        return heading

    def render(self, subject: str) -> str:
        """The whole notice."""
        return self._template.render(self._values, subject=subject)


def _nothing() -> None:
    """No date."""


class LetterFacts(FactsValue):
    """What every letter says that is no notice; ``reader`` is the other side, by name."""

    sender: Sender
    reader: Line
    case_reference: Line
    time_zone: ZoneName


def compose_letter(
    template: str, facts: LetterFacts, addressing: Addressing, *, about: str, at: datetime, follows: str | None = None
) -> ComposedNotice:
    """Write a letter that is no notice from the templates of its name: the same facts always give the same bytes.

    ``about`` is what its subject begins with.
    """
    subject = f"{about}: {facts.reader} ({facts.case_reference})"
    values = {"facts": facts, "test": False, "zone": ZoneInfo(facts.time_zone), "subject": subject}
    text, html = (
        ENVIRONMENTS[suffix].get_template(f"{template}.{suffix}.j2").render(values) for suffix in ("txt", "html")
    )
    text = _BLANK_LINES.sub("\n\n", text)
    return compose_message(addressing, subject, text, html, contact=facts.sender.contact, at=at, follows=follows)


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
        _mailboxes("Reply-To", (Mailbox(name=contact.name, email=contact.email),)),
        _mailboxes("To", addressing.to),
        *((_mailboxes("Cc", addressing.copies),) if addressing.copies else ()),
        f"Subject: {_header_text(subject, len('Subject: '))}",
        f"Date: {format_datetime(at.astimezone(UTC))}",
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
    return f"{header}: " + ",\r\n ".join(_mailbox(mailbox, len(header) + 2) for mailbox in mailboxes)


def _mailbox(mailbox: Mailbox, column: int) -> str:
    email = wire_address(mailbox.email)
    if not mailbox.name:
        return email
    if _is_plain(mailbox.name) and len(mailbox.name) <= _LONGEST_PLAIN:
        escaped = mailbox.name.replace("\\", "\\\\").replace('"', '\\"')
        phrase = f'"{escaped}"'
    else:
        phrase = _encoded_words(mailbox.name, column)
    fold = "\r\n" if column + len(phrase) + len(email) > _HEADER_WIDTH - len(" <>,") else ""
    return f"{phrase}{fold} <{email}>"


def _header_text(text: str, column: int) -> str:
    """``text`` as the value of an unstructured header that starts at ``column``, folded (RFC 5322, 2.2.3)."""
    if not _is_plain(text):
        return _encoded_words(text, column)
    lines = textwrap.wrap(" " * column + text, _HEADER_WIDTH - len(" "), break_long_words=False, break_on_hyphens=False)
    return "\r\n ".join(lines).lstrip()


def _is_plain(text: str) -> bool:
    """Whether a header can hold ``text`` as it is: ASCII, in words that fold, that read as no encoded word."""
    return text.isascii() and "=?" not in text and max(map(len, text.split()), default=0) <= _LONGEST_PLAIN


def _encoded_words(text: str, column: int) -> str:
    """``text`` as encoded words (RFC 2047), folded; the first line starts at ``column``."""
    return Header(text, "utf-8", maxlinelen=_HEADER_WIDTH - column).encode(linesep="\r\n")


def local_instant(instant: datetime, zone: ZoneInfo) -> str:
    """Return an instant as it is read on a wall in ``zone``, with the zone's abbreviation.

    Seconds are shown only where there are any.
    """
    local = instant.astimezone(zone)
    clock = f"{local.hour % 12 or 12}:{local:%M}{f':{local:%S}' if local.second else ''} {local:%p}"
    return f"{local:%A, %B} {local.day}, {local.year}, {clock} {local.tzname()}"


def is_dated(anchor: AnchorValue) -> bool:
    """Whether a dated fact has a date."""
    return bool(anchor.instant or anchor.first_day)


def anchor_in_words(anchor: AnchorValue, zone: ZoneInfo) -> str:
    """Return when a dated fact was, as it is read in ``zone``: an instant, a day, or a range of days."""
    if anchor.instant:
        return local_instant(anchor.instant, zone)
    return " to ".join(day_in_words(day) for day in (anchor.first_day, anchor.last_day) if day)


def day_in_words(day: date) -> str:
    """Return a day with its weekday."""
    return f"{day:%A, %B} {day.day}, {day.year}"


def date_in_words(day: date) -> str:
    """Return a date as documents are dated."""
    return f"{day:%B} {day.day}, {day.year}"


def utc_instant(instant: datetime) -> str:
    """Return an instant in UTC, to the second where it has seconds."""
    utc = instant.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S} UTC" if utc.second else f"{utc:%Y-%m-%d %H:%M} UTC"


def wrap(text: str, indent: int = 0, first: str = "") -> str:
    """Return ``text`` with its lines broken at 72 columns and indented; words, and so links, stay whole.

    ``first`` stands in the margin of the first line: a bullet, or the name of a field. A line of dashes alone stands
    off the margin, since there it would make a heading of the line above it.
    """
    lines = "\n".join(_filled(line, " " * indent) for line in text.split("\n"))
    lines = _ONLY_DASHES.sub(r" \g<0>", lines)
    return first.ljust(indent) + lines[indent:]


def _filled(line: str, margin: str) -> str:
    if len(margin) + len(line) <= _TEXT_WIDTH:
        return f"{margin}{line}".rstrip()
    if _ODD_SPACES.search(line) is None:
        return margin + f"\n{margin}".join(_broken(line, _TEXT_WIDTH - len(margin)))
    return textwrap.fill(
        line,
        _TEXT_WIDTH,
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _broken(line: str, width: int) -> Iterator[str]:
    """The line's words in lines of a width, as ``textwrap`` breaks them where one space stands between two words."""
    start = 0
    while len(line) - start > width:
        end = line.rfind(" ", start, start + width + 1)
        if end < 0:  # one word is longer than a line
            end = line.find(" ", start + width)
            if end < 0:
                break
        yield line[start:end]
        start = end + 1
    yield line[start:]


def _outside(name: str) -> str | None:
    """The template ``package:file``, which stands in a package outside the project; None for any other name."""
    package, colon, file = name.partition(":")
    found = files(package).joinpath(file) if colon else None
    return found.read_text("utf-8") if found and found.is_file() else None


def _environment() -> Environment:
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(TEMPLATES), FunctionLoader(_outside)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters |= {
        "local": local_instant,
        "utc": utc_instant,
        "when": anchor_in_words,
        "date": date_in_words,
        "wrap": wrap,
    }
    return environment


# One environment for each layout, not one that escapes by file name: the sentences that both layouts import must be
# escaped in HTML, and Jinja decides that by the environment in which they were compiled.
_HTML = _environment()
ENVIRONMENTS = {"html": _HTML, "txt": _HTML.overlay(autoescape=False)}
