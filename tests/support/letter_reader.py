"""Reads a notice as counsel would, and tells what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mail.default_texts import DefaultTexts
from mail.facts import ElementStatus, NoticeFacts
from mail.wording import date_in_words
from models.enums import NoticeKind
from terms.catalogue import Catalogue
from terms.effective import EffectiveTerms

RESTATES_THE_TERMS = ("The provision", "Annex: how the time was counted")
"""The parts that say what the agreement says, in its words for the parties."""

_ADDRESSES = re.compile(r"https?://\S+|\S+@\S+")
_IDENTIFIER = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
_NEVER_SAID = ("personal information", "reviewed", "released", "Due by", "Duenotice")
"""What is an admission, or is about the sender's own work."""


def problems(
    text: str, facts: NoticeFacts, terms: EffectiveTerms, state: str, catalogue: Catalogue, texts: DefaultTexts
) -> Iterator[str]:
    """Everything wrong with the text of a notice, in sentences."""
    read = " ".join(text.split())
    plain = _ADDRESSES.sub("", read)
    for said, needed in _needed(facts):
        if " ".join(needed.split()) not in read:
            yield f"It does not say {said}: {needed!r}."
    yield from (f"It names {found!r} as only we do." for found in _IDENTIFIER.findall(plain))
    ids = {clause for form in catalogue.forms.values() for clause in form.clause_ids}
    yield from (f"It names the clause {clause!r} as only we do." for clause in ids if clause in plain)
    if re.search(r"\bLEA\b", own_words(text)):
        yield "It calls somebody LEA."
    yield from (f"It says {words!r}." for words in _NEVER_SAID if words.casefold() in plain.casefold())
    yield from _open_elements(facts, terms, state, texts)


def own_words(text: str) -> str:
    """What the sender says in its own words: everything but the parts that restate the terms."""
    parts = re.split(r"^(.+)\n-+$", text, flags=re.MULTILINE)
    headed = zip(parts[1::2], parts[2::2], strict=True)
    return parts[0] + "".join(body for heading, body in headed if heading not in RESTATES_THE_TERMS)


def _needed(facts: NoticeFacts) -> Iterator[tuple[str, str]]:
    """What has to stand in the letter, each with what it is."""
    agreement, sender = facts.agreement, facts.sender
    first = " ".join(
        (f"{sender.organisation} writes to you under the {agreement.title}, between", agreement.provider, "and")
    )
    yield "who writes, under which agreement", f"{first} {agreement.lea}, signed {date_in_words(agreement.signed_on)}."
    yield "which agreement by reference", f"(reference {agreement.reference})"
    yield "for whom it is", f"To: {facts.reader}"
    yield "from whom it is", f"From: {sender.organisation}"
    yield "who signed", f"Signed ------ {sender.signatory.name} {sender.signatory.title} {sender.organisation}"
    yield "whom to ask", f"{sender.contact.name} {sender.contact.email}"
    yield "what to quote", facts.case_reference
    for clause in facts.clauses:
        yield from (("under which provision", sentence) for sentence in clause.provision)
        yield from (("how the time was counted", sentence) for sentence in clause.why)
    for element in facts.elements:
        yield "an element", element.label
        yield "which provision asks for it", f"[{element.citation}]"
        if element.value:
            yield "the value of an element", element.value


def _open_elements(facts: NoticeFacts, terms: EffectiveTerms, state: str, texts: DefaultTexts) -> Iterator[str]:
    """What is wrong with the elements given: all of them are there, and none lacks that has a default text."""
    if facts.kind is not NoticeKind.NOTICE:
        return
    given = {element.id: element for element in facts.elements}
    for clause in facts.clauses:
        for element in terms.clause(clause.id).notice_contents:
            if element.id not in given:
                yield f"It leaves out {element.id}."
            elif given[element.id].status is ElementStatus.NOT_YET_KNOWN and element.id in texts.of(state):
                yield f"It says that {element.id} is not yet known, and there is a default text."
