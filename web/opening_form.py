"""The form that opens a case of any kind: every value as it was typed, and the intake that the values make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from starlette.datastructures import FormData

from cases.fields import FormField, Shape
from cases.intake import ApproximateTime, Intake, Person, check_intake, parse_intake
from cases.kind import Kind
from cases.plausibility import dates_of_intake, order_problems
from cases.values import KeptFile
from config.settings import Person as Contact
from models.errors import DuenoticeError, InvalidFields, InvalidInput
from records.choices import intake_fields
from web.choice import Choice
from web.inputs import read_text
from web.site import incomplete, text_of, texts_of
from web.times import read_date, read_instant

Problem = TypeVar("Problem", bound=DuenoticeError)
Value = TypeVar("Value")

AGREEMENTS = "agreements"
"""The field of every intake for which the form has a list to choose from."""

SECTIONS: Mapping[str, frozenset[Shape]] = {
    "What": frozenset({Shape.LINE, Shape.TEXT, Shape.LINES, Shape.CHOICE, Shape.TICK, Shape.FILE}),
    "When": frozenset({Shape.APPROXIMATE_TIME, Shape.INSTANT, Shape.DAY}),
    "Who": frozenset({Shape.PERSON}),
}
"""Under which heading a field is asked, by how it is given; the agreements stand before the last one."""

PERSON_PARTS = ("name", "email", "phone")
"""The inputs by which a person is given."""

KEPT = "_kept"
"""What ends the name of the input with the SHA-256 of a file that was chosen and is kept while it is checked."""

_TIMED = frozenset({Shape.APPROXIMATE_TIME, Shape.INSTANT})


class OfferedLines(BaseModel):
    """One group of the lines that a form offers for a field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str
    lines: tuple[str, ...]


@lru_cache
def offered_lines(name: str) -> tuple[OfferedLines, ...]:
    """The lines that a form offers, from ``config/<name>.yaml``."""
    stored = yaml.safe_load(files("config").joinpath(f"{name}.yaml").read_text(encoding="utf-8"))
    return TypeAdapter(tuple[OfferedLines, ...]).validate_python(stored)


def input_names(asked: FormField) -> tuple[str, ...]:
    """The names of the text inputs by which a field is given."""
    match asked.shape:
        case Shape.PERSON:
            return tuple(f"{asked.name}_{part}" for part in PERSON_PARTS)
        case Shape.APPROXIMATE_TIME:
            return tuple(f"{asked.name}_{part}" for part in ("kind", "at", "on", "first", "last"))
        case Shape.LINES if asked.offered:
            return (f"{asked.name}_other",)
        case Shape.FILE:
            return (f"{asked.name}{KEPT}",)
        case _:
            return (asked.name,)


