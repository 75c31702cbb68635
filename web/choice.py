"""Finding agreements in a list of thousands, and choosing some of them without losing what was chosen before."""

from __future__ import annotations

from dataclasses import dataclass, replace

from starlette.datastructures import FormData

from config.database import Database
from queries.agreements import find_agreements, matching_references
from queries.views import AgreementView
from records.scope import EVERY_AGREEMENT, AgreementFilter
from web.paging import Page, read_page
from web.site import text_of, texts_of

SHOWN = 50
"""How many agreements a page shows."""


@dataclass(frozen=True)
class Choice:
    """The chosen agreements by reference, and the filter and page that the form shows of all of them.

    Without scripts a form can only carry the boxes that it shows, so it also carries ``chosen`` and the references
    shown: what is chosen afterwards is what was chosen before, without the shown, with the ticked.
    """

    filter: AgreementFilter = EVERY_AGREEMENT
    page: str = "1"
    chosen: frozenset[str] = frozenset()

    @classmethod
    def read(cls, form: FormData) -> Choice:
        """What a posted form chose."""
        before = frozenset(text_of(form, "chosen").splitlines())
        shown = frozenset(text_of(form, "shown").splitlines())
        return cls(
            filter=AgreementFilter(text_of(form, "find"), text_of(form, "state"), text_of(form, "form")),
            page=text_of(form, "shown_page") or "1",
            chosen=(before - shown) | frozenset(texts_of(form, "agreement")),
        )

    def after(self, act: str, database: Database) -> Choice:
        """The choice after one of its buttons: ``find``, ``page-N``, ``all`` that match, or ``none`` of any."""
        match act.partition("-"):
            case ("page", "-", number):
                return replace(self, page=number)
            case ("all", *_):
                return replace(self, page="1", chosen=self.chosen | matching_references(database, self.filter))
            case ("none", *_):
                return replace(self, page="1", chosen=frozenset())
            case _:
                return replace(self, page="1")

    def shown(self, database: Database) -> Page[AgreementView]:
        """The page of matching agreements that the form shows."""
        return read_page(
            lambda offset, limit: find_agreements(database, self.filter, offset=offset, limit=limit), self.page, SHOWN
        )
