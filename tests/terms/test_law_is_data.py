"""No state and no content element is named in the program: the law is data."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from terms.catalogue import CLAUSES_FOLDER, load_catalogue

ROOT = CLAUSES_FOLDER.parent.parent
ROOMS = ("activities", "config", "ledger", "mail", "models", "starter", "terms", "workflows")
PROGRAMS = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
STATES = [form.supplement(state).state for form in load_catalogue().forms.values() for state in form.supplements]


def literals(path: Path) -> Iterator[str]:
    """Every text in a program that is not documentation."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


@pytest.mark.parametrize("path", PROGRAMS, ids=[str(path.relative_to(ROOT)) for path in PROGRAMS])
def test_no_program_names_a_state(path: Path) -> None:
    named = [text for text in literals(path) for state in STATES if text == state.abbreviation or state.name in text]
    assert named == []


@pytest.mark.parametrize("path", sorted((ROOT / "terms").glob("*.py")), ids=lambda path: path.name)
def test_the_terms_room_names_no_content_element_and_no_clause(path: Path) -> None:
    catalogue = load_catalogue()
    clauses = {clause for form in catalogue.forms.values() for clause in form.clause_ids}
    assert not (clauses | catalogue.words.contents.keys()) & set(literals(path))
