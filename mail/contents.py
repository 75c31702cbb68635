"""What a notice can say about each element that the LEA's terms require, from what the case knows now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from zoneinfo import ZoneInfo

from cases.values import AnchorValue
from mail.compose import local_instant, utc_instant
from mail.facts import ElementStatus, ElementValue, Sender
from models.enums import FactStatus
from terms.contents import ContentElement


class Delay(Enum):
    """What a notice may say of law enforcement having delayed it."""

    NONE = "No. This notice was not delayed by a law-enforcement investigation."
    TOLD = "Yes. This notice was delayed at the request of law enforcement."
    WITHHELD = None


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
        delay: whether law enforcement delayed the notice, as far as that may be shared.
    """

    lea: str
    provider: Sender
    noticed_at: datetime
    zone: ZoneInfo
    anchors: Mapping[str, AnchorValue]
    facts: Mapping[str, KnownFact]
    delay: Delay = Delay.NONE


def element_values(elements: Iterable[ContentElement], knowledge: Knowledge) -> tuple[ElementValue, ...]:
    """Return, for each required element in order, whether it is known and what is to be said.

    An element's source is data (``config/clauses/``): a kind before the colon and a name after it.
    """
    return tuple(_element_value(element, knowledge) for element in elements)


def _element_value(element: ContentElement, knowledge: Knowledge) -> ElementValue:
    status, value = _look_up(element, knowledge)
    return ElementValue(id=element.id, label=element.label, citation=str(element.citation), status=status, value=value)


def _look_up(element: ContentElement, knowledge: Knowledge) -> tuple[ElementStatus, str | None]:
    kind, _, name = element.source.partition(":")
    if kind == "agreement":
        return ElementStatus.KNOWN, knowledge.lea
    if kind == "provider":
        return ElementStatus.KNOWN, _provider(knowledge)
    if kind == "notice":
        return ElementStatus.KNOWN, _day(knowledge.noticed_at.astimezone(knowledge.zone).date())
    if kind == "anchor":
        # Where no date can be given, the officer may tell it in words, or declare it impossible to determine.
        return _when(knowledge.anchors.get(name), knowledge.zone) or _fact(knowledge.facts.get(element.id))
    if kind == "hold":
        delay = knowledge.delay
        return (ElementStatus.WITHHELD if delay is Delay.WITHHELD else ElementStatus.KNOWN), delay.value
    return _fact(knowledge.facts.get(name))


def _provider(knowledge: Knowledge) -> str:
    provider = knowledge.provider
    lines = (provider.organisation, provider.contact, provider.email, provider.phone)
    return "\n".join(line for line in lines if line)


def _fact(fact: KnownFact | None) -> tuple[ElementStatus, str | None]:
    if fact is None:
        return ElementStatus.NOT_YET_KNOWN, None
    if fact.status is FactStatus.IMPOSSIBLE:
        return ElementStatus.IMPOSSIBLE, fact.value
    return ElementStatus.KNOWN, fact.value


def _when(anchor: AnchorValue | None, zone: ZoneInfo) -> tuple[ElementStatus, str] | None:
    if anchor is None or not (anchor.instant or anchor.first_day):
        return None
    if anchor.instant:
        return ElementStatus.KNOWN, f"{local_instant(anchor.instant, zone)} ({utc_instant(anchor.instant)})"
    days = [_day(day) for day in (anchor.first_day, anchor.last_day) if day]
    return ElementStatus.KNOWN, " to ".join(days)


def _day(day: date) -> str:
    return f"{day:%A, %B} {day.day}, {day.year}"
