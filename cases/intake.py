"""What is asked when a case is opened, whatever its kind: who, what, which agreements, and the dated facts known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar, assert_never

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import to_jsonable_python

from cases.acts import problems_of
from cases.anchors import check_past
from cases.values import UNPRINTABLE, AnchorValue, Day, Instant
from models.enums import Party
from models.errors import InvalidFields, InvalidInput

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000),
    Field(json_schema_extra={"long": True}),
]


class Frozen(BaseModel):
    """Base of what people report: unknown fields are errors, values do not change, blanks around texts do not count."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)


class Person(Frozen):
    """Someone a case names: who reports it, or whom districts may ask."""

    name: str = Field(min_length=1, max_length=200)
    email: str = Field(min_length=3, max_length=320)
    phone: str | None = Field(default=None, max_length=60)

    def __str__(self) -> str:
        """The person in one line."""
        return ", ".join(part for part in (self.name, self.email, self.phone) if part)


class ApproximateTime(Frozen):
    """When something happened, as precisely as is known.

    ``at`` is set for an instant; ``first_day`` for a date; ``first_day`` and ``last_day`` for a range.
    """

    kind: Literal["instant", "date", "range", "unknown"]
    at: Instant | None = None
    first_day: Day | None = None
    last_day: Day | None = None

    @classmethod
    def written(cls, text: str) -> dict[str, str]:
        """The fields of what people write: ``unknown``, an instant, a day, or ``FIRST..LAST``; each is read later."""
        first, separator, last = text.partition("..")
        if separator:
            return {"kind": "range", "first_day": first, "last_day": last}
        if text == "unknown":
            return {"kind": "unknown"}
        return (
            {"kind": "date", "first_day": text} if len(text) <= len("2026-03-07") else {"kind": "instant", "at": text}
        )

    def anchor(self, name: str) -> AnchorValue:
        """The time as the dated fact ``name``."""
        return AnchorValue(name=name, instant=self.at, first_day=self.first_day, last_day=self.last_day)

    def problem(self, where: str, now: datetime) -> InvalidInput | None:
        """Say why this cannot be when something happened, as field ``where`` says at ``now``, or return None."""
        return self.missing(where) or check_past(self.anchor(where), now)

    def missing(self, where: str) -> InvalidInput | None:
        """Say that it is not given as it is said to be known, or return None."""
        match self.kind:
            case "instant":
                needed: tuple[object, ...] = (self.at,)
            case "date":
                needed = (self.first_day,)
            case "range":
                needed = (self.first_day, self.last_day)
            case "unknown":
                needed = ()
            case _:
                assert_never(self.kind)
        if any(value is None for value in needed):
            return InvalidInput(
                f"It is said to be a known {self.kind}, but that is not given.",
                where=where,
                next_step="Fill it in, or choose unknown.",
            )
        return None


class About(NamedTuple):
    """The one clause that a case is about, and which occurrence of its duty, where it recurs."""

    clause: str
    occurrence: int = 1


class OneAgreement(NamedTuple):
    """Why a case of a kind touches one agreement and never a second one, and what is done instead."""

    says: str
    next_step: str


class Intake(Frozen):
    """What opens a case. A kind's own intake adds its fields and says what they make known.

    ``agreements`` are references of the agreements that the matter touches; a kind whose ``touches`` finds them, or
    that can be opened before anybody knows them, gives the field a default.
    """

    writes_to: ClassVar[Mapping[Party, str]] = {}
    """Whom the case writes to besides the sides of its agreements, each with the field that names the person."""

    one_agreement: ClassVar[OneAgreement | None] = None
    """Given where such a case is about one agreement alone: neither its opening nor an act brings in another."""

    title: Title = Field(
        title="Title", description="A few words by which your colleagues know it. It is not sent to anybody."
    )
    agreements: tuple[str, ...] = Field(title="Affected agreements", description="Their references.")

    def event(self) -> str | None:
        """The event of the case, as the clauses name it, where the kind serves several; else None."""
        return None

    def about(self) -> About | None:
        """The one clause that the case is about, with what it brings about; None where it is about the whole event."""
        return None

    def anchors(self) -> tuple[AnchorValue, ...]:
        """The dated facts that are known from the start."""
        return ()

    def dates(self) -> Mapping[str, AnchorValue]:
        """The same by the field that gives each: of a fact's own name, or of that with ``_at``."""
        fields = type(self).model_fields
        return {fact.name if fact.name in fields else f"{fact.name}_at": fact for fact in self.anchors()}

    def facts(self) -> Mapping[str, str]:
        """What is known from the start of each content element, by its id."""
        return {}

    def documents(self) -> frozenset[str]:
        """The content elements for which it brings a document that every LEA of the case gets."""
        return frozenset()

    def identity(self) -> Any:
        """What two intakes of the same matter have in common, as JSON: in any order of agreements, in any zone."""
        return to_jsonable_python(_in_utc(self.model_dump() | {"agreements": sorted(set(self.agreements))}))

    def clashes(self, other: Intake) -> bool:
        """Whether a case about ``other``, under an agreement of both, keeps one about this from being opened."""
        return False

    def problems(self, now: datetime) -> Iterator[InvalidInput]:
        """Everything that cannot be as it is said, at ``now``; each names its field."""
        if not self.agreements and type(self).model_fields["agreements"].is_required():
            yield InvalidInput(
                "No affected agreement is chosen.",
                where="agreements",
                next_step="Choose at least one agreement, or import it first.",
            )
        if self.one_agreement and len(self.agreements) > 1:
            yield InvalidInput(self.one_agreement.says, where="agreements", next_step=self.one_agreement.next_step)
        for where, text in _texts(self.model_dump(mode="json", warnings=False)):
            if UNPRINTABLE.search(text):
                yield InvalidInput("It holds a control character.", where=where, next_step="Paste it as plain text.")


def _in_utc(value: object) -> object:
    match value:
        case datetime():
            return value.astimezone(UTC)
        case dict():
            return {name: _in_utc(member) for name, member in value.items()}
        case list() | tuple():
            return [_in_utc(member) for member in value]
        case _:
            return value


def _texts(value: object, where: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield where, value
        case dict():
            for name, member in value.items():
                yield from _texts(member, f"{where}.{name}" if where else name)
        case list() | tuple():
            for member in value:
                yield from _texts(member, where)


def person_problems(**people: Person) -> Iterator[InvalidInput]:
    """Say whose address cannot be written to, by the field that names them."""
    for where, person in people.items():
        if "@" not in person.email:
            yield InvalidInput(
                "The e-mail address has no @.", where=where, next_step="Give an address that can be written to."
            )


def check_intake(intake: Intake, now: datetime) -> None:
    """Raise ``InvalidFields`` with every reason why an intake's facts cannot all be true at ``now``."""
    if problems := tuple(intake.problems(now)):
        raise InvalidFields(problems)


AnyIntake = TypeVar("AnyIntake", bound=Intake)


def parse_intake(of: type[AnyIntake], given: object) -> AnyIntake:
    """Read an intake from plain values, as a form, a file or a request gives them.

    Raises:
        InvalidFields: a value is missing or not of its kind; each problem names its field.
    """
    try:
        return of.model_validate(given)
    except ValidationError as error:
        raise InvalidFields(problems_of(error)) from None
