"""The letter that tells the other side of an agreement that a duty towards it is overdue, as what it is."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field, NonNegativeInt

from mail.compose import Addressing, ComposedNotice, compose_message, rendered
from mail.facts import Block, FactsValue, Line, Sender, SignedAgreement, ZoneName
from models.enums import PerformedBy

TEMPLATE = "overdue"


class AwaitedHolders(FactsValue):
    """How many others that hold the data were asked for their word, and of how many it is awaited."""

    asked: NonNegativeInt
    awaited: NonNegativeInt


class OverdueFacts(FactsValue):
    """Everything one such letter says.

    Attributes:
        reader: the other side, by name; ``contact`` is who is written to.
        told_at: when the officer decided it, which is also the letter's Date header.
        title: what the duty demands, as the catalogue calls it.
        provision: what sets the duty, each with its citation.
        why: the sentences that explain the due instant.
        missing: what its notice or document still lacks, by the labels of the elements.
        holders: those whose word performs it; they are counted and never named.
        words: the officer's own: what is being done.
    """

    sender: Sender
    reader: Line
    contact: Line
    agreement: SignedAgreement
    case_reference: Line
    time_zone: ZoneName
    told_at: AwareDatetime
    title: Line
    due_at: AwareDatetime
    performed_by: PerformedBy
    provision: tuple[Line, ...] = Field(min_length=1)
    why: tuple[Line, ...] = ()
    missing: tuple[Line, ...] = ()
    holders: AwaitedHolders | None = None
    words: Block


def compose_overdue(facts: OverdueFacts, addressing: Addressing) -> ComposedNotice:
    """Write the letter: the same facts always give the same bytes."""
    subject = f"A duty towards you is overdue: {facts.reader} ({facts.case_reference})"
    values = {"facts": facts, "test": False, "zone": ZoneInfo(facts.time_zone), "subject": subject}
    text, html = (rendered(TEMPLATE, suffix, values) for suffix in ("txt", "html"))
    return compose_message(addressing, subject, text, html, contact=facts.sender.contact, at=facts.told_at)
