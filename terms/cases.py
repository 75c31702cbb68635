"""Boundary cases beside the clauses: what happened, and what must be due; readable and writable by counsel."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

from pydantic import Field

from models.errors import InvalidInput
from terms.calendars import SchoolCalendar
from terms.catalogue import Catalogue
from terms.clauses import ClauseId, Frozen, Name
from terms.duties import OVERDUE, DueDuty, duties_for
from terms.effective import Amendment, effective_terms
from terms.errors import UnknownZone
from terms.files import ClauseFile, read_clause_file

ONE_SECOND = timedelta(seconds=1)


class CaseCalendar(Frozen):
    """The LEA's school calendar in a case."""

    first_day: date
    last_day: date
    closed: tuple[date, ...] = ()

    def as_calendar(self) -> SchoolCalendar:
        """The calendar as the clock takes it."""
        return SchoolCalendar(self.first_day, self.last_day, frozenset(self.closed), source_sha256="")


class Case(Frozen):
    """One case.

    Attributes:
        case: what it shows, in words.
        event, state, zone, at, amendments, choices, calendar: the question, as ``duenotice due`` takes it.
        on: the day for which texts are chosen, by default the day on which the form was last checked.
        due: the last good second of every duty that has one; one second later it is overdue.
        earliest: the first instant of the day before which a duty may not be performed, of every duty that has one.
        suspended: duties whose clocks stand still, where the case is about that.
        cancelled: duties that the given facts leave without a date of their own, where the case is about that.
        limits: the limit that won, where the case is about that.
        later: when the later occurrences of a duty that recurs are due, in order, where the case is about that.
        contents: the elements a notice must give, where the case is about that.
        flags: every flag that the running duties carry.
        why: words that the reasons of a duty hold, where the case is about that.
    """

    case: str
    event: str
    state: str | None = None
    zone: str | None = None
    on: date | None = None
    at: dict[Name, datetime | date]
    amendments: tuple[Amendment, ...] = ()
    choices: tuple[Name, ...] = ()
    calendar: CaseCalendar | None = None
    due: dict[ClauseId, datetime]
    earliest: dict[ClauseId, datetime] = Field(default_factory=dict)
    suspended: tuple[ClauseId, ...] = ()
    cancelled: tuple[ClauseId, ...] = ()
    later: dict[ClauseId, tuple[datetime, ...]] = Field(default_factory=dict)
    limits: dict[ClauseId, str] = Field(default_factory=dict)
    contents: dict[ClauseId, tuple[str, ...]] = Field(default_factory=dict)
    flags: tuple[str, ...] = ()
    why: dict[ClauseId, str] = Field(default_factory=dict)


class CaseContext(Frozen):
    """``<form>/cases/<topic>.yaml``."""

    cases: tuple[Case, ...]


def case_files(catalogue: Catalogue) -> Iterator[tuple[str, ClauseFile[CaseContext]]]:
    """Every file of cases, with the form it is about.

    Raises:
        ClauseFileError: a file does not have the shape.
    """
    for form in catalogue.forms:
        for path in sorted((catalogue.folder / form / "cases").glob("*.yaml")):
            yield form, read_clause_file(path, CaseContext)


def disagreements(catalogue: Catalogue, form: str, case: Case) -> tuple[str, ...]:
    """Sentences on where the clauses give something else than the case says; none where they agree."""
    every = _duties(catalogue, form, case)
    running = {duty.clause: duty for duty in every if duty.due_at and duty.occurrence == 1}
    found = [
        f"{clause} is due {running[clause].due_local if clause in running else 'not yet'}, not {due.isoformat()}."
        for clause, due in case.due.items()
        if clause not in running or running[clause].due_local != due.isoformat()
    ]
    found += [f"{clause} is due too, {duty.due_local}." for clause, duty in running.items() if clause not in case.due]
    for clause, duty in running.items():
        if (limit := case.limits.get(clause, duty.limit)) != duty.limit:
            found.append(f"the limit of {clause} is {duty.limit}, not {limit}.")
        if case.contents.get(clause, duty.contents) != duty.contents:
            found.append(f"{clause} must give {', '.join(duty.contents)}.")
    found += _later_disagreements(case, every)
    found += _other_disagreements(case, every)
    for due in (*case.due.values(), *(due for dues in case.later.values() for due in dues)):
        found += _boundary(catalogue, form, case, due)
    return tuple(found)


