"""The letter that tells the other side of an agreement that a duty towards it is overdue, as what it is."""

from __future__ import annotations

from pydantic import AwareDatetime, Field, NonNegativeInt

from mail.compose import Addressing, ComposedNotice, compose_letter
from mail.facts import Block, FactsValue, LetterFacts, Line, SignedAgreement
from mail.templates import SHIPPED, Templates
from models.enums import PerformedBy


class AwaitedHolders(FactsValue):
    """How many others that hold the data were asked for their word, and of how many it is awaited."""

    asked: NonNegativeInt
    awaited: NonNegativeInt


class OverdueFacts(LetterFacts):
    """Everything one such letter says.

    Attributes:
        contact: who is written to.
        told_at: when the officer decided it, which is also the letter's Date header.
        title: what the duty demands, as the catalogue calls it.
        provision: what sets the duty, each with its citation.
        why: the sentences that explain the due instant.
        missing: what its notice or document still lacks, by the labels of the elements.
        holders: those whose word performs it; they are counted and never named.
        words: the officer's own: what is being done.
    """

    template = "overdue"
    must_say = (
        "reader",
        "case_reference",
        "agreement",
        "told_at",
        "contact",
        "title",
        "due_at",
        "provision",
        "missing",
        "words",
    )

    contact: Line
    agreement: SignedAgreement
    told_at: AwareDatetime
    title: Line
    due_at: AwareDatetime
    performed_by: PerformedBy
    provision: tuple[Line, ...] = Field(min_length=1)
    why: tuple[Line, ...] = ()
    missing: tuple[Line, ...] = ()
    holders: AwaitedHolders | None = None
    words: Block


def compose_overdue(facts: OverdueFacts, addressing: Addressing, templates: Templates = SHIPPED) -> ComposedNotice:
    """Write the letter: the same facts always give the same bytes."""
    return compose_letter(facts, addressing, at=facts.told_at, templates=templates)
