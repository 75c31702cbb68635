"""``duenotice agreements``: import and list the agreements, and record what becomes of each."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from agreements.importing import DEMO_FILE, import_agreements
from models.enums import EndedBy, LifeAct
from models.errors import InvalidInput
from models.identifiers import agreement_id, case_reference
from models.phrases import day_words
from queries.agreements import list_agreements, read_agreement
from records.ends import Rules
from starter.cli.console import console, instant_text, open_installation, parse_date, with_case_service
from starter.command_line import actor
from starter.resources import lead_times, utc_now
from terms.catalogue import load_catalogue

if TYPE_CHECKING:
    from starter.agreement_service import Recorded
    from starter.case_service import CaseService

Reference = Annotated[str, typer.Argument(help="The reference of the agreement.")]
Reason = Annotated[str, typer.Option(help="Why, in a sentence; it is kept as evidence.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Import and list the agreements, and record what becomes of each.")
    group.command("import")(import_)
    group.command("list")(list_)
    for command in (show, terminate, renew, expect_renewal, renewal_failed, take_back):
        group.command(command.__name__.replace("_", "-"))(command)
    app.add_typer(group, name="agreements")


def import_(
    file: Annotated[Path | None, typer.Argument(help="The CSV file; - for standard input.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Import the fictional districts that ship instead.")] = False,
) -> None:
    """Load agreements from a CSV file; nothing is loaded unless every row is sound."""
    if (file is None) != demo:
        raise InvalidInput("Name one file, or --demo for the fictional districts.")
    path = DEMO_FILE if file is None else file
    settings, database = open_installation()
    catalogue = load_catalogue()
    result = import_agreements(
        database,
        catalogue,
        _read(path),
        file_name=path.name,
        now=utc_now(),
        actor=actor(),
        defaults=settings.defaults,
        leads=lead_times(settings, catalogue),
    )
    console.print(f"{result.added} added, {result.changed} changed, {result.unchanged} as they were.")


def list_(
    state: Annotated[str | None, typer.Option(help="Only this state.")] = None,
    form: Annotated[str | None, typer.Option(help="Only this form.")] = None,
) -> None:
    """List the agreements."""
    _, database = open_installation()
    rows = [
        row
        for row in list_agreements(database)
        if (not state or row.state == state.upper()) and (not form or row.form == form)
    ]
    if not rows:
        console.print("No agreement. `duenotice agreements import FILE.csv` loads some; --demo loads fictional ones.")
        return
    table = Table("reference", "LEA", "state", "form", "time zone", "executed", "contacts", box=None)
    for row in rows:
        cells = (row.lea_name, row.state, row.form, row.time_zone, str(row.executed_on), str(row.contacts))
        table.add_row(row.reference, *cells)
    console.print(table)


def show(reference: Reference) -> None:
    """Show whether an agreement is in force, what follows from its end, and what was recorded of it."""
    settings, database = open_installation()
    rules = Rules(load_catalogue(), settings.defaults, settings.side)
    found = read_agreement(database, agreement_id(reference), rules, utc_now())
    by = f" by {_BY[found.ended_by]}" if found.ended_by else ""
    lasts = f", until {day_words(found.expires_on)}" if found.expires_on else ""
    state = f"Ended on {day_words(found.ended_on)}{by}." if found.ended_on else f"In force{lasts}."
    console.print(Text(f"{found.lea_name}, {found.reference}, {found.form} {found.state}. {state}"))
    if found.renewal_expected_on:
        console.print(f"The LEA expects to renew, as it said on {day_words(found.renewal_expected_on)}.")
    if found.follows:
        console.print(Text(found.follows))
    if found.survives:
        console.print("What protects its data lasts until that is disposed of.")
    if found.case_id:
        console.print(f"Case {case_reference(found.case_id)}: duenotice end-of-agreement --help.")
    table = Table("recorded", "what", "day", "by", "reason", "taken back", box=None, pad_edge=False)
    for change in found.changes:
        cells = (change.kind.replace("_", " "), str(change.day), change.recorded_by, Text(change.reason or "–"))
        table.add_row(instant_text(change.recorded_at), *cells, instant_text(change.taken_back_at))
    if found.changes:
        console.print(table)


def terminate(
    reference: Reference,
    on: Annotated[str, typer.Option(help="The day of the termination, as 2026-06-30.")],
    by: Annotated[EndedBy, typer.Option(help="Who terminated it.")],
    reason: Reason,
) -> None:
    """Record that an agreement was terminated; the disposal of its data follows as its terms have it."""
    _record(reference, LifeAct.TERMINATE, parse_date(on, "on"), reason, by)


def renew(
    reference: Reference,
    until: Annotated[str, typer.Option(help="The new last day, as 2029-06-30.")],
    reason: Reason,
) -> None:
    """Record that an agreement was renewed or extended; nothing is disposed of because of an earlier end."""
    _record(reference, LifeAct.RENEW, parse_date(until, "until"), reason)


def expect_renewal(
    reference: Reference,
    on: Annotated[str, typer.Option(help="The day of the LEA's notice, as 2026-06-30.")],
    reason: Reason,
) -> None:
    """Record that the LEA gave notice of a renewal that it reasonably anticipates: who said so, and how."""
    _record(reference, LifeAct.EXPECT_RENEWAL, parse_date(on, "on"), reason)


def renewal_failed(reference: Reference, reason: Reason) -> None:
    """Record that an expected renewal does not come; the time runs as the terms have it, from the end itself."""
    _record(reference, LifeAct.RENEWAL_FAILED, None, reason)


def take_back(reference: Reference, reason: Reason) -> None:
    """Take back what was recorded last of an agreement, since it is wrong; the dates before stand again."""
    _record(reference, LifeAct.TAKE_BACK, None, reason)


_BY = {EndedBy.LEA: "the LEA", EndedBy.PROVIDER: "the provider", EndedBy.BOTH: "both parties"}


def _record(reference: str, act: LifeAct, on: date | None, reason: str, by: EndedBy | None = None) -> None:
    from starter.agreement_service import AgreementService  # with Temporal's client, as the service has it

    async def record(service: CaseService) -> Recorded:
        return await AgreementService(service).record(reference, act, on=on, by=by, reason=reason, actor=actor())

    recorded = with_case_service(record)
    console.print("Recorded.")
    if recorded.case_id:
        opened = "is opened for the disposal of its data" if recorded.opened else "is told of it"
        console.print(f"Case {case_reference(recorded.case_id)} {opened}.")


def _read(path: Path) -> str:
    try:
        return typer.get_text_stream("stdin").read() if str(path) == "-" else path.read_text("utf-8")
    except OSError as error:
        raise InvalidInput(
            f"The file cannot be read: {error.strerror}.", where=str(path), next_step="Check its name."
        ) from None
    except UnicodeDecodeError:
        raise InvalidInput("The file is not UTF-8.", where=str(path), next_step="Save it as UTF-8.") from None
