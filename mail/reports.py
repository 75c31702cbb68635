"""Reading what comes back about a message: delivery status notifications, complaints, automatic answers, and the rest.

Whatever its form, it is said in one vocabulary (``models.enums.ReportKind``). What comes back is written by others and
can be anything at all, so reading it never fails: what is not understood is called unclear.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.errors import MessageError
from email.message import Message
from email.utils import getaddresses, parseaddr
from itertools import islice

from flufl.bounce import all_failures

from mail.facts import clean_line
from mail.links import without_links
from models.enums import ReportKind

LARGEST_REPORT = 2**18
"""How much of a message is read and kept, in bytes: what a report says stands before the message that it returns."""

LONGEST_WORDS = 500
"""How much is kept of what a mail server said, in characters; the whole message is kept besides."""

_LARGEST_GUESS = 2**14
"""How much of a message of no standard form is looked through, in bytes: its writer says at once what happened."""

_MOST_PARTS = 50
_MOST_RECIPIENTS = 50

_ADDRESSED_TO = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To")
_NAMED_IN_REPORTS = ("Original-Envelope-Id", "Original-Mail-From")

_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_DAEMONS = frozenset({"mailer-daemon", "postmaster", "mail-daemon", "microsoftexchange"})
_COMPLAINTS = frozenset({"abuse", "fraud", "virus", "other"})
"""The feedback types (RFC 5965, 7.3) that are a reader's complaint; ``not-spam`` and failures of DKIM are none."""

_ACTIONS = {
    "failed": ReportKind.FAILED,
    "delayed": ReportKind.DELAYED,
    "delivered": ReportKind.DELIVERED,
    "relayed": ReportKind.RELAYED,
    "expanded": ReportKind.EXPANDED,
}
_CLASSES = {"2": ReportKind.DELIVERED, "4": ReportKind.DELAYED, "5": ReportKind.FAILED}

# Its detectors log what they choke on with a traceback, and with it whole messages.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Report:
    """What one report says of one recipient.

    Attributes:
        kind: what became of the message.
        recipients: the addresses that it is said of, in lower case: as it was sent to, and as it ended up; empty where
            it does not say.
        status: the enhanced status code (RFC 3463), such as ``5.1.1``, if it gives one.
        says: what the mail server said, on one line.
    """

    kind: ReportKind
    recipients: frozenset[str] = field(default=frozenset(), repr=False)
    status: str | None = None
    says: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ReturnedMail:
    """A message that came to the return path, as far as it is understood.

    Attributes:
        raw: the message as it came.
        source: what names it, however often it comes.
        named: what may hold the token of a return path: addresses that it was sent to, and envelope ids.
        reports: what it says; that it is unclear where it is no report, or one that is not understood.
    """

    raw: bytes = field(repr=False)
    source: str
    named: tuple[str, ...] = field(repr=False)
    reports: tuple[Report, ...]


def read_returned(raw: bytes, addressed_to: Iterable[str] = ()) -> ReturnedMail:
    """Read a message that came back; ``addressed_to`` are the recipients of its envelope, where they are known."""
    raw, addressed_to = raw[:LARGEST_REPORT], tuple(addressed_to)
    whole = hashlib.sha256(raw).hexdigest()
    try:
        message = message_from_bytes(raw)
        parts = list(islice(message.walk(), _MOST_PARTS))
        named = (*addressed_to, *_named(message, parts))
        return ReturnedMail(raw, _source(message) or whole, named, tuple(_reports(raw, message, parts)))
    # What the standard library raises at headers and parts that are no mail is not one kind of error.
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ReturnedMail(raw, whole, addressed_to, (Report(ReportKind.UNCLEAR),))


def _source(message: Message) -> str | None:
    message_id = str(message.get("Message-ID", "")).strip()
    return hashlib.sha256(message_id.encode(errors="replace")).hexdigest() if message_id else None


def _named(message: Message, parts: Iterable[Message]) -> Iterator[str]:
    for name in _ADDRESSED_TO:
        yield from (address for _, address in getaddresses([str(value) for value in message.get_all(name, [])]))
    for part in parts:
        for name in _NAMED_IN_REPORTS:
            yield from (str(value) for value in part.get_all(name, []))


def _reports(raw: bytes, message: Message, parts: list[Message]) -> Iterator[Report]:
    """What a message says, by the first of the forms that it has."""
    found = [report for part in parts for report in _notified(part)] or [
        report for part in parts for report in _complained(part)
    ]
    if not found and _is_from_a_daemon(message):
        found = list(_detected(message_from_bytes(raw[:_LARGEST_GUESS]), parts))
    if not found and _is_automatic(message):
        found = [Report(ReportKind.AUTO_REPLY, says=_words(message.get("Subject")))]
    yield from found or [Report(ReportKind.UNCLEAR, says=_first_text(parts))]


