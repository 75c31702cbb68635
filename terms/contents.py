"""Content elements: what a notice must give, how firmly, and where its value comes from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from terms.clauses import Required

FOUND_OUT = ("anchor", "fact", "artifact")
"""The kinds of source whose values the matter itself brings to light."""


class ContentElement(BaseModel):
    """One element that a notice must give.

    Attributes:
        id: its name in the catalogue.
        label: how a person calls it.
        required: ``at_once`` in the first notice; ``if_possible`` to determine when the notice is given; or
            ``as_available``, as it becomes known.
        source: where its value comes from: ``agreement:lea``, ``provider:contact``, ``notice:date``,
            ``anchor:occurred``, ``anchor:discovered``, ``anchor:corrected``, ``hold:law_enforcement``, ``fact:ID`` or
            ``artifact:ID``.
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

    @property
    def is_found_out(self) -> bool:
        """Whether somebody has to find out its value; the others are known whenever a notice is written."""
        return self.source.partition(":")[0] in FOUND_OUT
