"""The catalogue: every form, state supplement and word under ``config/clauses/``, loaded and checked as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from terms.clauses import (
    AnchorsFile,
    Change,
    Clause,
    ContentsFile,
    ElementText,
    EventText,
    GroundsFile,
    StandardFile,
    StateHeader,
    SupplementFile,
)
from terms.errors import ClauseFileError, StateNotCovered, UnknownForm
from terms.files import ClauseFile, Place, read_clause_file

CLAUSES_FOLDER = Path(__file__).parent.parent / "config" / "clauses"
STANDARD = "standard.yaml"


@dataclass(frozen=True, slots=True)
class Words:
    """The words that clauses may use: content elements, anchors, events and grounds, each with its label."""

    contents: Mapping[str, ElementText]
    anchors: Mapping[str, str]
    events: Mapping[str, EventText]
    grounds: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Form:
    """One form of agreement: its standard clauses and its supplements by state."""

    id: str
    standard: StandardFile
    supplements: Mapping[str, SupplementFile]

    @cached_property
    def clause_ids(self) -> frozenset[str]:
        """Every clause that the form or one of its supplements has."""
        return frozenset(self.standard.clauses).union(*(text.clauses for text in self.supplements.values()))

    def supplement(self, state: str) -> SupplementFile:
        """The supplement of a state, by its postal abbreviation in either case.

        Raises:
            StateNotCovered: if the form has none.
        """
        found = self.supplements.get(state.upper())
        if found is None:
            raise StateNotCovered(
                f"The form {self.id} has no supplement for {state.upper()!r}.",
                where="state",
                next_step=f"It covers {', '.join(self.supplements)}; choose one of them or another form.",
            )
        return found


@dataclass(frozen=True, eq=False)
class Catalogue:
    """All forms and words. Two catalogues are never equal: what they say is compared by the hash of terms."""

    folder: Path
    forms: Mapping[str, Form]
    words: Words

    def form(self, form: str) -> Form:
        """The form of this id.

        Raises:
            UnknownForm: if there is none.
        """
        found = self.forms.get(form)
        if found is None:
            raise UnknownForm(
                f"There is no form {form!r}.", where="form", next_step=f"The forms are {', '.join(self.forms)}."
            )
        return found

    def states(self, form: str) -> tuple[str, ...]:
        """Postal abbreviations of the states that a form covers, in alphabetical order."""
        return tuple(self.form(form).supplements)

    def state(self, form: str, state: str) -> StateHeader:
        """What the catalogue knows of a state that a form covers."""
        return self.form(form).supplement(state).state

    @property
    def events(self) -> Mapping[str, EventText]:
        """What can happen, with the dated facts that each event knows."""
        return self.words.events


def load_catalogue(folder: Path | None = None) -> Catalogue:
    """Load and check every clause file under ``folder``, by default the one that ships; once per process.

    Raises:
        ClauseFileError: for the first file with problems, listing all of its problems with their lines.
    """
    return _load((folder or CLAUSES_FOLDER).resolve())


@cache
def _load(folder: Path) -> Catalogue:
    words = _load_words(folder)
    folders = sorted(path.parent for path in folder.glob(f"*/{STANDARD}"))
    return Catalogue(folder, {path.name: _load_form(path, words) for path in folders}, words)


def clause_files(folder: Path | None = None) -> tuple[tuple[Path, type[StandardFile] | type[SupplementFile]], ...]:
    """Every file of clauses under a folder with the shape it must have."""
    root = folder or CLAUSES_FOLDER
    return tuple(
        (path, StandardFile if path.name == STANDARD else SupplementFile) for path in sorted(root.glob("*/*.yaml"))
    )


def _load_words(folder: Path) -> Words:
    contents = read_clause_file(folder / "contents.yaml", ContentsFile).content
    grounds = read_clause_file(folder / "grounds.yaml", GroundsFile).content
    anchors = read_clause_file(folder / "anchors.yaml", AnchorsFile)
    problems = [
        anchors.problem(("events", event, "anchors", n), f"no anchor is named {anchor!r}: add it under anchors.")
        for event, text in anchors.content.events.items()
        for n, anchor in enumerate(text.anchors)
        if anchor not in anchors.content.anchors
    ]
    if problems:
        raise ClauseFileError(anchors.path, tuple(problems))
    return Words(contents.contents, anchors.content.anchors, anchors.content.events, grounds.grounds)


def _load_form(folder: Path, words: Words) -> Form:
    standard = read_clause_file(folder / STANDARD, StandardFile)
    _refuse(standard, _standard_problems(standard, words))
    supplements: dict[str, SupplementFile] = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.name == STANDARD:
            continue
        supplement = read_clause_file(path, SupplementFile)
        _refuse(supplement, _supplement_problems(supplement, standard.content, words))
        supplements[supplement.content.state.abbreviation] = supplement.content
    return Form(folder.name, standard.content, supplements)


def _refuse(file: ClauseFile[StandardFile] | ClauseFile[SupplementFile], problems: Iterator[tuple[Place, str]]) -> None:
    found = tuple(file.problem(place, message) for place, message in problems)
    if found:
        raise ClauseFileError(file.path, found)


def _standard_problems(file: ClauseFile[StandardFile], words: Words) -> Iterator[tuple[Place, str]]:
    standard = file.content
    for clause_id, texts in standard.clauses.items():
        for moment, clause in texts.items():
            place: Place = ("clauses", clause_id, moment)
            yield from text_problems(clause_id, clause, place, words, standard.form.citations.standard)
            if clause.anchor_from and clause.anchor_from not in standard.clauses:
                yield (*place, "anchor_from"), f"there is no clause {clause.anchor_from}."


def _supplement_problems(
    file: ClauseFile[SupplementFile], standard: StandardFile, words: Words
) -> Iterator[tuple[Place, str]]:
    supplement = file.content
    expected = supplement.state.abbreviation.lower()
    if file.path.stem != expected:
        yield ("state", "abbreviation"), f"the file of this state must be called {expected}.yaml."
    known = set(standard.clauses)
    shape = standard.form.citations.supplement
    for clause_id, texts in supplement.clauses.items():
        for moment, steps in texts.items():
            there = clause_id in known
            for n, step in enumerate(steps):
                place: Place = ("clauses", clause_id, moment, n, step.operation)
                yield from text_problems(clause_id, step.text, place, words, shape)
                if problem := order_problem(clause_id, step.operation, there):
                    yield place, problem
                there = True


def order_problem(clause_id: str, operation: str, there: bool) -> str | None:
    """Say why an operation cannot apply to a clause that is, or is not, already there."""
    if operation == "adds" and there:
        return f"the clause {clause_id} is already there: amend or replace it."
    if operation != "adds" and not there:
        return f"there is no clause {clause_id} for it to {operation.removesuffix('s')}."
    return None


def text_problems(
    clause_id: str, text: Clause | Change, place: Place, words: Words, citation_shape: str
) -> Iterator[tuple[Place, str]]:
    """Everything in one clause or amendment that the words of the catalogue or the citation's shape forbid."""
    if not re.fullmatch(citation_shape, text.citation):
        yield (
            (*place, "citation"),
            f"the citation {text.citation!r} has the wrong shape: it must match {citation_shape}.",
        )
    event = words.events.get(clause_id.partition(".")[0])
    if event is None:
        yield place[:2], f"no event is called {clause_id.partition('.')[0]!r}: add it to anchors.yaml."
    for n, anchor in enumerate(text.anchors or ()):
        if event and anchor not in event.anchors:
            yield (*place, "anchors", n), f"the event does not know the anchor {anchor!r}: add it to anchors.yaml."
    for element in text.contents:
        if element not in words.contents:
            yield (*place, "contents", element), f"no content element is called {element!r}: add it to contents.yaml."
    for n, ground in enumerate(text.grounds):
        if ground not in words.grounds:
            yield (*place, "grounds", n), f"no ground is called {ground!r}: add it to grounds.yaml."
