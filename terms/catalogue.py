"""The catalogue: every form, state supplement and word under ``config/clauses/``, loaded and checked as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path

from terms.clauses import (
    AnchorsFile,
    Change,
    ChoicesFile,
    Clause,
    ContentsFile,
    Document,
    ElementText,
    EventText,
    GroundsFile,
    StandardFile,
    StateHeader,
    SupplementFile,
)
from terms.errors import ClauseFileError, StateNotCovered, UnknownChoice, UnknownForm
from terms.files import Model, Place, read_clause_file

CLAUSES_FOLDER = Path(__file__).parent.parent / "config" / "clauses"
STANDARD = "standard.yaml"

Problem = tuple[Place, str]
"""Something wrong with what a file says: where, and a sentence."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words that clauses may use: content elements, anchors, events, grounds and choices, each with its label.

    ``agreement_dates`` names the anchors that are dates of the agreement itself.
    """

    contents: Mapping[str, ElementText]
    anchors: Mapping[str, str]
    agreement_dates: tuple[str, ...]
    events: Mapping[str, EventText]
    grounds: Mapping[str, str]
    choices: Mapping[str, str]


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

    @property
    def agreement_dates(self) -> tuple[str, ...]:
        """The anchors that are dates of an agreement itself, which a case finds there."""
        return self.words.agreement_dates

    def check_choices(self, choices: Iterable[str]) -> None:
        """Raise ``UnknownChoice`` where an agreement is said to have chosen what no document offers."""
        if unknown := sorted(set(choices) - set(self.words.choices)):
            raise UnknownChoice(
                f"No document offers the choice {unknown[0]!r}.",
                where="choices",
                next_step=f"The choices are {', '.join(self.words.choices)}.",
            )


def load_catalogue(folder: Path | None = None) -> Catalogue:
    """Load and check every clause file under ``folder``, by default the one that ships; once per process.

    Raises:
        ClauseFileError: for the first file with problems, listing all of its problems with their lines.
    """
    return _load(_resolved(folder or CLAUSES_FOLDER))


@cache
def _resolved(folder: Path) -> Path:
    """Asked for with every notice that is written, and the file system need not be."""
    return folder.resolve()


@cache
def _load(folder: Path) -> Catalogue:
    catalogue, errors = check_catalogue(folder)
    if errors:
        raise errors[0]
    assert catalogue is not None, "a catalogue without errors is complete"
    return catalogue


def check_catalogue(folder: Path) -> tuple[Catalogue | None, tuple[ClauseFileError, ...]]:
    """Read every clause file under ``folder`` afresh: the catalogue, or what is wrong with each unusable file."""
    reading = _Reading()
    words = reading.words(folder)
    if words is None:
        return None, tuple(reading.errors)
    forms = [reading.form(path.parent, words) for path in sorted(folder.glob(f"*/{STANDARD}"))]
    if reading.errors:
        return None, tuple(reading.errors)
    return Catalogue(folder, {form.id: form for form in forms if form}, words), ()


class _Reading:
    """Reads the files one by one and keeps the errors, so that all of them can be told at once."""

    def __init__(self) -> None:
        self.errors: list[ClauseFileError] = []

    def words(self, folder: Path) -> Words | None:
        contents = self._file(folder / "contents.yaml", ContentsFile)
        grounds = self._file(folder / "grounds.yaml", GroundsFile)
        anchors = self._file(folder / "anchors.yaml", AnchorsFile, _anchor_problems)
        choices = self._file(folder / "choices.yaml", ChoicesFile)
        if contents is None or grounds is None or anchors is None or choices is None:
            return None
        return Words(
            contents=contents.contents,
            anchors=anchors.anchors,
            agreement_dates=anchors.agreement_dates,
            events=anchors.events,
            grounds=grounds.grounds,
            choices=choices.choices,
        )

    def form(self, folder: Path, words: Words) -> Form | None:
        standard = self._file(folder / STANDARD, StandardFile, partial(_standard_problems, words=words))
        if standard is None:
            return None
        supplements: dict[str, SupplementFile] = {}
        for path in sorted(folder.glob("*.yaml")):
            if path.name == STANDARD:
                continue
            check = partial(_supplement_problems, path=path, standard=standard, words=words)
            supplement = self._file(path, SupplementFile, check)
            if supplement is not None:
                supplements[supplement.state.abbreviation] = supplement
        return Form(folder.name, standard, supplements)

    def _file(
        self, path: Path, shape: type[Model], check: Callable[[Model], Iterator[Problem]] | None = None
    ) -> Model | None:
        try:
            file = read_clause_file(path, shape)
        except ClauseFileError as error:
            self.errors.append(error)
            return None
        problems = tuple(file.problem(place, message) for place, message in check(file.content)) if check else ()
        if problems:
            self.errors.append(ClauseFileError(path, problems))
            return None
        return file.content


def _anchor_problems(anchors: AnchorsFile) -> Iterator[Problem]:
    for n, anchor in enumerate(anchors.agreement_dates):
        if anchor not in anchors.anchors:
            yield ("agreement_dates", n), f"no anchor is named {anchor!r}: add it under anchors."
    for event, text in anchors.events.items():
        for n, anchor in enumerate(text.anchors):
            if anchor not in anchors.anchors:
                yield ("events", event, "anchors", n), f"no anchor is named {anchor!r}: add it under anchors."


def _standard_problems(standard: StandardFile, words: Words) -> Iterator[Problem]:
    for clause_id, texts in standard.clauses.items():
        for moment, clause in texts.items():
            place: Place = ("clauses", clause_id, moment)
            yield from text_problems(clause_id, clause, place, words, standard.form.citations.standard)
            yield from _place_problems(clause, place, standard.document)
            if clause.anchor_from and clause.anchor_from not in standard.clauses:
                yield (*place, "anchor_from"), f"there is no clause {clause.anchor_from}."
            if clause.offers and not _is_exercised(standard.clauses.get(clause.offers, {})):
                yield (*place, "offers"), f"there is no clause {clause.offers} that says how its right is exercised."


def _is_exercised(texts: Mapping[str, Clause]) -> bool:
    """Whether there is a clause whose every text is a right that is exercised by an answer."""
    return bool(texts) and all(clause.answer for clause in texts.values())


def _supplement_problems(
    supplement: SupplementFile, path: Path, standard: StandardFile, words: Words
) -> Iterator[Problem]:
    name = f"{supplement.state.abbreviation.lower()}.yaml"
    if path.name != name:
        yield ("state", "abbreviation"), f"the file of this state must be called {name}."
    known = set(standard.clauses)
    shape = standard.form.citations.supplement
    for clause_id, texts in supplement.clauses.items():
        for moment, steps in texts.items():
            there = clause_id in known
            for n, step in enumerate(steps):
                place: Place = ("clauses", clause_id, moment, n, step.operation)
                yield from text_problems(clause_id, step.text, place, words, shape)
                yield from _place_problems(step.text, place, supplement.document)
                if problem := order_problem(clause_id, step.operation, there):
                    yield place, problem
                there = True


def _place_problems(text: Clause | Change, place: Place, document: Document) -> Iterator[Problem]:
    if text.citation not in document.places:
        yield (
            (*place, "citation"),
            f"the document has no place for {text.citation!r}: add the line on which it begins under places.",
        )


def order_problem(clause_id: str, operation: str, there: bool) -> str | None:
    """Say why an operation cannot apply to a clause that is, or is not, already there."""
    if operation == "adds" and there:
        return f"the clause {clause_id} is already there: amend or replace it."
    if operation != "adds" and not there:
        return f"there is no clause {clause_id} for it to {operation.removesuffix('s')}."
    return None


def text_problems(
    clause_id: str, text: Clause | Change, place: Place, words: Words, citation_shape: str
) -> Iterator[Problem]:
    """Everything in one clause or amendment that the words of the catalogue or the citation's shape forbid."""
    if not re.fullmatch(citation_shape, text.citation):
        yield (
            (*place, "citation"),
            f"the citation {text.citation!r} has the wrong shape: it must match {citation_shape}.",
        )
    event = words.events.get(clause_id.partition(".")[0])
    if event is None:
        yield place[:2], f"no event is called {clause_id.partition('.')[0]!r}: add it to anchors.yaml."
    for key, anchor in _anchors_named(text):
        if event and anchor not in event.anchors:
            yield (*place, *key), f"the event does not know the anchor {anchor!r}: add it to anchors.yaml."
    if text.only_if and text.only_if not in words.choices:
        yield (*place, "only_if"), f"nothing that may be chosen is called {text.only_if!r}: add it to choices.yaml."
    if text.once_in and text.once_in.or_after and text.once_in.or_after not in words.events:
        yield (*place, "once_in", "or_after"), f"no event is called {text.once_in.or_after!r}: add it to anchors.yaml."
    for element in text.contents:
        if element not in words.contents:
            yield (*place, "contents", element), f"no content element is called {element!r}: add it to contents.yaml."
    for n, element in enumerate(text.tells if isinstance(text, Clause) else ()):
        if element not in words.contents:
            yield (*place, "tells", n), f"no content element is called {element!r}: add it to contents.yaml."
    for n, ground in enumerate(text.grounds):
        if ground not in words.grounds:
            yield (*place, "grounds", n), f"no ground is called {ground!r}: add it to grounds.yaml."


def _anchors_named(text: Clause | Change) -> Iterator[tuple[Place, str]]:
    """Every anchor that a text names, and under which key."""
    yield from ((("anchors", n), anchor) for n, anchor in enumerate(text.anchors or ()))
    yield from ((("unless", n), anchor) for n, anchor in enumerate(text.unless or ()))
    for index, other in enumerate(text.or_sooner or ()):
        if other.day:
            yield ("or_sooner", index, "day"), other.day
    if text.due_on:
        yield ("due_on",), text.due_on
    if text.dates:
        yield ("dates",), text.dates
    if text.may_say:
        yield ("may_say",), text.may_say
    if text.holds:
        yield ("holds",), text.holds
    if text.planned_on:
        yield ("planned_on",), text.planned_on
    if text.not_before:
        yield ("not_before", "after"), text.not_before.after
    if text.pauses:
        yield ("pauses", "since"), text.pauses.since
        yield ("pauses", "until"), text.pauses.until
