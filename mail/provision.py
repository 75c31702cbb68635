"""Which words of an agreement a notice is given under, and why it is due when it is, as its reader is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from terms.catalogue import Catalogue
from terms.clauses import Change
from terms.compare import governing
from terms.effective import EffectiveClause, EffectiveTerms, TrailStep

ONLY_CONTENTS = frozenset({"citation", "says", "contents", "grounds"})
"""The fields of a change that say nothing of when, by whom or towards whom the duty is performed."""


@dataclass(frozen=True)
class Place:
    """Where a clause is in the catalogue: the form of agreement, the state, and the clause's id."""

    form: str
    state: str | None
    clause: str


_IN_BRACKETS = re.compile(r" \([a-z]+(?:_[a-z]+)+\)")
_NAME = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
_CLAUSE_ID = re.compile(r"\b[a-z]+(?:-[a-z]+)*\.[a-z]+(?:-[a-z]+)*\b")


def operative_steps(
    catalogue: Catalogue, place: Place, trail: Sequence[TrailStep], cited: Iterable[str] = ()
) -> tuple[TrailStep, ...]:
    """The steps of a clause's trail that bear on one case.

    They are the step that put the duty in place, and of those that amended it since: what changes how it is owed, what
    asks for an element that is given, and what the parties agreed for this agreement alone. Another general amendment,
    such as one about subprocessors, has nothing to say about a case in which there is none.

    Args:
        catalogue: where the documents are.
        place: where in it the clause is.
        trail: how the clause came to say what it says, in order.
        cited: the citations of the elements given.
    """
    asked_for = tuple(cited)
    whole = max(number for number, step in enumerate(trail) if step.operation != "amends")
    amendments = (step for step in trail[whole + 1 :] if _bears(catalogue, place, step, asked_for))
    return trail[whole], *amendments


def _bears(catalogue: Catalogue, place: Place, step: TrailStep, cited: tuple[str, ...]) -> bool:
    if any(citation.startswith(f"{step.document}, {step.clause}") for citation in cited):
        return True
    general = _supplement_changes(catalogue, place, step)
    return not general or any(change.model_fields_set - ONLY_CONTENTS for change in general)


@cache
def _supplement_changes(catalogue: Catalogue, place: Place, step: TrailStep) -> tuple[Change, ...]:
    """The changes of the state's supplement that a step stands for; none where it is another document's."""
    if place.state is None:
        return ()
    supplement = catalogue.form(place.form).supplement(place.state)
    if step.document != supplement.document.name:
        return ()
    texts = (each.text for steps in supplement.clauses.get(place.clause, {}).values() for each in steps)
    return tuple(text for text in texts if isinstance(text, Change) and text.citation == step.clause)


def provision_sentences(steps: Iterable[TrailStep]) -> tuple[str, ...]:
    """Each step with its citation, in our words."""
    return tuple(f"{step.document}, {step.clause}: {step.says}" for step in steps)


def annex_sentences(why: Iterable[str], terms: EffectiveTerms) -> tuple[str, ...]:
    """The sentences that explain a due instant, without the names that only this installation gives to things."""
    return tuple(_in_words(sentence, terms) for sentence in why)


def plain_sentences(why: Iterable[str], anchors: Mapping[str, str]) -> tuple[str, ...]:
    """The same for whoever has no terms at hand; ``anchors`` are the catalogue's words for dated facts."""

    def named(found: re.Match[str]) -> str:
        return anchors.get(found[0], found[0].replace("_", " "))

    return tuple(_NAME.sub(named, _IN_BRACKETS.sub("", sentence)) for sentence in why)


def _in_words(sentence: str, terms: EffectiveTerms) -> str:
    def clause_name(found: re.Match[str]) -> str:
        clause = terms.clauses.get(found[0])
        return found[0] if clause is None else _citation(clause)

    def anchor_name(found: re.Match[str]) -> str:
        return terms.anchors.get(found[0], found[0].replace("_", " "))

    plain = _CLAUSE_ID.sub(clause_name, _IN_BRACKETS.sub("", sentence))
    return _NAME.sub(anchor_name, plain)


def _citation(clause: EffectiveClause) -> str:
    whole = governing(clause)[0]
    return f"{whole.document}, {whole.clause}"
