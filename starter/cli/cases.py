"""One group of commands for each kind of case: opening one, showing it, and its acts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from email.utils import parseaddr
from pathlib import Path
from time import sleep
from typing import Annotated, Any, assert_never
from uuid import UUID

import typer
import yaml
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cases.fields import FormField, Shape
from cases.intake import parse_intake
from cases.kind import Kind
from config.database import Database
from ledger.entries import FurtherDutyPerformed, NoticeGiven
from mail.provision import Place, operative_steps
from models import identifiers
from models.enums import Authentication, CaseStatus, DeliveryStatus, DutyStatus, ProposalKind
from models.errors import InvalidInput
from models.phrases import counted, day_words
from queries.case_lists import NOBODY, CaseFilter, CasePlace, list_cases
from queries.cases import read_case, read_case_head
from queries.duties import read_cohorts
from queries.views import CaseHead, CaseRow, CaseView, CohortView, DutyView, ProposalView
from records.choices import intake_fields
from records.holders import holder_key
from starter.cli import acts, checking, many
from starter.cli.acts import LOOK_AGAIN_SECONDS
from starter.cli.console import (
    console,
    due_text,
    find_case,
    instant_text,
    local_text,
    open_installation,
    parse_date,
    parse_instant,
    parse_when,
    with_case_service,
)
from starter.cli.terms import read_bytes
from starter.command_line import actor
from starter.resources import utc_now
from terms.catalogue import load_catalogue

CASES_SHOWN = 50
"""How many cases a page of their list has."""

MOST_DUTIES = 60
"""How many duties a case may have for each to be shown without being asked for."""


def register(app: typer.Typer, kind: Kind) -> None:
    """Add the group of commands for a kind of case; those of all kinds would take a tenth of a second."""
    group = typer.Typer(no_args_is_help=True, help=f"Open and show each {kind.label} case, and act on it.")
    says = f"Open a {kind.label} case; the same given twice is one case. {kind.opening_says}".strip()
    group.command(kind.opening, help=says)(_opening(kind))
    many.register(group, kind)
    group.command()(show)
    acts.register(group, kind)
    app.add_typer(group, name=kind.name)


def _opening(kind: Kind) -> Callable[..., None]:
    """The command that opens a case: an option for each field of its intake, or one file with all of them."""
    fields = intake_fields(kind)

    def open_(file: Path | None = None, yes: bool = False, dates_confirmed: bool = False, **given: Any) -> None:
        values = (
            _read_report(file)
            if file
            else {field.name: value for field in fields if (value := _value(field, given[field.name])) is not None}
        )
        intake = parse_intake(kind.intake, values)
        checked = with_case_service(lambda service: service.check_opening(kind, intake, actor=actor()))
        checking.ask(checked, yes=yes, dates_confirmed=dates_confirmed)
        case = with_case_service(
            lambda service: service.open_case(
                kind,
                intake,
                actor=actor(),
                authenticated=Authentication.COMMAND_LINE,
                dates_confirmed=dates_confirmed,
            )
        )
        state = "was reported before; this is its case" if case.existed else "is reported"
        console.print(f"Case {identifiers.case_reference(case.case_id)} {state}: {case.case_id}")
        if not case.clocks_run:
            console.print("Temporal does not answer: the report is kept, and its clocks start when it does.")

    whole = typer.Option(help="A YAML or JSON file with the whole report; the other options are then left out.")
    parameters = [
        _parameter("file", Path | None, whole, None),
        _parameter("yes", bool, checking.YES, False),
        _parameter("dates_confirmed", bool, checking.DATES_CONFIRMED, False),
    ]
    for field in fields:
        parameters.append(_option(field))
    open_.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return open_


def _option(field: FormField) -> inspect.Parameter:
    option = f"--{field.name.replace('_', '-')}"
    match field.shape:
        case Shape.LINES:
            return _parameter(
                field.name, list[str] | None, typer.Option(option.removesuffix("s"), help=field.help), None
            )
        case Shape.TICK:
            return _parameter(field.name, bool, typer.Option(option, help=field.help), bool(field.default))
        case Shape.FILE:
            return _parameter(field.name, Path | None, typer.Option(option, help=field.help), None)
        case Shape.CHOICE:
            says = field.help_with_options
            return _parameter(field.name, str, typer.Option(option, help=says), str(field.default or ""))
        case _:
            return _parameter(field.name, str, typer.Option(option, help=field.help), "")


def _parameter(name: str, kind: Any, info: Any, default: Any) -> inspect.Parameter:
    annotated = Annotated[kind, info]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotated)


def _value(field: FormField, text: Any) -> object:
    """What the command line gave for a field of an intake; None for nothing, which the intake then says."""
    where = f"--{field.name.replace('_', '-')}"
    match field.shape:
        case Shape.LINES:
            return text or ()
        case Shape.INSTANT:
            return parse_instant(text, where) if text else None
        case Shape.DAY:
            return parse_date(text, where) if text else None
        case Shape.PERSON:
            return _person(text, where) if text else None
        case Shape.APPROXIMATE_TIME:
            return _approximate_time(text or "unknown", where)
        case Shape.TICK:
            return text
        case Shape.LINE | Shape.TEXT | Shape.CHOICE:
            return text or ("" if field.required else None)
        case Shape.FILE:
            return read_bytes(text) if text else None
        case Shape.AGREEMENT | Shape.AGREEMENTS | Shape.REFERENCES | Shape.MADE:
            raise TypeError(f"An intake asks for no {field.shape}: {field.name}.")
        case _:
            assert_never(field.shape)


def show(
    case: Annotated[str | None, typer.Argument(help="The case: its id or its short reference; else all.")] = None,
    why: Annotated[bool, typer.Option("--why", help="Say for each duty why it is due then.")] = False,
    whole: Annotated[bool, typer.Option("--whole", help="Show each duty, however many there are.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Keep looking, until the case is over or Ctrl-C.")] = False,
    after: Annotated[str | None, typer.Option(help="Begin the list of cases where the part before it ended.")] = None,
    status: Annotated[CaseStatus | None, typer.Option(help="Only the cases in this status.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only the cases of this kind.")] = None,
    state: Annotated[str | None, typer.Option(help="Only the cases that touch an agreement of this state.")] = None,
    district: Annotated[str | None, typer.Option(help="Only the cases of this district, by its name.")] = None,
    vendor: Annotated[
        str | None, typer.Option(help="Only the cases that await this holder of data, by its name, or “provider”.")
    ] = None,
    assignee: Annotated[str | None, typer.Option(help=f"Only the cases of this account, or {NOBODY}.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only the cases in which something is overdue.")] = False,
) -> None:
    """Show the cases, what is due soonest first, or one with its duties, notices and what was decided."""
    _, database = open_installation()
    if case is None:
        key = holder_key(vendor) if vendor else None
        which = CaseFilter(status, kind, state.upper() if state else None, district, key, assignee, overdue)
        _show_cases(database, which, CasePlace.read(after) if after else None)
        return
    case_id = find_case(database, case)
    if watch:
        _watch(database, case_id)
        return
    head = read_case_head(database, case_id, utc_now())
    _show_head(head)
    cohorts = read_cohorts(database, case_id, utc_now())
    if sum(cohort.total for cohort in cohorts) > MOST_DUTIES and not (whole or why):
        console.print(cohort_table(cohorts))
        console.print("--whole shows each duty.")
        return
    found = read_case(database, case_id, utc_now())
    console.print(duty_table(found))
    if why:
        for duty in found.duties:
            console.print(Text(f"\n{duty.lea_name}, {duty.clause}", style="bold"))
            for sentence in duty.why:
                console.print(f"  {sentence}", markup=False)


def _watch(database: Database, case_id: UUID) -> None:
    with Live(console=console, auto_refresh=False) as live:
        while True:
            head = read_case_head(database, case_id, utc_now())
            parts = (_title(head), *_progress_lines(head), cohort_table(read_cohorts(database, case_id, utc_now())))
            live.update(Group(*parts), refresh=True)
            if head.is_over:
                return
            sleep(LOOK_AGAIN_SECONDS)


def cohort_table(cohorts: tuple[CohortView, ...]) -> Table:
    """The duties of a case counted by clause and due instant, overdue ones first."""
    titles = ("clause", "due", "duties", "open", "overdue", "performed", "late", "waiting", "withheld", "leaves")
    table = Table(*titles, box=None, pad_edge=False)
    for cohort in cohorts:
        performed = f"{cohort.statuses.get(DutyStatus.PERFORMED, 0):,}"
        if cohort.by_other_means:
            performed += f" ({cohort.by_other_means:,} by other means)"
        before = (f"{count:,}" for count in (cohort.total, cohort.open, cohort.overdue))
        after = (f"{count:,}" for count in (cohort.late, cohort.waiting, cohort.withheld))
        style = "red" if cohort.overdue else "yellow" if cohort.past_internal else ""
        due, leaves = due_text(cohort.due_at, cohort.internal_due_at), instant_text(cohort.leaves_at)
        table.add_row(cohort.clause, due, *before, performed, *after, leaves, style=style)
    return table


def duty_table(case: CaseView, *, local: bool = True) -> Table:
    """The duties of a case with their due instants, how they were met, and the evidence of it."""
    given = (NoticeGiven.kind, FurtherDutyPerformed.kind)
    evidence = {entry.body.get("duty"): entry.number for entry in case.evidence if entry.kind in given}
    table = Table("LEA", "clause", "due", "why", "sent", "evidence", box=None, pad_edge=False)
    for duty in case.duties:
        zone = duty.time_zone if local else None
        due = due_text(duty.due_at, duty.internal_due_at, zone)
        entry = evidence.get(str(duty.id))
        table.add_row(duty.lea_name, duty.clause, due, _reason(duty), _sent(duty), f"#{entry}" if entry else "–")
    return table


def _approximate_time(text: str, where: str) -> dict[str, object]:
    """When something happened, as an intake holds it: ``unknown``, an instant, a date, or ``FIRST..LAST``."""
    given = parse_when(text, where)
    if not given:
        return {"kind": "unknown"}
    if "instant" in given:
        return {"kind": "instant", "at": given["instant"]}
    return {"kind": "range" if "last_day" in given else "date", **given}


def _person(text: str, where: str) -> dict[str, str]:
    name, email = parseaddr(text)
    if not name or "@" not in email:
        raise InvalidInput("It needs a name and an address.", where=where, next_step='Write "Name <name@example.org>".')
    return {"name": name, "email": email}


def _read_report(file: Path) -> object:
    try:
        return yaml.load(file.read_text("utf-8"), Loader=_TextLoader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise InvalidInput(f"The file cannot be read: {error.strerror}.", where=str(file)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The file is not YAML or JSON: {error}.", where=str(file)) from None


class _TextLoader(yaml.SafeLoader):
    """Takes every value as the text that was written, be it like a number or a date, save for null."""


_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _show_cases(database: Database, which: CaseFilter, after: CasePlace | None) -> None:
    part = list_cases(database, utc_now(), which, after=after, limit=CASES_SHOWN)
    if part.total == 0:
        none = "No case. `duenotice --help` lists the kinds of case that can be opened."
        console.print("No case is such a one." if which else none)
        return
    console.print(case_table(part.items))
    if after or part.next:
        more = f"; --after {part.next} shows the next" if part.next else ""
        console.print(f"{len(part.items):,} of {part.counted}{more}.", soft_wrap=True)


def case_table(cases: tuple[CaseRow, ...]) -> Table:
    """A page of cases; an exclamation mark stands by one that does not go on."""
    table = Table("case", "status", "title", "agreements", "open", "overdue", "next due", box=None, pad_edge=False)
    for case in cases:
        counts = (str(case.agreements), str(case.open_duties), str(case.overdue_duties))
        reference = identifiers.case_reference(case.id)
        status = f"{case.status} !" if case.troubled else f"{case.status}"
        if case.by_other_means:
            status += f", {case.by_other_means} by other means"
        table.add_row(reference, status, Text(case.title), *counts, due_text(case.next_due_at, case.next_internal_at))
    return table


def _title(case: CaseHead) -> Text:
    return Text(f"{case.title} ({identifiers.case_reference(case.id)}, {case.status})", style="bold")


def _progress_lines(case: CaseHead) -> tuple[RenderableType, ...]:
    bars = []
    for sending in case.progress:
        line = Table.grid(padding=(0, 1))
        said = f"{sending.given:,} of {sending.total:,} {sending.kind}s under {sending.clause} given"
        line.add_row(ProgressBar(total=sending.total, completed=sending.given, width=40), said)
        bars.append(line)
    return (*bars, *(Text(f"! {trouble.sentence}", style="red") for trouble in case.troubles))


def _show_head(case: CaseHead) -> None:
    console.print(_title(case))
    for anchor in case.anchors:
        days = " to ".join(day_words(day) for day in (anchor.first_day, anchor.last_day) if day)
        when = instant_text(anchor.instant) if anchor.instant else days or "unknown"
        console.print(f"  {anchor.name.replace('_', ' ')}: {when}")
    for line in (*_decisions(case), *_lacking(case)):
        console.print(line, markup=False)
    for bar in _progress_lines(case):
        console.print(bar)
    if case.waiting_notices:
        console.print(
            f"{counted(case.waiting_notices, 'notice waits', 'notices wait')} for release, to be read and released on "
            f"the case's page; `duenotice {case.kind} release --unread` releases without reading."
        )
    if case.withheld_notices:
        withheld = counted(case.withheld_notices, "notice is", "notices are")
        console.print(f"{withheld} withheld; `duenotice {case.kind} release --withheld` ends that.")


def _decisions(case: CaseHead) -> Iterator[str]:
    """What officers decided that keeps a notice from going, with who, why and when."""
    for hold in case.holds:
        lifted = f" by {hold.lifted_by}" if hold.lifted_by else ""
        until = f"until {instant_text(hold.until)}" if hold.until else "until it is lifted"
        ends = f"ended {instant_text(hold.ended_at)}{lifted}" if hold.ended_at else until
        placed = f"{hold.placed_by}, {instant_text(hold.placed_at)}"
        yield f"Hold {hold.id} for {hold.reference or 'the whole case'}, {ends}: {hold.particulars} ({placed})"
    for row in case.proposals:
        yield _proposal(row)
    for kept in case.withholdings:
        whose = kept.clause or "all notices"
        ends = "".join(
            f"; released by {end.by}, {instant_text(end.at)}" if end.by else f"; lapsed {instant_text(end.at)}"
            for end in kept.ended
        )
        by = f"{kept.decided_by} and {kept.approved_by}" if kept.approved_by else kept.decided_by
        until = f", by one person until {instant_text(kept.lapses_at)}" if kept.lapses_at else ""
        state = "Withheld" if kept.lasts else "Withheld before, ended"
        yield f"{state}, {whose}{until}: {kept.reason} ({by}, {instant_text(kept.decided_at)}{ends})"


def _proposal(row: ProposalView) -> str:
    """What is proposed, on whose word, and what became of it."""
    whom = ", ".join(row.references) or "every agreement"
    match row.kind:
        case ProposalKind.NOT_REQUIRED:
            says = f"no notice under {row.clause} for {whom}, {row.ground}: {row.reason}"
        case ProposalKind.DONE:
            to = f", to {row.to_whom}" if row.to_whom else ""
            proof = f"proof sha256:{(row.proof_sha256 or '')[:12]}"
            says = f"{row.clause} done by other means for {whom}, {instant_text(row.done_at)}{to}: {row.how} ({proof})"
        case ProposalKind.WITHHOLD:
            says = f"withhold {row.clause or 'all notices'} past the due instant: {row.reason}"
        case ProposalKind.WAIVER:
            says = f"nobody waits for {row.holder} to confirm: {row.reason}"
        case _:
            assert_never(row.kind)
    decided = "open"
    if row.decided_at:
        decided = f"{row.outcome.replace('_', ' ')} by {row.undone_by or row.decided_by}, "
        decided += instant_text(row.undone_at or row.decided_at)
    why = f"; {row.undone_reason}" if row.undone_reason else ""
    return f"Proposal {row.id}, {decided}{why}: {says} ({row.proposed_by}, {instant_text(row.proposed_at)})"


def _lacking(case: CaseHead) -> Iterator[str]:
    for fact in case.facts:
        if fact.told_by_officer and fact.status is None:
            still = f"; {counted(fact.lacking, 'LEA waits', 'LEAs wait')} for it" if fact.lacking else ""
            yield f"Not known: {fact.element} ({fact.label}){still}"


def _reason(duty: DutyView) -> str:
    steps = operative_steps(load_catalogue(), Place(duty.form, duty.state, duty.clause), duty.trail)
    where = "; ".join(step.clause for step in steps)
    return f"{duty.limit} from {(duty.anchor or 'an anchor not yet known').replace('_', ' ')} ({where})"


def _sent(duty: DutyView) -> str:
    if duty.performed_at is None:
        told = any(letter.status is DeliveryStatus.ACCEPTED for letter in duty.overdue_letters)
        if duty.overdue:
            return "overdue, and told as such" if told else "overdue"
        return "past the internal date" if duty.past_internal else duty.status.replace("_", " ")
    verdict = (duty.verdict or "").replace("_", " ")
    return f"{local_text(duty.performed_at, duty.time_zone)}, {verdict}"
