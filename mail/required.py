"""What a mail has to say, whoever wrote its templates: the facts that its sort requires, in any of the usual forms."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from mail.facts import ContactPerson, LetterFacts, MailFacts, NoticeFacts
from mail.wording import date_in_words, day_in_words, local_instant, utc_instant
from models.enums import NoticeKind
from models.phrases import day_words, instant_words

_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Required:
    """One thing that a mail has to say.

    Attributes:
        what: what it is called in the facts.
        forms: how it may stand there; one of them is enough.
    """

    what: str
    forms: tuple[str, ...]


def required_of_notice(facts: NoticeFacts) -> list[Required]:
    """What a notice has to say: who writes to whom under what, every content element, where to answer, who signs."""
    zone, sender = ZoneInfo(facts.time_zone), facts.sender
    required: dict[str, object] = {
        "reader": facts.reader,
        "sender.organisation": sender.organisation,
        "sender.contact": sender.contact,
        "sender.signatory": sender.signatory,
        "agreement": facts.agreement,
        "case_reference": facts.case_reference,
        "noticed_at": facts.noticed_at,
        "particulars": facts.particulars,
        "reason": facts.reason,
        "acknowledge_url": facts.acknowledge_url,
        "ledger_head": facts.ledger_head,
    }
    if facts.follows and facts.kind is not NoticeKind.NOTICE:
        required["follows.given_at"] = facts.follows.given_at
    for clause in facts.clauses:
        required[f"clauses {clause.id}: provision"] = clause.provision
    for element in facts.elements:
        required[f"elements {element.id}"] = (element.label, element.citation, element.value)
    return [found for what, value in required.items() for found in _required(what, value, zone)]


def required_of_letter(facts: LetterFacts) -> list[Required]:
    """What a letter that is no notice has to say: what every letter does, and what its sort requires."""
    return [
        *_required("sender.organisation", facts.sender.organisation, ZoneInfo(facts.time_zone)),
        *_required("sender.contact", facts.sender.contact, ZoneInfo(facts.time_zone)),
        *_required("sender.signatory", facts.sender.signatory, ZoneInfo(facts.time_zone)),
        *required_of_mail(facts),
    ]


def required_of_mail(facts: MailFacts) -> list[Required]:
    """What a mail has to say: what its sort requires."""
    zone = ZoneInfo(facts.time_zone)
    return [found for what in facts.must_say for found in _required(what, getattr(facts, what), zone)]


def lost_by(layouts: Iterable[str], required: Iterable[Required]) -> list[str]:
    """What is said in none of the layouts that have a body: each of them but the first, which is the subject."""
    subject, *bodies = layouts
    wanted = list(required)
    lost: dict[str, None] = {}
    for body in bodies:
        said = f"{_together(subject)} {_readable(body)}"
        lost |= {one.what: None for one in wanted if not any(_together(form) in said for form in one.forms)}
    return list(lost)


def _required(what: str, value: object, zone: ZoneInfo) -> Iterator[Required]:
    match value:
        case None | "":
            return
        case datetime():
            forms = (local_instant(value, zone), utc_instant(value), instant_words(value, zone))
            yield Required(what, forms)
        case date():
            yield Required(what, (date_in_words(value), day_in_words(value), day_words(value)))
        case int():
            yield Required(what, (f"{value:,}", f"{value}"))
        case tuple():
            for each in value:
                yield from _required(what, each, zone)
        case ContactPerson():
            yield Required(what, (value.email,))
        case BaseModel():
            for name in type(value).model_fields:
                yield from _required(f"{what}.{name}", getattr(value, name), zone)
        case _:
            yield Required(what, (str(value),))


def _readable(body: str) -> str:
    """What a reader finds in a body, on one line; of HTML also what stands in its tags, as the address of a link."""
    if not body.lstrip().startswith("<"):
        return _together(body)
    return _together(f"{html.unescape(_TAG.sub(' ', body))} {html.unescape(body)}")


def _together(text: str) -> str:
    return " ".join(text.split())
