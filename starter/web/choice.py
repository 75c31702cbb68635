"""Finding agreements in a list of thousands, and choosing some of them without losing what was chosen before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.datastructures import FormData

from starter.views import AgreementView
from starter.web.paging import Page, cut
from starter.web.site import text_of, texts_of

SHOWN = 50
"""How many agreements a page shows."""


@dataclass(frozen=True)
class Filter:
    """Which agreements to show: those whose name or reference holds ``find``, of one state or form if given."""

    find: str = ""
    state: str = ""
    form: str = ""

    def pick(self, agreements: Sequence[AgreementView]) -> list[AgreementView]:
        """The agreements that match, in the order of the LEAs' names."""
        sought = self.find.casefold()
        return sorted(
            (
                agreement
                for agreement in agreements
                if sought in f"{agreement.lea_name} {agreement.reference}".casefold()
                and self.state in ("", agreement.state)
                and self.form in ("", agreement.form)
            ),
            key=lambda agreement: (agreement.lea_name.casefold(), agreement.reference),
        )


@dataclass(frozen=True)
class Choice:
    """The chosen agreements by reference, and the filter and page that the form shows of all of them.

    Without scripts a form can only carry the boxes that it shows, so it also carries ``chosen`` and the references
    shown: what is chosen afterwards is what was chosen before, without the shown, with the ticked.
    """

    filter: Filter = Filter()
    page: str = "1"
    chosen: frozenset[str] = frozenset()

    @classmethod
    def read(cls, form: FormData) -> Choice:
        """What a posted form chose."""
        before = frozenset(text_of(form, "chosen").splitlines())
        shown = frozenset(text_of(form, "shown").splitlines())
        return cls(
            filter=Filter(text_of(form, "find"), text_of(form, "state"), text_of(form, "form")),
            page=text_of(form, "shown_page") or "1",
            chosen=(before - shown) | frozenset(texts_of(form, "agreement")),
        )

    def after(self, act: str, agreements: Sequence[AgreementView]) -> Choice:
        """The choice after one of its buttons: ``find``, ``page-N``, ``all`` that match, or ``none`` of any."""
        match act.partition("-"):
            case ("page", "-", number):
                return replace(self, page=number)
            case ("all", *_):
                matching = frozenset(agreement.reference for agreement in self.filter.pick(agreements))
                return replace(self, page="1", chosen=self.chosen | matching)
            case ("none", *_):
                return replace(self, page="1", chosen=frozenset())
            case _:
                return replace(self, page="1")

    def shown(self, agreements: Sequence[AgreementView]) -> Page[AgreementView]:
        """The page of matching agreements that the form shows."""
        return cut(self.filter.pick(agreements), self.page, SHOWN)
