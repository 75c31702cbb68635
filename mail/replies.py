"""The letter that answers a question which a district asked about its notice."""

from __future__ import annotations

from pydantic import AwareDatetime, HttpUrl

from mail.compose import Addressing, ComposedNotice, compose_letter
from mail.facts import Block, LetterFacts, Line, MessageId
from mail.templates import SHIPPED, Templates


class ReplyFacts(LetterFacts):
    """Everything one such letter says.

    Attributes:
        asker: who of the district asked.
        asked_at: when the question was asked.
        follows: the Message-ID of the notice that was asked about, where one was sent.
        answers_url: the notice's own page, on which question and answer stand too; None where its link was taken back.
    """

    template = "reply"
    must_say = ("reader", "case_reference", "asker", "question", "answer", "answers_url")

    asker: Line
    agreement_reference: Line
    asked_at: AwareDatetime
    replied_at: AwareDatetime
    question: Block
    answer: Block
    answers_url: HttpUrl | None
    follows: MessageId | None = None


def compose_reply(facts: ReplyFacts, addressing: Addressing, templates: Templates = SHIPPED) -> ComposedNotice:
    """Write the letter: the same facts always give the same bytes."""
    at, follows = facts.replied_at, facts.follows
    return compose_letter(facts, addressing, at=at, follows=follows, templates=templates)
