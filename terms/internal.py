"""Internal due dates: how far ahead of a duty's due instant an installation wants it done. A setting, never law.

Nothing that the agreements set goes by them: the due instant, what is overdue, and whether a duty was performed on time
stay as the clauses give them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, cast, get_args

from pydantic import ConfigDict, RootModel, StringConstraints

from models.defaults import Defaults
from models.enums import PerformedBy
from terms.calendars import SchoolCalendar
from terms.catalogue import Catalogue
from terms.clock import due, zone_of
from terms.duties import DueDuty
from terms.effective import EffectiveClause, EffectiveTerms, effective_terms
from terms.errors import CalendarTooShort, ClauseFileError, InternalDatesError
from terms.files import read_clause_file
from terms.limits import Limit, Unit, parse_limit
from terms.trace import internal_sentence


@dataclass(frozen=True, slots=True)
class LeadTimes:
    """How far ahead of its due instant the internal date of each clause lies, by its id: limits to count back."""

    by_clause: Mapping[str, Limit] = field(default_factory=dict)


NO_LEAD_TIMES = LeadTimes()
"""No clause has an internal due date."""

UNITS: tuple[Unit, ...] = tuple(unit for unit in get_args(Unit) if unit != "years")
"""In what a lead time is given."""

_LEAD_TIME = re.compile(r"(-?)(\d{1,4})(?: +(.+))?")
_DAY = timedelta(days=1)
_LONG: Mapping[Unit, timedelta] = MappingProxyType(
    {
        "hours": timedelta(hours=1),
        "days": _DAY,
        "business days": _DAY * 7 / 5,
        "school days": _DAY * 7 / 5,
        "years": _DAY * 366,
    }
)
"""How long one of a unit is in a usual week, to compare limits whose units differ."""


@dataclass(frozen=True, slots=True)
class InternalDate:
    """When the installation wants a duty done (UTC), and why it is then."""

    due_at: datetime
    why: str


def internal_date(
    duty: DueDuty, leads: LeadTimes, terms: EffectiveTerms, *, zone: str, calendar: SchoolCalendar | None = None
) -> InternalDate | None:
    """When a duty is to be done ahead of its due instant; None where its clause has no lead time, or no clock runs.

    It is counted back from the due instant as clauses count back, over the same days. It is never after the due
    instant. Where it would be before the clock's start, or before the day from which on the duty may be performed, it
    is that. A clause that itself counts back from what lies ahead has no such start.

    Args:
        duty: as ``terms.duties.duties_for`` gives it.
        leads: the lead times of the installation.
        terms: the terms under which the duty was counted.
        zone: IANA name of the LEA's time zone.
        calendar: the LEA's school calendar; one that does not reach so far back counts as none.
    """
    lead = leads.by_clause.get(duty.clause)
    if lead is None or duty.due_at is None or duty.performed_by is PerformedBy.TIME:
        return None
    local = zone_of(zone)
    state = terms.state if terms.clauses[duty.clause].holidays == "state" else None
    starts = [start for start in (duty.starts_at, duty.earliest_at) if start and start <= duty.due_at]
    begins = max(starts, default=None)
    try:
        count = due(lead, duty.due_at, local, state=state, calendar=calendar)
    except CalendarTooShort:
        count = due(lead, duty.due_at, local, state=state)
    except OverflowError:  # before the first year that can be counted
        return None
    at_once = begins is not None and count.due_at < begins
    at = begins if begins is not None and at_once else count.due_at
    return InternalDate(at, internal_sentence(count, at, local, at_once=at_once))


def lead_words(lead: Limit) -> str:
    """A lead time as a person reads it, such as ``5 business days``."""
    return str(lead).removesuffix(" before")


class _LeadTimesFile(RootModel[dict[str, Annotated[str, StringConstraints(strip_whitespace=True)]]]):
    """The file: by clause, its lead time as a person writes it."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)


