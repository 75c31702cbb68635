"""The letter that answers a question which a district asked about its notice."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, HttpUrl

from mail.compose import Addressing, ComposedNotice, compose_message, rendered
from mail.facts import Block, FactsValue, Line, MessageId, Sender, ZoneName

TEMPLATE = "reply"


class ReplyFacts(FactsValue):
    """Everything one such letter says.

    Attributes:
        reader: the district, by name; ``asker`` is who asked.
        asked_at: when the question was asked.
        follows: the Message-ID of the notice that was asked about, where one was sent.
        answers_url: the notice's own page, on which question and answer stand too; None where its link was taken back.
    """

    sender: Sender
    reader: Line
    asker: Line
    agreement_reference: Line
    case_reference: Line
    time_zone: ZoneName
    asked_at: AwareDatetime
    replied_at: AwareDatetime
    question: Block
    answer: Block
    answers_url: HttpUrl | None
    follows: MessageId | None = None


def compose_reply(facts: ReplyFacts, addressing: Addressing) -> ComposedNotice:
    """Write the letter: the same facts always give the same bytes."""
    subject = f"Answer to your question: {facts.reader} ({facts.case_reference})"
    values = {"facts": facts, "test": False, "zone": ZoneInfo(facts.time_zone), "subject": subject}
    text, html = (rendered(TEMPLATE, suffix, values) for suffix in ("txt", "html"))
    contact = facts.sender.contact
    return compose_message(addressing, subject, text, html, contact=contact, at=facts.replied_at, follows=facts.follows)
