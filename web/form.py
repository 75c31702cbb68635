"""The incident form: every value as it was typed, and the report that the values make."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter
from starlette.datastructures import FormData

from cases.breach import IncidentReport, Occurrence
from cases.intake import Person, check_intake, parse_intake
from models.errors import DuenoticeError, InvalidFields, InvalidInput
from web.choice import Choice
from web.site import text_of, texts_of
from web.times import read_date, read_instant

Problem = TypeVar("Problem", bound=DuenoticeError)

LABELS = {
    "title": "Title",
    "zone": "Time zone of the times below",
    "occurred": "When did it occur?",
    "reasonably_expected_at": "When was a breach reasonably expected?",
    "discovered_at": "When was it discovered?",
    "confirmed_at": "When was it confirmed?",
    "description": "What happened?",
    "subprocessor": "At which subprocessor?",
    "data_types": "Types of data",
    "agreements": "Affected agreements",
    "reporter": "Who reports this?",
    "point_of_contact": "Whom may districts ask?",
}
"""What the form calls each field; problems at a part of a field are shown at the field."""


class DataTypes(BaseModel):
    """One group of the types of data that the form offers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str
    types: tuple[str, ...]


@lru_cache
def offered_data_types() -> tuple[DataTypes, ...]:
    """The types of data that the form offers, from ``config/data_types.yaml``."""
    stored = yaml.safe_load(files("config").joinpath("data_types.yaml").read_text(encoding="utf-8"))
    return TypeAdapter(tuple[DataTypes, ...]).validate_python(stored)


@dataclass(frozen=True)
class IncidentForm:
    """What the incident form holds, field by field as text; ``choice`` is its list of agreements."""

    title: str = ""
    zone: str = ""
    occurred_kind: str = ""
    occurred_at: str = ""
    occurred_on: str = ""
    occurred_first: str = ""
    occurred_last: str = ""
    reasonably_expected_at: str = ""
    discovered_at: str = ""
    confirmed_at: str = ""
    description: str = ""
    subprocessor: str = ""
    other_data_types: str = ""
    reporter_name: str = ""
    reporter_email: str = ""
    reporter_phone: str = ""
    point_of_contact_name: str = ""
    point_of_contact_email: str = ""
    point_of_contact_phone: str = ""
    data_types: frozenset[str] = frozenset()
    choice: Choice = field(default_factory=Choice)

    @classmethod
    def read(cls, form: FormData) -> IncidentForm:
        """What was posted; a field that is absent is blank."""
        typed = {entry.name: text_of(form, entry.name) for entry in fields(cls) if entry.default == ""}
        return cls(**typed, data_types=frozenset(texts_of(form, "data_types")), choice=Choice.read(form))

    def choosing(self, choice: Choice) -> IncidentForm:
        """The same form with another choice of agreements."""
        return replace(self, choice=choice)

    def report(self, now: datetime) -> IncidentReport:
        """The report that the values make; raise ``InvalidFields`` with everything that is wrong at once."""
        times = _Times(self.zone)
        if not self.discovered_at:
            times.refuse(InvalidInput("It is empty.", where="discovered_at", next_step="Fill it in."))
        # Drafted without validation, so that what can be checked is checked even while another field is blank.
        drafted = IncidentReport.model_construct(
            title=self.title,
            occurred=self._occurrence(times),
            reasonably_expected_at=times.instant(self.reasonably_expected_at, "reasonably_expected_at"),
            discovered_at=times.instant(self.discovered_at, "discovered_at") or now,
            confirmed_at=times.instant(self.confirmed_at, "confirmed_at"),
            description=self.description,
            subprocessor=self.subprocessor or None,
            data_types=self._all_data_types(),
            agreements=tuple(sorted(self.choice.chosen)),
            reporter=_person(self.reporter_name, self.reporter_email, self.reporter_phone),
            point_of_contact=_person(
                self.point_of_contact_name, self.point_of_contact_email, self.point_of_contact_phone
            ),
        )
        problems = [*times.problems, *_problems_of_facts(drafted, now, times.unread)]
        if problems:
            raise InvalidFields(in_form_order(problems))
        return parse_intake(IncidentReport, drafted.model_dump(exclude_none=True))

    def _occurrence(self, times: _Times) -> Occurrence:
        where = "occurred"
        match self.occurred_kind:
            case "instant":
                return Occurrence(kind="instant", at=times.instant(self.occurred_at, where))
            case "date":
                return Occurrence(kind="date", first_day=times.date(self.occurred_on, where))
            case "range":
                first, last = (times.date(text, where) for text in (self.occurred_first, self.occurred_last))
                return Occurrence(kind="range", first_day=first, last_day=last)
            case "unknown":
                return Occurrence(kind="unknown")
            case _:
                times.refuse(
                    InvalidInput(
                        "Nothing says how well the time of the breach is known.",
                        where=where,
                        next_step="Choose one of the four; unknown is an answer.",
                    )
                )
                return Occurrence(kind="unknown")

    def _all_data_types(self) -> tuple[str, ...]:
        offered = [label for group in offered_data_types() for label in group.types if label in self.data_types]
        written = [line.strip() for line in self.other_data_types.splitlines() if line.strip()]
        return tuple(dict.fromkeys([*offered, *written]))


class _Times:
    """Reads the form's times in its zone, and keeps what is wrong with them and which fields could not be read."""

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self.problems: list[InvalidInput] = []
        self.unread: set[str] = set()

    def instant(self, text: str, where: str) -> datetime | None:
        try:
            return read_instant(text, self._zone, where)
        except InvalidInput as problem:
            self.refuse(problem, where)
            return None

    def date(self, text: str, where: str) -> date | None:
        try:
            return read_date(text, where)
        except InvalidInput as problem:
            self.refuse(problem, where)
            return None

    def refuse(self, problem: InvalidInput, unread: str | None = None) -> None:
        """Keep a problem; ``unread`` is the field that has no value because of it, if it is said at another."""
        self.problems.append(problem)
        self.unread.add(unread or field_of(problem))


def _person(name: str, email: str, phone: str) -> Person:
    return Person.model_construct(name=name, email=email, phone=phone or None)


def _problems_of_facts(drafted: IncidentReport, now: datetime, unread: set[str]) -> list[InvalidInput]:
    """What is wrong with an unvalidated report, apart from the fields in ``unread``; shape comes before sense."""
    problems: list[InvalidInput] = []
    try:
        parse_intake(IncidentReport, drafted.model_dump(exclude_none=True, warnings=False))
    except InvalidFields as error:
        problems += error.problems
    misshapen = {field_of(problem) for problem in problems}
    try:
        check_intake(drafted, now)
    except InvalidFields as error:
        problems += [problem for problem in error.problems if field_of(problem) not in misshapen]
    return [problem for problem in problems if field_of(problem) not in unread]


def in_form_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each problem once, in the order in which the form asks."""
    order = {name: place for place, name in enumerate(LABELS)}
    once = {(problem.where, problem.message): problem for problem in problems}
    return tuple(sorted(once.values(), key=lambda problem: order.get(field_of(problem), -1)))


def field_of(problem: DuenoticeError) -> str:
    """The field of the form at which a problem is shown: ``reporter`` for ``reporter.email``."""
    return (problem.where or "").partition(".")[0]


def label_of(problem: DuenoticeError) -> str:
    """What the form calls the place of a problem, such as ``Who reports this? (email)``."""
    part = (problem.where or "").partition(".")[2]
    label = LABELS.get(field_of(problem), problem.where or "")
    return f"{label} ({part})" if part else label