def read_lead_times(path: Path, catalogue: Catalogue, defaults: Defaults, today: date) -> LeadTimes:
    """The lead times of a YAML file: one line a clause, as ``breach.notice: 24 hours``.

    Raises:
        InternalDatesError: with a sentence for each line that cannot be used: there is no such clause, it sets no due
            date, time alone performs it, the lead time cannot be read, or it leaves nothing of the clause's own time.
    """
    try:
        file = read_clause_file(path, _LeadTimesFile)
    except ClauseFileError as error:
        raise InternalDatesError(path, error.problems) from None
    clauses = _Clauses(catalogue, defaults, today)
    leads: dict[str, Limit] = {}
    problems = []
    for clause, text in file.content.root.items():
        try:
            leads[clause] = clauses.checked(clause, _lead_time(text))
        except ValueError as error:
            problems.append(file.problem((clause,), f"{clause}: {error}"))
    if problems:
        raise InternalDatesError(path, tuple(problems))
    return LeadTimes(leads)


def _lead_time(text: str) -> Limit:
    """Read a lead time as files write it, such as ``3 business days``.

    Raises:
        ValueError: with a sentence on what is wrong.
    """
    found = _LEAD_TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"the lead time {text!r} cannot be read: write, for example, 24 hours or 5 business days.")
    sign, amount, unit = found[1], int(found[2]), found[3] or ""
    if sign or amount == 0:
        raise ValueError(f"an internal date lies ahead of the due date, so the lead time {text!r} makes no sense.")
    plural = unit.removesuffix("s") + "s"
    if plural not in UNITS:
        near = difflib.get_close_matches(unit, UNITS, n=1)
        meant = f"did you mean {near[0]}?" if near else f"the units are {', '.join(UNITS)}."
        raise ValueError(f"{unit!r} is no unit of a lead time; {meant}" if unit else f"{amount} has no unit; {meant}")
    return Limit(amount, cast(Unit, plural), before=True)


class _Clauses:
    """What all forms and states say of clauses that set a due date, to check lead times against."""

    def __init__(self, catalogue: Catalogue, defaults: Defaults, today: date) -> None:
        self._ids = sorted(frozenset[str]().union(*(form.clause_ids for form in catalogue.forms.values())))
        self._defaults = defaults
        self._found: dict[str, list[EffectiveClause]] = {}
        for form in catalogue.forms:
            for state, choices in product((None, *catalogue.states(form)), ((), tuple(catalogue.words.choices))):
                for clause in effective_terms(catalogue, form, state, choices=choices, on=today).clauses.values():
                    if clause.limit is not None:
                        self._found.setdefault(clause.id, []).append(clause)

    def checked(self, clause: str, lead: Limit) -> Limit:
        """The lead time, where it makes sense for a clause; else raise ``ValueError`` with a sentence."""
        if clause not in self._ids:
            near = difflib.get_close_matches(clause, self._ids, n=1)
            raise ValueError(f"there is no such clause{f'; did you mean {near[0]}?' if near else '.'}")
        found = self._found.get(clause, [])
        if not found:
            raise ValueError("the clause sets no due date that an internal one could lie ahead of.")
        if all(one.performed_by is PerformedBy.TIME for one in found):
            raise ValueError("the passing of time performs it, so nothing is to be done ahead.")
        limits = [parse_limit(one.limit, self._defaults) for one in found if one.limit]
        longest = max(limits, key=_length)
        if _length(lead) >= _length(longest) and not any(limit.before for limit in limits):
            raise ValueError(f"{lead_words(lead)} ahead leave nothing of the clause's own time, at most {longest}.")
        return lead


def _length(limit: Limit) -> timedelta:
    """About how long a limit is; of one that is counted back, or of days of the year, as long as it could be."""
    if limit.yearly:
        return _LONG["years"]
    return (limit.amount or 1) * _LONG[limit.unit]