@dataclass(frozen=True)
class OpeningForm:
    """What the form holds: ``typed`` by input, ``ticked`` of what a field offers, and the choice of agreements."""

    kind: Kind
    typed: Mapping[str, str]
    ticked: Mapping[str, frozenset[str]]
    choice: Choice = field(default_factory=Choice)

    @classmethod
    def read(cls, kind: Kind, form: FormData) -> OpeningForm:
        """What was posted; a field that is absent is blank."""
        asked = intake_fields(kind)
        names = ("zone", *(name for one in asked for name in input_names(one)))
        ticked = {one.name: frozenset(texts_of(form, one.name)) for one in asked if one.offered}
        return cls(kind, {name: text_of(form, name) for name in names}, ticked, Choice.read(form))

    @classmethod
    def blank(cls, kind: Kind, contact: Contact) -> OpeningForm:
        """The form before anything is typed, with the provider's own contact where the intake asks for it."""
        form = cls.read(kind, FormData())
        typed = {
            f"{one.name}_{part}": text
            for one in intake_fields(kind)
            if one.prefilled
            for part, text in zip(PERSON_PARTS, (contact.name, contact.email, contact.phone), strict=True)
        }
        return replace(form, typed={**form.typed, **typed})

    @property
    def fields(self) -> tuple[FormField, ...]:
        """The fields that the form asks for, but for the agreements."""
        return tuple(one for one in intake_fields(self.kind) if one.name != AGREEMENTS)

    @property
    def sections(self) -> Mapping[str, tuple[FormField, ...]]:
        """The fields by the heading under which they are asked."""
        return {
            heading: tuple(one for one in self.fields if one.shape in shapes) for heading, shapes in SECTIONS.items()
        }

    @property
    def has_times(self) -> bool:
        """Whether the form needs a time zone."""
        return any(one.shape in _TIMED for one in self.fields)

    @property
    def _labels(self) -> dict[str, str]:
        """What the form calls each field, in the order in which it asks."""
        what, when, who = self.sections.values()
        named = {one.name: one.label for one in intake_fields(self.kind)}
        zone = {"zone": "Time zone of the times below"}
        return {
            **{one.name: one.label for one in what},
            **(zone if self.has_times else {}),
            **{one.name: one.label for one in when},
            AGREEMENTS: named[AGREEMENTS],
            **{one.name: one.label for one in who},
        }

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:
        """Everything that the form holds, by the names of its inputs, so that a page can give it again."""
        ticked = ((name, line) for name, lines in self.ticked.items() for line in sorted(lines))
        return (*self.typed.items(), *ticked, ("chosen", "\n".join(sorted(self.choice.chosen))))

    def with_files(self, kept: Mapping[str, str]) -> OpeningForm:
        """The same form with the files that were chosen now, by field, each by its SHA-256."""
        return replace(self, typed={**self.typed, **{f"{name}{KEPT}": sha256 for name, sha256 in kept.items()}})

    def choosing(self, choice: Choice) -> OpeningForm:
        """The same form with another choice of agreements."""
        return replace(self, choice=choice)

    def intake(self, now: datetime) -> Intake:
        """The intake that the values make; raise ``InvalidFields`` with everything that is wrong at once."""
        reader = _Reader(self, now)
        values: dict[str, Any] = {one.name: reader.value(one) for one in self.fields}
        # Drafted without validation, so that what can be checked is checked even while another field is blank.
        drafted = self.kind.intake.model_construct(**values, agreements=tuple(sorted(self.choice.chosen)))
        given = drafted.model_dump(exclude_none=True, warnings=False)
        facts = _problems_of_facts(self.kind, drafted, given, now, reader.unread)
        problems = [*reader.problems, *facts]
        if problems:
            raise InvalidFields(self.in_order(problems))
        return parse_intake(self.kind.intake, given)

    def in_order(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """Each problem once, in the order in which the form asks."""
        order = {name: place for place, name in enumerate(self._labels)}
        once = {(problem.where, problem.message): problem for problem in problems}
        return tuple(sorted(once.values(), key=lambda problem: order.get(field_of(problem), -1)))

    def label_of(self, problem: DuenoticeError) -> str:
        """What the form calls the place of a problem, such as ``Who reports this? (email)``."""
        part = (problem.where or "").partition(".")[2]
        label = self._labels.get(field_of(problem), problem.where or "The form")
        return f"{label} ({part})" if part else label


class _Reader:
    """Reads a form field by field, and keeps what is wrong and which fields could not be read."""

    def __init__(self, form: OpeningForm, now: datetime) -> None:
        self._form = form
        self._now = now
        self.problems: list[InvalidInput] = []
        self.unread: set[str] = set()

    def value(self, asked: FormField) -> object:
        """What was given for a field; where that cannot be read, something that lets the others be checked."""
        name, typed = asked.name, self._form.typed
        match asked.shape:
            case Shape.PERSON:
                said, email, phone = (typed[f"{name}_{part}"] for part in PERSON_PARTS)
                return Person.model_construct(name=said, email=email, phone=phone or None)
            case Shape.APPROXIMATE_TIME:
                return self._approximate_time(name)
            case Shape.LINES if asked.offered:
                return self._lines(asked, asked.offered)
            case Shape.FILE:
                return self._read(lambda: self._file(asked), name)
            case _:
                given = self._read(lambda: read_text(asked, typed[name], typed["zone"]), name)
                return self._stand_in(asked) if given is None and asked.required else given

    def _file(self, asked: FormField) -> KeptFile | None:
        sha256 = self._form.typed[f"{asked.name}{KEPT}"]
        if not sha256:
            if asked.required:
                raise InvalidInput("No file is chosen.", where=asked.name, next_step="Choose the one that is meant.")
            return None
        try:
            return KeptFile.model_validate({"sha256": sha256})
        except ValidationError:
            raise incomplete() from None

    def _approximate_time(self, name: str) -> ApproximateTime:
        def instant(part: str) -> datetime | None:
            text, zone = self._form.typed[f"{name}_{part}"], self._form.typed["zone"]
            return self._read(lambda: read_instant(text, zone, name), name)

        def day(part: str) -> date | None:
            return self._read(lambda: read_date(self._form.typed[f"{name}_{part}"], name), name)

        match self._form.typed[f"{name}_kind"]:
            case "instant":
                return ApproximateTime.model_construct(kind="instant", at=instant("at"))
            case "date":
                return ApproximateTime.model_construct(kind="date", first_day=day("on"))
            case "range":
                return ApproximateTime.model_construct(kind="range", first_day=day("first"), last_day=day("last"))
            case "unknown":
                return ApproximateTime(kind="unknown")
            case _:
                self._refuse(
                    InvalidInput(
                        "Nothing says how well this time is known.",
                        where=name,
                        next_step="Choose one of the four; unknown is an answer.",
                    ),
                    name,
                )
                return ApproximateTime(kind="unknown")

    def _lines(self, asked: FormField, offered: str) -> tuple[str, ...]:
        ticked = self._form.ticked[asked.name]
        known = [line for group in offered_lines(offered) for line in group.lines if line in ticked]
        written = [line.strip() for line in self._form.typed[f"{asked.name}_other"].splitlines() if line.strip()]
        return tuple(dict.fromkeys([*known, *written]))

    def _read(self, read: Callable[[], Value], name: str) -> Value | None:
        try:
            return read()
        except InvalidInput as problem:
            self._refuse(problem, name)
            return None

    def _refuse(self, problem: InvalidInput, name: str) -> None:
        """Keep a problem of the field ``name``, which has no value because of it, wherever it is said."""
        self.problems.append(problem)
        self.unread.add(name)

    def _stand_in(self, asked: FormField) -> object:
        match asked.shape:
            case Shape.INSTANT:
                return self._now
            case Shape.DAY:
                return self._now.date()
            case Shape.CHOICE:
                return asked.options[0]
            case _:
                return ""


def _problems_of_facts(
    kind: Kind, drafted: Intake, given: Mapping[str, object], now: datetime, unread: set[str]
) -> Iterator[InvalidInput]:
    """What is wrong with an unvalidated intake, apart from the fields in ``unread``; shape comes before sense."""
    problems = list(_problems(lambda: parse_intake(type(drafted), given)))
    misshapen = {field_of(problem) for problem in problems}
    problems += [found for found in _problems(lambda: check_intake(drafted, now)) if field_of(found) not in misshapen]
    wrong = {field_of(problem) for problem in problems} | unread
    dates = {where: anchor for where, anchor in dates_of_intake(drafted).items() if where not in wrong}
    problems += order_problems(kind, dates, {}, now)
    return (problem for problem in problems if field_of(problem) not in unread)


def _problems(check: Callable[[], object]) -> tuple[InvalidInput, ...]:
    try:
        check()
    except InvalidFields as error:
        return error.problems
    return ()


def field_of(problem: DuenoticeError) -> str:
    """The field of the form at which a problem is shown: ``reporter`` for ``reporter.email``."""
    return (problem.where or "").partition(".")[0]
