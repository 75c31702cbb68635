"""``duenotice breach``: report, confirm, release and show breach cases."""

from __future__ import annotations

from datetime import date, datetime
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.table import Table
from rich.text import Text

from models import identifiers
from models.errors import InvalidInput
from models.incident import parse_report
from models.messages import CaseStanding
from starter.commands.session import (
    actor,
    console,
    find_case,
    in_office,
    local_text,
    open_installation,
    parse_instant,
    utc_text,
)
from starter.reading import list_cases, read_case
from starter.resources import utc_now
from starter.views import CaseRow, CaseView, DutyView


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Report, confirm, release and show breaches.")
    for command in (report, confirm, release, show):
        group.command()(command)
    app.add_typer(group, name="breach")


def report(
    file: Annotated[
        Path | None,
        typer.Option(help="A YAML or JSON file with the whole report; the other options are then left out."),
    ] = None,
    title: Annotated[str, typer.Option(help="A short name for the incident.")] = "",
    occurred: Annotated[
        str, typer.Option(help="When it occurred: an instant, a date, FIRST..LAST, or unknown.")
    ] = "unknown",
    expected: Annotated[str, typer.Option(help="When a breach was reasonably expected.")] = "",
    discovered: Annotated[str, typer.Option(help="When it was discovered.")] = "",
    confirmed: Annotated[str, typer.Option(help="When it was confirmed, if it is.")] = "",
    description: Annotated[str, typer.Option(help="What happened.")] = "",
    data_type: Annotated[list[str] | None, typer.Option(help="A type of data affected; give it for each.")] = None,
    agreement: Annotated[list[str] | None, typer.Option(help="A reference of an affected agreement; for each.")] = None,
    reporter: Annotated[str, typer.Option(help='Who reports: "Name <address>".')] = "",
    contact: Annotated[str, typer.Option(help='Whom LEAs may ask: "Name <address>"; else the reporter.')] = "",
) -> None:
    """Report a suspected breach; the same report twice is one case."""
    if file is not None:
        given = _read_report(file)
    else:
        given = {
            "title": title,
            "occurred": parse_occurrence(occurred),
            "reasonably_expected_at": parse_instant(expected, "--expected") if expected else None,
            "discovered_at": parse_instant(discovered, "--discovered") if discovered else None,
            "confirmed_at": parse_instant(confirmed, "--confirmed") if confirmed else None,
            "description": description,
            "data_types": data_type or (),
            "agreements": agreement or (),
            "reporter": _person(reporter, "--reporter"),
            "point_of_contact": _person(contact or reporter, "--contact"),
        }
    checked = parse_report(given)
    case = in_office(lambda office: office.report_breach(checked, actor=actor()))
    state = "was reported before; this is its case" if case.existed else "is reported"
    console.print(f"Case {identifiers.case_reference(case.case_id)} {state}: {case.case_id}")
    if not case.clocks_run:
        console.print("Temporal does not answer: the report is kept, and its clocks start when it does.")


def confirm(
    case: Annotated[str, typer.Argument(help="The case: its id or its short reference.")],
    at: Annotated[str, typer.Option(help="When it was confirmed, with its offset; else now.")] = "",
) -> None:
    """Confirm a suspected breach, which starts the clocks that run from confirmation."""
    confirmed_at = parse_instant(at, "--at") if at else utc_now()
    case_id = find_case(open_installation()[1], case)
    _show_standing(in_office(lambda office: office.confirm_breach(case_id, confirmed_at, actor=actor())))


def release(case: Annotated[str, typer.Argument(help="The case: its id or its short reference.")]) -> None:
    """Let every waiting notice of a case go now."""
    case_id = find_case(open_installation()[1], case)
    _show_standing(in_office(lambda office: office.release_notices(case_id, actor=actor())))


