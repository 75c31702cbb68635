"""What is generated from the clause files: the table for people (``docs/terms.md``) and the schemas for editors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel

from terms.cases import CaseContext
from terms.catalogue import Catalogue
from terms.clauses import AnchorsFile, ChoicesFile, ContentsFile, Document, GroundsFile, StandardFile, SupplementFile
from terms.compare import contacts_of, governing, value_of
from terms.effective import EffectiveClause, EffectiveTerms, effective_terms
from terms.limits import STANDARD_DEFAULTS

SCHEMAS: Mapping[str, type[BaseModel]] = {
    "standard": StandardFile,
    "supplement": SupplementFile,
    "cases": CaseContext,
    "contents": ContentsFile,
    "anchors": AnchorsFile,
    "grounds": GroundsFile,
    "choices": ChoicesFile,
}
"""The shape of each kind of clause file, by the name of its schema."""

HEADING = """# Terms

What the agreements oblige, clause by clause and state by state. Generated from `config/clauses/` by
`duenotice terms generate`; a test fails when it is out of date. Each value stands over the provision that set it:
where a state's supplement changes nothing, that is the standard clause. Each provision leads to its place in the
document: the line of the text that was read, whose digest (SHA-256) stands beside the document. Limits marked *default*
are settings of the installation, since no clause gives a number.
"""


PERFORMANCE = """A *notice* sent performs a duty only where its clause asks for no more than that somebody be told. A
*confirmation* is the word of each holder of the data; a *document* is given; an *act* is recorded with proof; *time*
passes. Where something required at once is missing at the due instant, the notice *goes* with what is known, or
everything *waits* and the duty becomes overdue. Of a notice, a document and an act, two people may record with proof
that it was done by other means than this engine, unless that is marked. The contacts are those that the agreement
names of the side that is owed the duty.
"""


def generated_files(catalogue: Catalogue) -> dict[Path, str]:
    """Every generated file by its path in the repository."""
    files = {Path("docs/terms.md"): coverage(catalogue)}
    for name, shape in SCHEMAS.items():
        schema = json.dumps(shape.model_json_schema(), indent=2)
        files[Path(f"config/clauses/schema/{name}.json")] = f"{schema}\n"
    return files


def coverage(catalogue: Catalogue) -> str:
    """The table of every clause in every state: its value, its citation, and what it was checked against."""
    parts = [HEADING, *(_form(catalogue, form) for form in catalogue.forms), _defaults()]
    return "\n".join(parts)


def _form(catalogue: Catalogue, form_id: str) -> str:
    form, choices = catalogue.form(form_id), catalogue.words.choices
    checked = form.standard.document.checked
    terms = {"standard": effective_terms(catalogue, form_id, None, choices=choices, on=checked)}
    documents = {"standard": form.standard.document}
    for state, supplement in form.supplements.items():
        documents[state] = supplement.document
        terms[state] = effective_terms(catalogue, form_id, state, choices=choices, on=supplement.document.checked)
    places = _Places(form_id, documents)
    ids = sorted(form.clause_ids)
    dated = [clause for clause in ids if any(_is_dated(of.clauses.get(clause)) for of in terms.values())]
    header = form.standard.form
    return "\n".join(
        [
            f"## {header.name} (`{form_id}`)\n",
            f"Precedence, the last one controlling: {', '.join(header.precedence)} ({header.precedence_citation}).\n",
            _table(
                ("column", "document", "read from", "checked", "SHA-256 of its text"),
                (
                    (column, doc.title, doc.read_from, doc.checked.isoformat(), f"`{doc.sha256}`")
                    for column, doc in documents.items()
                ),
            ),
            "### Dated duties\n",
            _matrix(terms, dated, places),
            "### How duties are performed\n",
            PERFORMANCE,
            _performance(terms, ids),
            *_all_contents(terms, places),
            "### Rules, rights, definitions and duties without a time\n",
            _matrix(terms, [clause for clause in ids if clause not in dated], places),
            "### Places\n",
            places.table(),
        ]
    )


class _Places:
    """Where each provision of one form's documents begins in the text that was read, as targets of links."""

    def __init__(self, form_id: str, documents: Mapping[str, Document]) -> None:
        self._form = form_id
        self._documents = documents

    def link(self, text: str, citation: str) -> str:
        """``text`` as a link to the provision that a citation, with the name of its document, is in."""
        for column, document in self._documents.items():
            provision = citation.removeprefix(f"{document.name}, ")
            within = [place for place in document.places if provision.startswith(place)]
            if provision != citation and within:
                return f"[{text}](#{self._target(column, document.places[max(within, key=len)])})"
        raise AssertionError(f"a citation without a place passed the catalogue's checks: {citation}")

    def table(self) -> str:
        """Every provision, with the line on which it begins."""
        rows = (
            (f'<a id="{self._target(column, line)}"></a>{document.name}, {citation}', column, str(line))
            for column, document in self._documents.items()
            for citation, line in document.places.items()
        )
        return _table(("provision", "column", "line"), rows)

    def _target(self, column: str, line: int) -> str:
        return f"{self._form}-{column.lower()}-{line}"