def _notified(part: Message) -> Iterator[Report]:
    """The recipients of a delivery status notification (RFC 3464, 2.3)."""
    if part.get_content_type() not in ("message/delivery-status", "message/global-delivery-status"):
        return
    for fields in islice(_blocks(part), _MOST_RECIPIENTS):
        status = _STATUS.search(str(fields.get("Status", "")))
        action = str(fields.get("Action", "")).split(None, 1)
        kind = _ACTIONS.get(action[0].lower().strip(";")) if action else _CLASSES[status[1][0]] if status else None
        recipients = _addresses(fields, "Final-Recipient", "Original-Recipient")
        if kind and recipients:
            said = _words(str(fields.get("Diagnostic-Code", "")).partition(";")[2] or None)
            yield Report(kind, recipients, status[1] if status else None, said)


def _complained(part: Message) -> Iterator[Report]:
    """A complaint by a reader (RFC 5965, 3): that it was delivered and called spam."""
    if part.get_content_type() != "message/feedback-report":
        return
    for fields in islice(_blocks(part), 1):
        if str(fields.get("Feedback-Type", "")).strip().lower() in _COMPLAINTS:
            yield Report(ReportKind.COMPLAINT, _addresses(fields, "Original-Rcpt-To", "Removal-Recipient"))


def _detected(message: Message, parts: Iterable[Message]) -> Iterator[Report]:
    """What the heuristics for forms of their own find."""
    try:
        temporary, permanent = all_failures(message)
    except Exception:  # each detector fails in its own way at what is no mail
        return
    said = _first_text(parts)
    status = _STATUS.search(said) if said else None
    for kind, addresses in ((ReportKind.FAILED, permanent), (ReportKind.DELAYED, temporary)):
        for address in sorted(addresses)[:_MOST_RECIPIENTS]:
            recipients = frozenset({address.decode(errors="replace").strip("<> ").lower()})
            yield Report(kind, recipients, status[1] if status else None, said)


def _is_from_a_daemon(message: Message) -> bool:
    """Whether a mail system wrote it: it has no return path of its own (RFC 5321, 4.5.5), or its writer says so."""
    writer = parseaddr(str(message.get("From", "")))[1].partition("@")[0].lower()
    nowhere = str(message.get("Return-Path", "-")).strip() == "<>"
    return nowhere or any(writer.startswith(daemon) for daemon in _DAEMONS)


def _is_automatic(message: Message) -> bool:
    """Whether a machine wrote it in answer to another message (RFC 3834, 5; and what is usual besides)."""
    submitted = str(message.get("Auto-Submitted", "no")).split(";")[0].strip().lower()
    usual = any(name in message for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress"))
    return submitted != "no" or usual or str(message.get("Precedence", "")).strip().lower() == "auto_reply"


def _blocks(part: Message) -> Iterator[Message]:
    """The blocks of fields of a report's machine-readable part."""
    payload = part.get_payload()
    if isinstance(payload, list):
        yield from (block for block in payload if isinstance(block, Message))
        return
    for block in re.split(r"\r?\n\s*\r?\n", _text(part)):
        yield message_from_bytes(block.strip().encode(errors="replace") + b"\n\n")


def _addresses(fields: Message, *names: str) -> frozenset[str]:
    """Addresses as reports write them: ``rfc822;name@example.org``, some in xtext (RFC 3461, 4)."""
    found: set[str] = set()
    for name in names:
        for value in fields.get_all(name, []):
            plain = str(value).rpartition(";")[2].strip().strip("<>").lower()
            decoded = _XTEXT.sub(lambda hexadecimal: chr(int(hexadecimal[1], 16)), plain.upper()).lower()
            found |= {address for address in (plain, decoded) if "@" in address}
    return frozenset(found)


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return payload[:LARGEST_REPORT].decode(errors="replace") if isinstance(payload, bytes) else ""


def _first_text(parts: Iterable[Message]) -> str | None:
    return next((_words(_text(part)) for part in parts if part.get_content_type() == "text/plain"), None)


def _words(said: object) -> str | None:
    """What somebody else said, on one line, not without end, and without the link that is a notice's reader's alone."""
    line = without_links(clean_line(str(said)[: 4 * LONGEST_WORDS])) if said else ""
    return line[:LONGEST_WORDS] or None
