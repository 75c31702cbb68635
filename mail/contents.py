"""What a notice can say about each element that the LEA's terms require, from what the case knows now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TypeAlias
from zoneinfo import ZoneInfo

from cases.values import AnchorValue
from mail.default_texts import DefaultText
from mail.facts import ElementStatus, ElementValue, Sender
from mail.wording import anchor_in_words, day_in_words, is_dated, utc_instant
from models.enums import FactStatus
from terms.contents import ContentElement


class Delay(Enum):
    """Whether law enforcement delayed a notice, and whether that may be shared."""

    NONE = "No. This notice was not delayed by a law-enforcement investigation."
    TOLD = "Yes. This notice was delayed at the request of law enforcement."
    SECRET = None


@dataclass(frozen=True)
class KnownFact:
    """What was reported or declared of one content element."""

    status: FactStatus
    value: str | None


@dataclass(frozen=True)
class Knowledge:
    """Everything that contents are drawn from, for one agreement at one instant.

    Attributes:
        lea: the reporting LEA with its contact, in one line.
        provider: whom the LEA may ask.
        noticed_at: the instant of the notice.
        zone: the LEA's time zone.
        anchors: the case's dated facts by name.
        facts: what is known by content element.
        default_texts: what is said where the case knows nothing, by content element.
        delay: whether law enforcement delayed the notice, and whether that may be shared.
    """

    lea: str
    provider: Sender
    noticed_at: datetime
    zone: ZoneInfo
    anchors: Mapping[str, AnchorValue]
    facts: Mapping[str, KnownFact]
    default_texts: Mapping[str, DefaultText] = field(default_factory=dict)
    delay: Delay = Delay.NONE


Said: TypeAlias = tuple[ElementStatus, str | None]
"""What is said of an element: how far it is known, and the value."""

NOTHING: Said = (ElementStatus.NOT_YET_KNOWN, None)


def element_values(elements: Iterable[ContentElement], knowledge: Knowledge) -> tuple[ElementValue, ...]:
    """Return, for each required element in order, whether it is known and what is to be said.

    An element's source is data (``config/clauses/``): a kind before the colon and a name after it. That law enforcement
    delayed a notice, where nobody may know, is left out: only a clause that makes it a condition that sharing is lawful
    lets a notice say that something is withheld.
    """
    found = ((element, _look_up(element, knowledge)) for element in elements)
    return tuple(
        ElementValue(id=element.id, label=element.label, citation=element.citation, status=said[0], value=said[1])
        for element, said in found
        if said is not None
    )


def _look_up(element: ContentElement, knowledge: Knowledge) -> Said | None:
    kind, _, name = element.source.partition(":")
    if kind == "agreement":
        return ElementStatus.KNOWN, knowledge.lea
    if kind == "provider":
        # A clause that wants a person named is served by the case's own, or by the one that the sender names for it.
        own = _told(element.id, element, knowledge)
        return (ElementStatus.KNOWN, _provider(knowledge.provider)) if own == NOTHING else own
    if kind == "notice":
        return ElementStatus.KNOWN, day_in_words(knowledge.noticed_at.astimezone(knowledge.zone).date())
    if kind == "anchor":
        # Where no date can be given, the officer may tell it in words, or declare it impossible to determine.
        return _when(knowledge.anchors.get(name), knowledge.zone) or _told(element.id, element, knowledge)
    if kind == "hold":
        if knowledge.delay is not Delay.SECRET:
            return ElementStatus.KNOWN, knowledge.delay.value
        return (ElementStatus.WITHHELD, None) if element.condition else None
    return _told(name, element, knowledge)


def _provider(provider: Sender) -> str:
    return f"{provider.organisation}\n{provider.contact}"


def _told(name: str, element: ContentElement, knowledge: Knowledge) -> Said:
    fact, default = knowledge.facts.get(name), knowledge.default_texts.get(element.id)
    return said_of(fact, default, knowledge.provider)


def said_of(fact: KnownFact | None, default: DefaultText | None, provider: Sender) -> Said:
    """What is said of an element: what the case knows, with the default text that stands in for it or goes with it."""
    said = default.said_by(provider) if default else None
    if fact is None:
        if default is None:
            return NOTHING
        in_part = default.goes == "with_what_is_told"
        return (ElementStatus.PARTLY_KNOWN if in_part else ElementStatus.KNOWN), said
    status = ElementStatus.IMPOSSIBLE if fact.status is FactStatus.IMPOSSIBLE else ElementStatus.KNOWN
    if default and default.goes == "with_what_is_told":
        return status, "\n\n".join(part for part in (fact.value, said) if part)
    return status, fact.value


def _when(anchor: AnchorValue | None, zone: ZoneInfo) -> Said | None:
    if anchor is None or not is_dated(anchor):
        return None
    in_utc = f" ({utc_instant(anchor.instant)})" if anchor.instant else ""
    return ElementStatus.KNOWN, f"{anchor_in_words(anchor, zone)}{in_utc}"