def _other_disagreements(case: Case, duties: tuple[DueDuty, ...]) -> Iterator[str]:
    """Where earliest days, suspended and cancelled duties, flags or reasons are others than the case says."""
    earliest = {duty.clause: duty.earliest_local for duty in duties if duty.earliest_local}
    if earliest != {clause: day.isoformat() for clause, day in case.earliest.items()}:
        told = (f"{clause} not before {day}" for clause, day in earliest.items())
        yield f"the earliest days are: {', '.join(told) or 'none'}."
    status = {duty.clause: duty.status for duty in duties}
    for clause in case.suspended:
        if status.get(clause) != "suspended":
            yield f"the clock of {clause} does not stand still: it is {status.get(clause, 'not dated')}."
    for clause in case.cancelled:
        if status.get(clause) != "cancelled":
            yield f"{clause} is {status.get(clause, 'not dated')}, not left without a date of its own."
    flags = {flag for duty in duties if duty.status == "running" for flag in duty.flags}
    if flags != set(case.flags):
        yield f"the flags are {', '.join(sorted(flags)) or 'none'}."
    reasons = {duty.clause: " ".join(duty.why) for duty in duties if duty.occurrence == 1}
    for clause, words in case.why.items():
        if words not in reasons.get(clause, ""):
            yield f"the reasons of {clause} do not say {words!r}: {reasons.get(clause, 'there are none')}"


def _later_disagreements(case: Case, duties: tuple[DueDuty, ...]) -> Iterator[str]:
    for clause, dues in case.later.items():
        counted = [duty.due_local for duty in duties if duty.clause == clause and duty.occurrence > 1]
        if counted != [due.isoformat() for due in dues]:
            yield f"{clause} is due again {', '.join(filter(None, counted)) or 'never'}."


def _boundary(catalogue: Catalogue, form: str, case: Case, due: datetime) -> list[str]:
    """Check that the last good second is still on time, and that the next one is not."""
    found = []
    for now, late in ((due, False), (due + ONE_SECOND, True)):
        for duty in _duties(catalogue, form, case, now):
            if duty.due_at == due and (OVERDUE in duty.flags) != late:
                found.append(f"{duty.clause} is {'not ' if late else ''}overdue at {now.isoformat()}.")
    return found


def _duties(catalogue: Catalogue, form: str, case: Case, now: datetime | None = None) -> tuple[DueDuty, ...]:
    on = case.on or catalogue.form(form).standard.document.checked
    terms = effective_terms(catalogue, form, case.state, amendments=case.amendments, choices=case.choices, on=on)
    zone = case.zone or (catalogue.state(form, case.state).zone if case.state else None)
    if zone is None:
        raise UnknownZone("The case has neither a zone nor a state.", where=case.case, next_step="Give it one of them.")
    calendar = case.calendar.as_calendar() if case.calendar else None
    wanted = {clause: 1 + len(dues) for clause, dues in case.later.items()}
    return duties_for(terms, case.event, case.at, zone=zone, calendar=calendar, now=now, occurrences=wanted)


def case_problems(catalogue: Catalogue) -> Iterator[tuple[Path, int, str]]:
    """Every disagreement between the clauses and their cases: file, line, and a sentence.

    Raises:
        ClauseFileError: a file of cases does not have the shape.
    """
    for form, file in case_files(catalogue):
        for n, case in enumerate(file.content.cases):
            line = file.problem(("cases", n), "").line
            try:
                sentences = disagreements(catalogue, form, case)
            except InvalidInput as error:
                sentences = (str(error),)
            for sentence in sentences:
                yield file.path, line, f"{case.case}: {sentence}"
