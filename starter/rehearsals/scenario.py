"""Scenarios of a rehearsal: what happened, to which districts, and who did what when, read from YAML.

A scenario is dated as it happened and is played in a future whose calendar is the same: see ``moved``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from cases.breach import IncidentReport
from cases.state import NoticePolicy
from cases.values import AnchorValue
from models.defaults import Defaults
from models.errors import InvalidInput, NotFound
from starter.rehearsals.districts import Counts
from terms.clock import zone_of
from terms.errors import ClauseFileError
from terms.files import read_clause_file

FOLDER = Path(__file__).parents[2] / "config" / "rehearsals"
"""The scenarios that ship, each named by its file."""

CYCLE = 28
"""After how many years the Gregorian calendar repeats, weekdays included, as long as no century year lies between.

Rules such as "the second Sunday in March" then fall on the same dates too.
"""

LAST_YEAR = 2099
"""The last year before the cycle breaks: 2100 is no leap year."""

Day = TypeVar("Day", bound=date)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Part):
    """A public fact that the scenario rests on, and where it is found."""

    fact: str
    found: str


class Districts(_Part):
    """The fictional districts whose agreements are affected, all signed on one day."""

    signed: date
    counts: Counts


class Incident(IncidentReport):
    """The report that opens the case; its agreements are those of the districts made for it."""

    agreements: tuple[str, ...] = ()


class Policy(NoticePolicy):
    """How notices leave; what is left out is the installation's setting."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Act(_Part):
    """Something that a person does at an instant.

    ``says`` tells it in a sentence; where the engine wants a reason or particulars from that person, these are they.
    """

    at: AwareDatetime
    by: str = "officer"
    says: Annotated[str, Field(min_length=1)]


class Report(_Act):
    """The incident is reported, which opens the case."""

    act: Literal["report"]


class Confirm(_Act):
    """The breach is confirmed, as of then or of ``as_of``."""

    act: Literal["confirm"]
    as_of: AwareDatetime | None = None


class Dismiss(_Act):
    """The suspicion is dismissed; ``says`` is the reason that LEAs already told will read."""

    act: Literal["dismiss"]


class Fact(AnchorValue):
    """A dated fact."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Date(_Act):
    """A dated fact is given or corrected, for the case or for one district."""

    act: Literal["date"]
    fact: Fact
    district: str | None = None


class Learn(_Act):
    """A content element becomes known, or without ``value`` is declared impossible to determine."""

    act: Literal["learn"]
    element: str
    value: str | None = None


class Release(_Act):
    """Waiting notices are released: of one clause, or all."""

    act: Literal["release"]
    clause: str | None = None


class Withhold(_Act):
    """Waiting notices are withheld: of one clause, or all."""

    act: Literal["withhold"]
    clause: str | None = None


class Propose(_Act):
    """It is proposed, under ``name``, that a clause asks for no notice to some districts, or to all."""

    act: Literal["propose"]
    name: str
    clause: str
    ground: str
    districts: tuple[str, ...] = ()


class Decide(_Act):
    """A second person decides a proposal."""

    act: Literal["decide"]
    proposal: str
    approve: bool


class Hold(_Act):
    """Law enforcement asks, under ``name``, that notices be held back: all, or those to one district."""

    act: Literal["hold"]
    name: str
    until: AwareDatetime | None = None
    district: str | None = None
    shareable: bool = True


class Lift(_Act):
    """A hold ends."""

    act: Literal["lift"]
    hold: str


class Add(_Act):
    """Further districts turn out to be affected."""

    act: Literal["add"]
    counts: Counts


class Done(_Act):
    """The duties under a clause that no notice performs were done; ``says`` is the proof."""

    act: Literal["done"]
    clause: str


class Wait(_Act):
    """Nobody does anything; the time line only tells what the moment was."""

    act: Literal["wait"]


Act: TypeAlias = Annotated[
    Report | Confirm | Dismiss | Date | Learn | Release | Withhold | Propose | Decide | Hold | Lift | Add | Done | Wait,
    Field(discriminator="act"),
]


class Scenario(_Part):
    """One scenario; ``zone`` is where the people of its time line keep their clocks."""

    title: str
    about: str
    notes: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    zone: str
    districts: Districts
    incident: Incident
    policy: Policy = Policy()
    defaults: Defaults = Defaults()
    timeline: Annotated[tuple[Act, ...], Field(min_length=1)]
    until: AwareDatetime

    @field_validator("zone")
    @classmethod
    def _exists(cls, zone: str) -> str:
        try:
            zone_of(zone)
        except InvalidInput as error:
            raise ValueError(str(error)) from None
        return zone

    @model_validator(mode="after")
    def _can_be_played(self) -> Scenario:
        kinds = [act.act for act in self.timeline]
        if kinds[0] != "report" or kinds.count("report") > 1:
            raise ValueError("the time line begins with its one report.")
        instants = [*(act.at for act in self.timeline), self.until]
        for before, after in pairwise(instants):
            if after < before:
                raise ValueError(f"the time line goes back from {before.isoformat()} to {after.isoformat()}.")
        known: set[str] = set()
        for act in self.timeline:
            named = act.hold if isinstance(act, Lift) else act.proposal if isinstance(act, Decide) else None
            if named is not None and named not in known:
                raise ValueError(f"no act before {act.at.isoformat()} is named {named!r}.")
            if isinstance(act, Hold | Propose):
                known.add(act.name)
        return self

    @property
    def begins(self) -> datetime:
        """The instant of the report."""
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
        return read_clause_file(path, Scenario).content
    except ClauseFileError as error:
        raise InvalidInput(
            error.message, where=error.where, next_step="docs/rehearsals.md says what a scenario holds."
        ) from None


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
    return Scenario.model_validate(all_later(scenario.model_dump(exclude_unset=True), years)), years


def later(day: Day, years: int) -> Day:
    """The same date or instant that many years later; a negative number is earlier."""
    return day.replace(year=day.year + years)


def all_later(value: object, years: int) -> object:
    """The same values, with every date and instant in them that many years later."""
    match value:
        case date():
            return later(value, years)
        case dict():
            return {key: all_later(item, years) for key, item in value.items()}
        case list() | tuple():
            return [all_later(item, years) for item in value]
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
