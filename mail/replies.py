"""The letter that answers a question which a district asked about its notice."""

from __future__ import annotations

from pydantic import AwareDatetime, HttpUrl

from mail.compose import Addressing, ComposedNotice, LetterFacts, compose_letter
from mail.facts import Block, Line, MessageId

TEMPLATE = "reply"


class ReplyFacts(LetterFacts):
    """Everything one such letter says.

    Attributes:
        asker: who of the district asked.
        asked_at: when the question was asked.
        follows: the Message-ID of the notice that was asked about, where one was sent.
        answers_url: the notice's own page, on which question and answer stand too; None where its link was taken back.
    """

    asker: Line
    agreement_reference: Line
    asked_at: AwareDatetime
    replied_at: AwareDatetime
    question: Block
    answer: Block
    answers_url: HttpUrl | None
    follows: MessageId | None = None


def compose_reply(facts: ReplyFacts, addressing: Addressing) -> ComposedNotice:
    """Write the letter: the same facts always give the same bytes."""
    at, follows = facts.replied_at, facts.follows
    return compose_letter(TEMPLATE, facts, addressing, about="Answer to your question", at=at, follows=follows)
