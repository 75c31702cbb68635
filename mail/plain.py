"""Mails of plain text: what our people are told, what holders of data are asked, and LEAs reminded of.

Each sort has facts of its own and a template that says them: macros for its subject, its body and, where it is told
by other ways too, its alert. What all mails of a sort of readers have around the body is in their ``frame.j2``.
"""

from __future__ import annotations

import re
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple
from zoneinfo import ZoneInfo

from mail.compose import Addressing, boundary_of, headers_of
from mail.facts import ContactPerson, Mailbox, MailFacts, clean_line
from mail.links import without_links
from mail.required import lost_by, required_of_mail
from mail.templates import SHIPPED, Templates
from mail.wording import wrap

_BLANK_LINES = re.compile(r"\n{3,}")


class Enclosure(NamedTuple):
    """A file that goes with a message: its name, its bytes, and what these are (a media type of RFC 6838)."""

    name: str
    content: bytes
    media_type: str


class PlainFacts(MailFacts):
    """What a mail of plain text says.

    Attributes:
        frame: the name of the template around its body.
    """

    frame: ClassVar[str]

    @property
    def hides_links(self) -> bool:
        """Whether a link of a notice must not stand in it, as its readers could answer for whoever was told."""
        return False


class PlainText(NamedTuple):
    """The subject, and the text in lines that are broken as mails have them."""

    subject: str
    text: str


def render_plain(facts: PlainFacts, templates: Templates = SHIPPED) -> PlainText:
    """Write what a mail says."""
    return templates.write(
        lambda written_by: render_by(facts, written_by), lambda plain: lost_by(plain, required_of_mail(facts))
    )


def render_by(facts: PlainFacts, templates: Templates) -> PlainText:
    """Write what a mail says by these templates and no others."""
    values = _values(facts)
    said: Any = templates.text.get_template(f"{facts.template}.j2").make_module(values)
    frame = templates.text.get_template(facts.frame)
    text = frame.render(values, mail=said)
    kept = without_links if facts.hides_links else str
    return PlainText(clean_line(kept(said.subject())), _laid_out(kept(text)))


def raw_subject(facts: PlainFacts, templates: Templates) -> str:
    """The subject as its template gives it, before it is made one line."""
    said: Any = templates.text.get_template(f"{facts.template}.j2").make_module(_values(facts))
    return str(said.subject())


def _values(facts: PlainFacts) -> dict[str, Any]:
    return {"facts": facts, "zone": ZoneInfo(facts.time_zone)}


def _laid_out(text: str) -> str:
    lines = _BLANK_LINES.sub("\n\n", "\n".join(line.rstrip() for line in text.split("\n"))).strip("\n")
    return wrap(lines) + "\n"


class AlertFacts(PlainFacts):
    """What a mail says of which people are also told by other ways.

    Attributes:
        in_alert: the facts that these ways may be given, as they hold no personal data.
    """

    in_alert: ClassVar[tuple[str, ...]] = ()


def render_alert(facts: AlertFacts, page: str, *, mailed: bool, templates: Templates = SHIPPED) -> str:
    """Write an alert in one line, with the address of its page; a template gets no fact that may not leave this way.

    ``mailed`` is whether a mail that says the same is known to have arrived.
    """
    return templates.write(
        lambda written_by: alert_by(facts, page, written_by, mailed=mailed),
        lambda alert: [] if page in alert else ["page"],
    )


def alert_by(facts: AlertFacts, page: str, templates: Templates, *, mailed: bool) -> str:
    """Write an alert by these templates and no others."""
    values = _values(facts) | {"facts": SimpleNamespace(**{name: getattr(facts, name) for name in facts.in_alert})}
    said: Any = templates.text.get_template(f"{facts.template}.j2").make_module(values)
    folder = facts.template.rpartition("/")[0]
    alert = templates.text.get_template(f"{folder}/alert.j2").render(values, mail=said, page=page, mailed=mailed)
    return clean_line(without_links(alert))


def compose_plain_mail(
    facts: PlainFacts,
    *,
    sender: Mailbox,
    to: Mailbox,
    reply_to: ContactPerson,
    message_id: str,
    at: datetime,
    enclosed: tuple[Enclosure, ...] = (),
    templates: Templates = SHIPPED,
) -> bytes:
    """Write a mail of plain text with its files: the same always give the same bytes (``.eml``, CRLF).

    Whoever answers it reaches the person ``reply_to``.
    """
    plain = render_plain(facts, templates)
    addressing = Addressing(message_id=message_id, sender=sender, to=(to,))
    headers = headers_of(addressing, plain.subject, contact=reply_to, at=at)
    # Only for the content: as a header the standard library writes an encoded word that somebody typed as what it
    # decodes to, line breaks included.
    message = EmailMessage(policy=SMTP)
    message.set_content(plain.text, cte="quoted-printable")
    for name, content, media_type in enclosed:
        maintype, _, subtype = media_type.partition("/")
        message.add_attachment(content, maintype=maintype, subtype=subtype, filename=clean_line(name), cte="base64")
    if enclosed:
        message.set_boundary(boundary_of(message_id))
    return headers + message.as_bytes()
