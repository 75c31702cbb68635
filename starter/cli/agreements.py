"""``duenotice agreements``: import and list the agreements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from models.errors import InvalidInput
from queries.agreements import list_agreements
from records.agreements import DEMO_FILE, import_agreements
from starter.cli.console import console, open_installation
from starter.command_line import actor
from starter.resources import utc_now
from terms.catalogue import load_catalogue


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Import and list the agreements.")
    group.command("import")(import_)
    group.command("list")(list_)
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
    result = import_agreements(
        database,
        load_catalogue(),
        _read(path),
        file_name=path.name,
        now=utc_now(),
        actor=actor(),
        defaults=settings.defaults,
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


def _read(path: Path) -> str:
    try:
        return typer.get_text_stream("stdin").read() if str(path) == "-" else path.read_text("utf-8")
    except OSError as error:
        raise InvalidInput(
            f"The file cannot be read: {error.strerror}.", where=str(path), next_step="Check its name."
        ) from None
    except UnicodeDecodeError:
        raise InvalidInput("The file is not UTF-8.", where=str(path), next_step="Save it as UTF-8.") from None
