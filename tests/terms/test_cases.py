"""Every boundary case that counsel wrote beside the clauses holds, and every dated clause has one."""

from __future__ import annotations

import pytest

from terms.cases import Case, case_files, case_problems, disagreements
from terms.catalogue import load_catalogue
from terms.effective import effective_terms

CATALOGUE = load_catalogue()
CASES = [(form, case) for form, file in case_files(CATALOGUE) for case in file.content.cases]


@pytest.mark.parametrize(("form", "case"), CASES, ids=[f"{form}: {case.case}" for form, case in CASES])
def test_the_clauses_give_what_the_case_says(form: str, case: Case) -> None:
    assert disagreements(CATALOGUE, form, case) == ()


@pytest.mark.parametrize("form", CATALOGUE.forms)
def test_every_dated_clause_has_a_case_wherever_a_state_changes_it(form: str) -> None:
    shown = {(case.state, clause) for name, case in CASES if name == form for clause in (*case.due, *case.earliest)}
    anywhere = {clause for _, clause in shown}
    standard = effective_terms(CATALOGUE, form, None, choices=CATALOGUE.words.choices)
    missing = {clause.id for clause in standard.clauses.values() if clause.dated} - anywhere
    for state in CATALOGUE.states(form):
        for clause in effective_terms(CATALOGUE, form, state, choices=CATALOGUE.words.choices).clauses.values():
            if clause.dated and clause != standard.clauses.get(clause.id) and (state, clause.id) not in shown:
                missing.add(f"{state} {clause.id}")
    assert missing == set()


def test_a_case_that_is_a_second_off_is_told() -> None:
    form, case = next((form, case) for form, case in CASES if case.due)
    clause, due = next(iter(case.due.items()))
    wrong = case.model_copy(update={"due": {clause: due.replace(second=1)}})
    assert any(clause in sentence for sentence in disagreements(CATALOGUE, form, wrong))


def test_checking_the_cases_finds_none_that_disagrees() -> None:
    assert list(case_problems(CATALOGUE)) == []