def show(
    case: Annotated[str | None, typer.Argument(help="The case: its id or its short reference; else all.")] = None,
    why: Annotated[bool, typer.Option("--why", help="Say for each duty why it is due then.")] = False,
) -> None:
    """Show the cases, or one with its duties, notices and evidence."""
    _, database = open_installation()
    if case is None:
        _show_cases(list_cases(database, utc_now()))
        return
    found = read_case(database, find_case(database, case), utc_now())
    _show_case(found)
    if why:
        for duty in found.duties:
            console.print(Text(f"\n{duty.lea_name}, {duty.clause}", style="bold"))
            for sentence in duty.why:
                console.print(f"  {sentence}", markup=False)


def duty_table(case: CaseView, *, local: bool = True) -> Table:
    """The duties of a case with their due instants, how they were met, and the evidence of it."""
    evidence = {entry.body.get("duty"): entry.number for entry in case.evidence if entry.kind == "notice_given"}
    table = Table("LEA", "clause", "due", "why", "sent", "evidence", box=None, pad_edge=False)
    for duty in case.duties:
        due = local_text(duty.due_at, duty.time_zone) if local else utc_text(duty.due_at)
        entry = evidence.get(str(duty.id))
        table.add_row(duty.lea_name, duty.clause, due, _reason(duty), _sent(duty), f"#{entry}" if entry else "–")
    return table


def parse_occurrence(text: str) -> dict[str, object]:
    """When it occurred, as a report holds it: ``unknown``, an instant, a date, or ``FIRST..LAST``."""
    if text == "unknown":
        return {"kind": "unknown"}
    first, separator, last = text.partition("..")
    try:
        if separator:
            return {
                "kind": "range",
                "first_day": date.fromisoformat(first),
                "last_day": date.fromisoformat(last),
            }
        if len(text) == len("2026-03-07"):
            return {"kind": "date", "first_day": date.fromisoformat(text)}
    except ValueError:
        raise InvalidInput(
            f"{text} is neither a date nor a range.",
            where="--occurred",
            next_step="Write 2026-03-07, 2026-03-01..2026-03-07, an instant with its offset, or unknown.",
        ) from None
    return {"kind": "instant", "at": parse_instant(text, "--occurred")}


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


def _show_standing(standing: CaseStanding) -> None:
    console.print(
        f"{standing.open_duties} duties open, {standing.waiting_notices} notices waiting; "
        f"next due {utc_text(standing.next_due_at)}."
    )


def _show_cases(cases: tuple[CaseRow, ...]) -> None:
    if not cases:
        console.print("No case. `duenotice breach report --help` says how to report one.")
        return
    table = Table("case", "status", "title", "agreements", "open", "overdue", "next due", box=None, pad_edge=False)
    for case in cases:
        counts = (str(case.agreements), str(case.open_duties), str(case.overdue_duties))
        reference = identifiers.case_reference(case.id)
        table.add_row(reference, case.status, Text(case.title), *counts, utc_text(case.next_due_at))
    console.print(table)


def _show_case(case: CaseView) -> None:
    console.print(Text(f"{case.title} ({identifiers.case_reference(case.id)}, {case.status})", style="bold"))
    for anchor in case.anchors:
        when: datetime | date | None = anchor.instant or anchor.first_day
        until = f" to {anchor.last_day}" if anchor.last_day else ""
        console.print(f"  {anchor.name.replace('_', ' ')}: {when.isoformat() if when else 'unknown'}{until}")
    for trouble in case.troubles:
        console.print(f"! {trouble.sentence} Since {utc_text(trouble.since)}.", style="red")
    console.print(duty_table(case))
    if case.waiting_notices:
        console.print(f"{case.waiting_notices} notices wait for release: `duenotice breach release` lets them go.")


def _reason(duty: DutyView) -> str:
    source = duty.trail[-1]
    return f"{duty.limit} from {(duty.anchor or 'an anchor not yet known').replace('_', ' ')} ({source['clause']})"


def _sent(duty: DutyView) -> str:
    if duty.discharged_at is None:
        return "overdue" if duty.overdue else str(duty.status)
    verdict = (duty.verdict or "").replace("_", " ")
    return f"{local_text(duty.discharged_at, duty.time_zone)}, {verdict}"
