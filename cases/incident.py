"""An incident as a person reports it, and what makes a report impossible to act on.

Instants carry their zone; the occurrence may be an instant, a date, a range of dates, or unknown.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from models.errors import InvalidFields, InvalidInput

CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead of ours a reporter's clock may run before a time counts as being in the future."""

REPORTER = "reporter"
"""The fact that names who reported; no clause asks for it."""

EARLIEST_OFFSET = timedelta(hours=14)
"""The zone furthest ahead of UTC: a calendar date has begun somewhere on earth this long before it begins in UTC."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Person(_Frozen):
    """Someone an incident names: the reporter, or the point of contact."""

    name: str = Field(min_length=1, max_length=200)
    email: str = Field(min_length=3, max_length=320)
    phone: str | None = Field(default=None, max_length=60)


class Occurrence(_Frozen):
    """When the breach occurred, as precisely as is known.

    ``at`` is set for an instant; ``first_day`` for a date; ``first_day`` and ``last_day`` for a range.
    """

    kind: Literal["instant", "date", "range", "unknown"]
    at: datetime | None = None
    first_day: date | None = None
    last_day: date | None = None


class IncidentReport(_Frozen):
    """The facts of a suspected breach as its reporter knows them.

    ``agreements`` are their references; ``subprocessor`` names the one at whom it happened, if it was not at the
    provider itself.
    """

    title: str = Field(min_length=1, max_length=200)
    occurred: Occurrence
    reasonably_expected_at: datetime | None = None
    discovered_at: datetime
    confirmed_at: datetime | None = None
    description: str = Field(min_length=1, max_length=20_000)
    data_types: tuple[str, ...] = Field(min_length=1)
    agreements: tuple[str, ...]
    reporter: Person
    point_of_contact: Person
    subprocessor: str | None = Field(default=None, max_length=200)


def check_report(report: IncidentReport, now: datetime) -> None:
    """Raise ``InvalidFields`` with every reason why the report's facts cannot all be true at ``now``."""
    problems = [*_occurrence_problems(report.occurred, now), *_instant_problems(report, now)]
    if not report.agreements:
        problems.append(
            InvalidInput(
                "No affected agreement is chosen.",
                where="agreements",
                next_step="Choose at least one agreement, or import it first.",
            )
        )
    for where, person in (("reporter", report.reporter), ("point_of_contact", report.point_of_contact)):
        if "@" not in person.email:
            problems.append(
                InvalidInput(
                    "The e-mail address has no @.", where=where, next_step="Give an address that can be written to."
                )
            )
    if problems:
        raise InvalidFields(tuple(problems))


def check_instant(where: str, instant: datetime, now: datetime) -> InvalidInput | None:
    """Say why ``instant`` cannot be a dated fact at ``now`` (no zone, or in the future), or return None."""
    if instant.tzinfo is None:
        return InvalidInput(
            "The time has no zone, so it names no instant.",
            where=where,
            next_step="Choose the time zone, or write the offset, as in 2026-03-07T22:15-05:00.",
        )
    if instant > now + CLOCK_SKEW:
        return InvalidInput(
            f"The time {instant.isoformat()} is in the future.",
            where=where,
            next_step="Give the time at which it happened.",
        )
    return None


def check_days(where: str, first_day: date | None, last_day: date | None, now: datetime) -> InvalidInput | None:
    """Say why a day, or a range of days, cannot be a dated fact at ``now``, or return None."""
    if first_day and last_day and last_day < first_day:
        return InvalidInput("The range ends before it begins.", where=where, next_step="Give the earlier date first.")
    last = last_day or first_day
    begins = earliest_instant(None, last)
    if begins and begins > now:
        return InvalidInput(f"The date {last} is in the future.", where=where, next_step="Give a past date.")
    return None


def earliest_instant(instant: datetime | None, first_day: date | None) -> datetime | None:
    """The earliest instant at which a dated fact can have happened, or None if nothing is known of it.

    A bare date begins first in the zone furthest ahead of UTC.
    """
    if instant is not None:
        return instant
    if first_day is not None:
        return datetime.combine(first_day, time.min, UTC) - EARLIEST_OFFSET
    return None


def _occurrence_problems(occurred: Occurrence, now: datetime) -> list[InvalidInput]:
    where = "occurred"
    needed = {
        "instant": (occurred.at,),
        "date": (occurred.first_day,),
        "range": (occurred.first_day, occurred.last_day),
        "unknown": (),
    }[occurred.kind]
    if any(value is None for value in needed):
        return [
            InvalidInput(
                f"It is said to have occurred at a known {occurred.kind}, but that is not given.",
                where=where,
                next_step="Fill it in, or choose unknown.",
            )
        ]
    if occurred.at is not None:
        problem = check_instant(where, occurred.at, now)
        return [problem] if problem else []
    problem = check_days(where, occurred.first_day, occurred.last_day, now)
    return [problem] if problem else []


def _instant_problems(report: IncidentReport, now: datetime) -> list[InvalidInput]:
    named = {
        "reasonably_expected_at": report.reasonably_expected_at,
        "discovered_at": report.discovered_at,
        "confirmed_at": report.confirmed_at,
    }
    given = {where: instant for where, instant in named.items() if instant is not None}
    found = [problem for where, instant in given.items() if (problem := check_instant(where, instant, now))]
    faulty = {problem.where for problem in found}
    earliest = earliest_instant(report.occurred.at, report.occurred.first_day)
    if earliest is None or earliest.tzinfo is None:
        return found
    for where, instant in given.items():
        if where not in faulty and instant < earliest:
            found.append(
                InvalidInput(
                    f"It is dated {instant.isoformat()}, before the breach occurred ({earliest.isoformat()}).",
                    where=where,
                    next_step="Correct this time, or when the breach occurred.",
                )
            )
    return found


def parse_report(data: object) -> IncidentReport:
    """Read a report from plain values, as a form, a file or a request gives them.

    Raises:
        InvalidFields: a value is missing or not of its kind; each problem names its field.
    """
    try:
        return IncidentReport.model_validate(data)
    except ValidationError as error:
        raise InvalidFields(tuple(_explained(problem) for problem in error.errors(include_input=False))) from None


def _explained(problem: ErrorDetails) -> InvalidInput:
    where = ".".join(str(part) for part in problem["loc"]) or "report"
    kind = problem["type"]
    if kind in {"missing", "string_too_short", "too_short"}:
        return InvalidInput("It is empty.", where=where, next_step="Fill it in.")
    if kind == "extra_forbidden":
        return InvalidInput("A report has no such field.", where=where, next_step="Leave it out.")
    message = problem["msg"].removeprefix("Value error, ")
    return InvalidInput(f"{message}.", where=where, next_step="Correct it.")
