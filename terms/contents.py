"""Content elements: what a notice must give, how firmly, and where its value comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from terms.clauses import Required

if TYPE_CHECKING:
    from terms.effective import EffectiveTerms


class ContentElement(BaseModel):
    """One element that a notice must give.

    Attributes:
        id: its name in the catalogue.
        label: how a person calls it.
        required: ``at_once`` in the first notice; ``if_possible`` to determine when the notice is given; or
            ``as_available``, as it becomes known.
        source: where its value comes from: ``agreement:lea``, ``provider:contact``, ``notice:date``,
            ``anchor:occurred``, ``anchor:discovered``, ``hold:law_enforcement``, ``fact:ID`` or ``artifact:ID``.
        citation: the document and provision that demand it.
        condition: a condition in words, such as that sharing it is lawful.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    label: str
    required: Required
    source: str
    citation: str
    condition: str | None = None


def required_contents(terms: EffectiveTerms, clause_id: str) -> tuple[ContentElement, ...]:
    """The elements that the notice under one clause must give, in the order of the agreement.

    Raises:
        UnknownClause: the terms have no such clause.
    """
    return terms.clause(clause_id).contents


def notice_contents(terms: EffectiveTerms, clause_id: str) -> tuple[ContentElement, ...]:
    """What the notice under one clause says: what the clause demands, or what it tells where the clause is silent.

    A duty for which there is neither is not discharged by a notice.

    Raises:
        UnknownClause: the terms have no such clause.
    """
    clause = terms.clause(clause_id)
    return clause.contents or clause.tells
