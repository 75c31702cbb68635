"""Scenarios of a rehearsal: what happened, to which districts, and who did what when, read from YAML.

A scenario is dated as it happened and is run in a future whose calendar is the same: see ``moved``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from cases.intake import Intake, parse_intake
from cases.kind import Kind
from cases.kinds import kind_named
from cases.state import NoticePolicy
from models.defaults import Defaults
from models.errors import InvalidFields, InvalidInput, NotFound
from starter.rehearsals.districts import Counts
from starter.rehearsals.timeline import (
    ANSWER,
    WAIT,
    TimelineEntry,
    WrittenEntry,
    entry_of_answers,
    entry_with_act,
    entry_without_act,
)
from terms.calendars import CSV_COLUMNS
from terms.clock import zone_of
from terms.errors import ClauseFileError, FileProblem
from terms.files import ClauseFile, Place, read_clause_file

FOLDER = Path(__file__).parents[2] / "config" / "rehearsals"
"""The scenarios that ship, each named by its file."""

CYCLE = 28
"""After how many years the Gregorian calendar repeats, weekdays included, as long as no century year lies between.

Rules such as "the second Sunday in March" then fall on the same dates too.
"""

LAST_YEAR = 2099
"""The last year before the cycle breaks: 2100 is no leap year."""

Day = TypeVar("Day", bound=date)
Model = TypeVar("Model", bound=BaseModel)
Found = TypeVar("Found")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Part):
    """A public fact that the scenario rests on, and where it is found."""

    fact: str
    found: str


class SchoolYear(_Part):
    """The days on which the districts' schools are open: all weekdays of a year but those on which they are closed."""

    first_day: date
    last_day: date
    closed: tuple[date, ...] = ()

    def as_csv(self) -> bytes:
        """The school calendar as a file of the form that is imported."""
        rows = [f"{self.first_day},{self.last_day},school year", *(f"{day},,closed" for day in self.closed)]
        return "\n".join([",".join(CSV_COLUMNS), *rows]).encode()


class Districts(_Part):
    """The fictional districts whose agreements are affected, all signed on one day, with one school year if any."""

    signed: date
    counts: Counts
    school_year: SchoolYear | None = None


class RehearsedCase(_Part):
    """Which kind of case it is, and the kind's own intake without the agreements: these are the districts'."""

    kind: str
    intake: dict[str, object]


class Policy(NoticePolicy):
    """How notices leave; what is left out is the installation's setting."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Common(_Part):
    """What a scenario says whatever its kind of case; ``zone`` is where the people of its time line are."""

    title: str
    about: str
    notes: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    zone: str
    districts: Districts
    policy: Policy = Policy()
    defaults: Defaults = Defaults()
    until: AwareDatetime

    @field_validator("zone")
    @classmethod
    def _exists(cls, zone: str) -> str:
        try:
            zone_of(zone)
        except InvalidInput as error:
            raise ValueError(str(error)) from None
        return zone


class ScenarioFile(_Common):
    """A scenario as it is written: its kind of case says what its intake and its acts hold."""

    case: RehearsedCase
    timeline: Annotated[tuple[WrittenEntry, ...], Field(min_length=1)]


class Scenario(_Common):
    """One scenario: the case is of ``kind`` and opened with ``intake`` in the first entry of its time line."""

    kind: str
    intake: Intake
    timeline: tuple[TimelineEntry, ...]

    @property
    def begins(self) -> datetime:
        """The instant at which the case is opened."""
        return self.timeline[0].at

    def settings(self) -> dict[str, object]:
        """What this scenario sets, as settings of the engine."""
        return self.policy.model_dump(exclude_unset=True) | self.model_dump(include={"defaults"}, exclude_unset=True)


def find_scenarios() -> dict[str, Path]:
    """The scenarios that ship, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def read_scenario(name: str) -> Scenario:
    """Read a scenario that ships, by its name, or one of your own, by its file.

    Raises:
        NotFound: there is no such scenario.
        InvalidInput: the file is no scenario; the sentence names the line.
    """
    path = find_scenarios().get(name, Path(name))
    if not path.is_file():
        raise NotFound(
            f"There is no scenario {name}.",
            next_step=f"There are {', '.join(find_scenarios())}; or give the path of a YAML file.",
        )
    try:
        return _Reader(read_clause_file(path, ScenarioFile)).scenario()
    except ClauseFileError as error:
        raise InvalidInput(
            error.message, where=error.where, next_step="docs/rehearsals.md says what a scenario holds."
        ) from None


