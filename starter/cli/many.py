"""``duenotice KIND open-many``: many cases of one kind from a CSV file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cases.kind import Kind
from models.enums import Authentication
from models.errors import InvalidInput
from models.phrases import counted
from records.intake_files import MOST_ROWS, IntakeFile, columns_of, read_intakes, takes_files, template_of
from starter.cli.checking import DATES_CONFIRMED, YES
from starter.cli.console import console, local_text, with_many_openings
from starter.cli.terms import read_bytes
from starter.command_line import actor
from starter.printable import say
from starter.resources import utc_now
from starter.terminal import LATE

if TYPE_CHECKING:  # with Temporal's client, which commands that read can do without
    from starter.many_openings import CheckedFile

FILE = typer.Argument(help=f"The CSV file, in UTF-8, with at most {MOST_ROWS:,} rows.")

DATES_SHOWN = 20
"""How many due dates are shown; all are counted."""


def register(group: typer.Typer, kind: Kind) -> None:
    """Add the command to a kind's group, where its cases can be opened from a file."""
    if takes_files(kind):
        columns = ", ".join(f"{one.name}{'' if one.required else ' (may be blank)'}" for one in columns_of(kind))
        says = f"Open a {kind.label} case for each row of a CSV file; the same file again opens nothing twice."
        group.command("open-many", help=f"{says} Its columns are {columns}.")(_open_many(kind))


def _open_many(kind: Kind) -> Callable[..., None]:
    def open_many(
        file: Annotated[Path | None, FILE] = None,
        template: Annotated[bool, typer.Option("--template", help="Print the header of such a file instead.")] = False,
        good_rows: Annotated[
            bool, typer.Option("--good-rows", help="Open the good rows although something is wrong with others.")
        ] = False,
        yes: Annotated[bool, YES] = False,
        dates_confirmed: Annotated[bool, DATES_CONFIRMED] = False,
    ) -> None:
        if template:
            say(template_of(kind), end="")
            return
        if file is None:
            raise InvalidInput("No file is named.", next_step="Name one, or print the header of one by --template.")
        read = read_intakes(kind, read_bytes(file), utc_now(), file_name=file.name)
        _open(kind, read, good_rows=good_rows, yes=yes, dates_confirmed=dates_confirmed)

    return open_many


def _open(kind: Kind, file: IntakeFile, *, good_rows: bool, yes: bool, dates_confirmed: bool) -> None:
    from starter.many_openings import KEPT, STARTED, require_sound

    checked = with_many_openings(lambda openings: asyncio.to_thread(openings.check, kind, file))
    if good_rows:
        for problem in checked.problems:
            say(str(problem), err=True)
    require_sound(checked, good_rows=good_rows, dates_confirmed=dates_confirmed)
    _show(checked)
    if not yes and not typer.confirm("Nothing is recorded yet. Open them?"):
        console.print("Nothing was recorded.")
        raise typer.Exit(1)
    bar = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*bar, console=console) as progress:
        tasks = {step: progress.add_task(step, total=len(checked.rows)) for step in (KEPT, STARTED)}
        done = with_many_openings(
            lambda openings: openings.open(
                kind,
                file,
                actor=actor(),
                authenticated=Authentication.COMMAND_LINE,
                good_rows=good_rows,
                dates_confirmed=dates_confirmed,
                advance=lambda step, count: progress.advance(tasks[step], count),
            )
        )
    console.print(f"{counted(done.opened, 'case is', 'cases are')} open.")
    if waiting := done.opened - done.running:
        clocks = counted(waiting, "case waits", "cases wait")
        console.print(f"Temporal does not answer: {clocks} for its clocks, which start when it does.")


def _show(checked: CheckedFile) -> None:
    new = len(checked.rows) - checked.open_already
    already = counted(checked.open_already, "row is", "rows are")
    console.print(f"{counted(new, 'case')} would be opened; {already} open already and stay as they are.")
    for one in checked.asked[:DATES_SHOWN]:
        says = f"Asked to dispose of the data as soon as they are opened: {one.name} <{one.email}>"
        console.print(says, markup=False, soft_wrap=True)
    if (further := len(checked.asked) - DATES_SHOWN) > 0:
        console.print(f"and {counted(further, 'other')}.")
    if not checked.dues:
        return
    table = Table("due", "clause", "duties", box=None, pad_edge=False)
    for line in checked.dues[:DATES_SHOWN]:
        due = f"{local_text(line.due_at, line.time_zone)} ({line.time_zone})" if line.due_at else "once a fact is known"
        table.add_row(due, line.clause, f"{line.duties:,}", style="red" if line.overdue else "")
    console.print(table)
    if (more := len(checked.dues) - DATES_SHOWN) > 0:
        console.print(f"and {counted(more, 'later due date')}.")
    if checked.overdue:
        console.print(f"{counted(checked.overdue, 'duty', 'duties')} would be overdue already.", style=LATE)
