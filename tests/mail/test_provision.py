"""Under which words of an agreement a notice is given, and how its reader is told why it is due when it is."""

from __future__ import annotations

from datetime import date

import pytest

from mail.provision import Place, annex_sentences, operative_steps, provision_sentences
from terms.catalogue import load_catalogue
from terms.clauses import Change, Step
from terms.effective import Amendment, effective_terms

CATALOGUE = load_catalogue()
DAY = date(2026, 11, 24)
NOTICE = "breach.notice"


def where(form: str, state: str, clause: str, *cited: str, amendments: tuple[Amendment, ...] = ()) -> list[str]:
    """Where the operative words of a clause are written."""
    terms = effective_terms(CATALOGUE, form, state, amendments=amendments, on=DAY)
    return [
        step.clause
        for step in operative_steps(CATALOGUE, Place(form, state, clause), terms.clause(clause).trail, cited)
    ]


@pytest.mark.parametrize(
    ("state", "written"),
    [
        ("IL", "Article V, Section 4"),
        ("NY", "item 14"),
        ("NH", "Article V, Section 4"),
        ("RI", "Article V, Section 4"),
        ("MO", "item 4(a)"),
    ],
)
def test_what_set_the_clock_is_not_whatever_amended_the_clause_last(state: str, written: str) -> None:
    assert where("ndpa-v1", state, NOTICE) == [written]


def test_an_amendment_bears_on_a_case_that_gives_what_it_asks_for() -> None:
    assert where("ndpa-v1", "IL", NOTICE, "Exhibit G (Illinois), item 13(vii)") == ["Article V, Section 4", "item 13"]


def test_an_amendment_that_changes_the_clock_always_bears() -> None:
    assert where("ndpa-v1", "IL", "access.request") == ["Article II, Section 2", "item 4"]


def test_what_the_parties_agreed_for_this_agreement_always_bears() -> None:
    step = Step(amends=Change(citation="Exhibit H, item 3", says="a drill is told of as well."))
    own = Amendment(clause=NOTICE, step=step, effective=DAY, entered_by="counsel")
    assert where("ndpa-v2", "OR", NOTICE, amendments=(own,)) == ["Section 5.4", "Exhibit H, item 3"]


def test_each_step_is_cited_in_a_sentence() -> None:
    trail = effective_terms(CATALOGUE, "ndpa-v1", "VA", on=DAY).clause("breach.initial-notice").trail
    (sentence,) = provision_sentences(trail)
    assert sentence.startswith("Exhibit G (Virginia), item 4: the provider gives initial notice")


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("It is the first of reasonably_expected, confirmed.", "It is the first of reasonably expected, confirmed."),
        ("24 hours is a default (reasonable_time_hours).", "24 hours is a default."),
        (
            "No date, so that of disposition.termination counts.",
            "No date, so that of NDPA v1, Article IV, Section 6 counts.",
        ),
        ("Due 2026-03-10 23:15 EDT (2026-03-11 03:15 UTC).", "Due 2026-03-10 23:15 EDT (2026-03-11 03:15 UTC)."),
    ],
)
def test_the_annex_names_nothing_as_only_we_do(why: str, told: str) -> None:
    assert annex_sentences([why], effective_terms(CATALOGUE, "ndpa-v1", "VA", on=DAY)) == (told,)