def _is_dated(clause: EffectiveClause | None) -> bool:
    return clause is not None and clause.dated


def _all_contents(terms: Mapping[str, EffectiveTerms], places: _Places) -> list[str]:
    found = (clause for of in terms.values() for clause in of.clauses.values())
    clauses = sorted({clause.id for clause in found if clause.contents})
    heading = ["### Contents of notices and confirmations\n"] if clauses else []
    return heading + [_contents(terms, clause, places) for clause in clauses]


def _matrix(terms: Mapping[str, EffectiveTerms], clauses: Iterable[str], places: _Places) -> str:
    rows = ((f"`{clause}`", *(_cell(of.clauses.get(clause), places) for of in terms.values())) for clause in clauses)
    return _table(("clause", *terms), rows)


def _performance(terms: Mapping[str, EffectiveTerms], clauses: Iterable[str]) -> str:
    """One row for each way in which a duty is performed under one clause, with the columns it holds for."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for clause_id in clauses:
        for column, of in terms.items():
            clause = of.clauses.get(clause_id)
            if clause and clause.performed_by:
                rows.setdefault(_performance_row(clause), []).append(column)
    where = {row: "everywhere" if len(found) == len(terms) else ", ".join(found) for row, found in rows.items()}
    header = ("clause", "owed", "performed by", "while incomplete", "contacts", "where")
    return _table(header, ((*row, columns) for row, columns in where.items()))


def _performance_row(clause: EffectiveClause) -> tuple[str, ...]:
    owed = f"{clause.owed_by} → {clause.owed_to}"
    performed_by = f"{clause.performed_by}{', by no other means' if clause.other_means is False else ''}"
    return (f"`{clause.id}`", owed, performed_by, clause.incomplete or "–", contacts_of(clause))


def _cell(clause: EffectiveClause | None, places: _Places) -> str:
    if clause is None:
        return "–"
    citations = (f"{step.document}, {step.clause}" for step in governing(clause))
    return f"{value_of(clause)}<br>*{'; '.join(places.link(citation, citation) for citation in citations)}*"


def _contents(terms: Mapping[str, EffectiveTerms], clause_id: str, places: _Places) -> str:
    required = {
        column: {
            element.id: places.link(element.required.replace("_", " "), element.citation)
            for element in of.clauses[clause_id].contents
        }
        for column, of in terms.items()
        if clause_id in of.clauses
    }
    elements = dict.fromkeys(element for of in required.values() for element in of)
    rows = ((f"`{element}`", *(of.get(element, "–") for of in required.values())) for element in elements)
    return _table((f"`{clause_id}`", *required), rows)


def _defaults() -> str:
    fields = STANDARD_DEFAULTS.model_dump().items()
    return "## Defaults\n\n" + _table(("name", "value"), ((f"`{name}`", str(value)) for name, value in fields))


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = tuple(header)
    lines = [names, ("---",) * len(names), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
