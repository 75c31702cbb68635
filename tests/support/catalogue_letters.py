"""Every notice that the catalogue knows: one for each form, state and sort."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config.settings import Settings
from mail.facts import NoticeFacts
from models.enums import NoticeKind, PerformedBy
from starter.demonstration import demonstrate
from starter.writing import sender_of
from terms.catalogue import load_catalogue
from terms.effective import effective_terms

CATALOGUE = load_catalogue()
SENDER = sender_of(Settings().organisation)
BREACH, INITIAL = "breach.notice", "breach.initial-notice"


@dataclass(frozen=True)
class Letter:
    """One notice of the catalogue: under which clause, where, and of which sort."""

    form: str
    state: str
    clause: str
    kind: NoticeKind = NoticeKind.NOTICE
    also: str | None = None

    @property
    def name(self) -> str:
        """The name of its golden file."""
        together = f" with {self.also}" if self.also else ""
        return f"{self.form} {self.state} {self.clause}{together} {self.kind.value}".replace(" ", "_")

    @property
    def facts(self) -> NoticeFacts:
        """What it says, from demonstration data."""
        return demonstrate(CATALOGUE, SENDER, self.form, self.state, self.clause, kind=self.kind, also=self.also)


def _every_letter() -> Iterator[Letter]:
    for form in CATALOGUE.forms:
        for state in CATALOGUE.states(form):
            clauses = effective_terms(CATALOGUE, form, state).clauses.values()
            sent = [clause for clause in clauses if clause.performed_by is PerformedBy.NOTICE]
            for clause in sent:
                yield Letter(form, state, clause.id)
                if clause.event == "breach" and clause.contents:
                    yield Letter(form, state, clause.id, NoticeKind.SUPPLEMENT)
            if INITIAL in {clause.id for clause in sent}:
                yield Letter(form, state, INITIAL, NoticeKind.DISMISSAL)
                yield Letter(form, state, BREACH, also=INITIAL)


LETTERS = tuple(_every_letter())


def by_name(letter: Letter) -> str:
    return letter.name