class _Reader:
    """Reads the case and the time line of a scenario's file, and gathers what is wrong with them by line."""

    def __init__(self, file: ClauseFile[ScenarioFile]) -> None:
        self._file = file
        self._problems: list[FileProblem] = []

    def scenario(self) -> Scenario:
        """The scenario.

        Raises:
            ClauseFileError: with every problem and its line.
        """
        file = self._file.content
        kind = self._noted(partial(kind_named, file.case.kind), "case", "kind")
        intake = self._noted(partial(_intake, file.case.intake, kind), "case", "intake") if kind else None
        timeline = self._timeline(kind) if kind else ()
        self._check_order()
        if self._problems or kind is None or intake is None:
            raise ClauseFileError(self._file.path, tuple(self._problems))
        told = {name: getattr(file, name) for name in file.model_fields_set & _Common.model_fields.keys()}
        return Scenario(**told, kind=kind.name, intake=intake, timeline=timeline)

    def _timeline(self, kind: Kind) -> tuple[TimelineEntry, ...]:
        entries: list[TimelineEntry] = []
        for n, written in enumerate(self._file.content.timeline):
            made = {earlier.makes for earlier in entries if earlier.makes}
            entry = self._noted(partial(_entry, written, kind, made, first=n == 0), "timeline", n)
            entries += [entry] if entry else []
        return tuple(entries)

    def _check_order(self) -> None:
        file = self._file.content
        instants: list[tuple[Place, datetime]] = [
            (("timeline", n, "at"), written.at) for n, written in enumerate(file.timeline)
        ]
        for (_, before), (place, after) in pairwise([*instants, (("until",), file.until)]):
            if after < before:
                sentence = f"the time line goes back from {before.isoformat()} to {after.isoformat()}."
                self._problems.append(self._file.problem(place, sentence))

    def _noted(self, read: Callable[[], Found], *place: str | int) -> Found | None:
        """What is read, or None once it is noted what is wrong at the fields under ``place``."""
        try:
            return read()
        except (InvalidInput, NotFound) as error:
            for problem in error.problems if isinstance(error, InvalidFields) else (error,):
                field = (int(part) if part.isdigit() else part for part in (problem.where or "").split("."))
                self._problems.append(self._file.problem((*place, *field), str(problem)))
            return None


def _intake(given: dict[str, object], kind: Kind) -> Intake:
    if "agreements" in given:
        raise InvalidInput("These are the districts'.", where="agreements", next_step="Leave it out.")
    return parse_intake(kind.intake, given | {"agreements": ()})


def _entry(written: WrittenEntry, kind: Kind, made: Collection[str], *, first: bool) -> TimelineEntry:
    if first != (written.act == kind.opening):
        raise InvalidInput(
            f"The time line begins with its one {kind.opening}, which opens the case.",
            where="act",
            next_step="Open the case first, and once.",
        )
    if first or written.act == WAIT:
        return entry_without_act(written)
    if written.act == ANSWER:
        return entry_of_answers(written)
    return entry_with_act(written, kind, made)


def moved(scenario: Scenario, zones: Iterable[str], now: datetime) -> tuple[Scenario, int]:
    """The scenario at the first later time whose calendar is the same, and by how many years that is later.

    A case's clock starts at the present and only goes forward. So every date is moved by a multiple of ``CYCLE``
    years, after which each date has the same weekday and, by the rules now in force, the same offset from UTC.

    Raises:
        InvalidInput: there is no such time, or one of the zones counts time differently then.
    """
    years = 0
    while later(scenario.begins, years) <= now:
        years += CYCLE
        if scenario.until.year + years > LAST_YEAR:
            raise InvalidInput(
                f"No year up to {LAST_YEAR} that is still to come has the calendar of {scenario.begins.year}.",
                where="timeline",
                next_step="Date the scenario later.",
            )
    for zone in {scenario.zone, *zones}:
        _check_offsets(scenario, zone, years)
    return all_later(scenario, years), years


def later(day: Day, years: int) -> Day:
    """The same date or instant that many years later; a negative number is earlier."""
    return day.replace(year=day.year + years)


def all_later(model: Model, years: int) -> Model:
    """The same model, with every date and instant in it that many years later."""
    given = {name: getattr(model, name) for name in model.model_fields_set}
    return model.model_copy(update={name: _all_later(value, years) for name, value in given.items()})


def _all_later(value: object, years: int) -> object:
    match value:
        case date():
            return later(value, years)
        case BaseModel():
            return all_later(value, years)
        case dict():
            return {key: _all_later(item, years) for key, item in value.items()}
        case list() | tuple():
            return type(value)(_all_later(item, years) for item in value)
        case _:
            return value


def _check_offsets(scenario: Scenario, zone: str, years: int) -> None:
    instant = scenario.begins
    while instant < scenario.until + timedelta(days=1):
        if _offset(instant, zone) != _offset(later(instant, years), zone):
            raise InvalidInput(
                f"In {zone}, clocks went differently in {instant.year} than they will in {instant.year + years}.",
                where="timeline",
                next_step="Date the scenario within the years of the present rules (2007 and later in the US).",
            )
        instant += timedelta(hours=1)


def _offset(instant: datetime, zone: str) -> timedelta | None:
    return instant.astimezone(ZoneInfo(zone)).utcoffset()
