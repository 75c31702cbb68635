"""``duenotice subprocessors``: who holds data under the agreements, and is asked when it is to be disposed of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from agreements.subprocessors import import_subprocessors, read_subprocessors, remove_subprocessor
from models.errors import InvalidInput, NotFound
from starter.cli.console import console, open_installation
from starter.cli.terms import read_bytes
from starter.command_line import actor
from starter.resources import utc_now


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Subprocessors that hold data under the agreements.")
    group.command("import")(import_)
    group.command("list")(list_)
    group.command("remove")(remove)
    app.add_typer(group, name="subprocessors")


def import_(
    file: Annotated[
        Path, typer.Argument(help="A CSV file: agreement, name, email, data; no agreement stands for all.")
    ],
) -> None:
    """Load subprocessors from a CSV file; nothing is loaded unless every row is sound."""
    _, database = open_installation()
    try:
        text = read_bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("The file is not UTF-8.", where=str(file), next_step="Save it as UTF-8.") from None
    result = import_subprocessors(database, text, file_name=file.name, now=utc_now(), actor=actor())
    console.print(f"{result.added} added, {result.changed} changed, {result.unchanged} as they were.")


def list_() -> None:
    """List the subprocessors."""
    _, database = open_installation()
    rows = read_subprocessors(database)
    if not rows:
        console.print("None. `duenotice subprocessors import FILE.csv` loads some.")
        return
    table = Table("id", "name", "agreement", "e-mail", "holds", box=None, pad_edge=False)
    for row in rows:
        table.add_row(str(row.id)[:8], Text(row.name), row.reference or "all", Text(row.email), Text(row.data))
    console.print(table)


def remove(subprocessor: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")]) -> None:
    """Take a subprocessor off the list: cases that begin later do not ask it."""
    _, database = open_installation()
    found = [row.id for row in read_subprocessors(database) if str(row.id).startswith(subprocessor.lower())]
    if len(found) != 1:
        says = "Several subprocessors could be meant" if found else "There is no such subprocessor"
        raise NotFound(f"{says}.", next_step="`duenotice subprocessors list` lists them with their ids.")
    remove_subprocessor(database, found[0], now=utc_now(), actor=actor())
    console.print("It is off the list.")
