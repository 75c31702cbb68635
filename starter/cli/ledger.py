"""``duenotice ledger``: check that the evidence is what it was when it was written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.exc import DatabaseError

from ledger.verify import Flaw, Step, Verification, verify_all
from models.errors import DuenoticeError, IntegrityError
from models.phrases import instant_words
from starter.cli.console import open_installation


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Check the evidence.")
    group.callback()(_group)
    group.command("verify")(verify)
    app.add_typer(group, name="ledger")


def _group() -> None:
    """Check the evidence."""


NOT_INTACT, COULD_NOT_CHECK = 1, 2
"""The exit codes of a check: what is kept is not what it was, or nobody can say."""


def verify(as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False) -> None:
    """Check every entry of the ledger, its head, every artifact that entries point to, and the tables against them.

    It says what holds, or names the first record that is not what it was; of a row in a table, what the table holds and
    what the entry says. It ends with 0 where all holds, with 1 where something does not, and with 2 where that could
    not be checked.

    It cannot show that the newest entries were removed by somebody who set the ledger's head back as well, nor that
    all entries were written anew from some entry on. Note the number of entries and the head elsewhere, and compare:
    the number never falls, and the head changes only as entries are added.
    """
    try:
        found = _check()
    except DuenoticeError as error:
        raise _could_not(str(error), as_json) from error
    except DatabaseError as error:
        says = str(error.orig).strip().splitlines()[:1]
        raise _could_not(f"The database cannot be read: {says[0] if says else 'no reason given'}.", as_json) from error
    if as_json:
        typer.echo(json.dumps({"sound": found.sound} | TypeAdapter(Verification).dump_python(found, mode="json")))
    elif found.flaw:
        typer.echo(str(_error(found.flaw)), err=True)
    else:
        typer.echo(what_holds(found))
    raise typer.Exit(0 if found.sound else NOT_INTACT)


def _check() -> Verification:
    _, database = open_installation()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    with (
        database.reading() as session,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
    ):

        def watch(things: Iterable[Any], called: str, total: int) -> Iterable[Any]:
            return bar.track(things, total=total, description=called)

        return verify_all(session, watch)


def _could_not(says: str, as_json: bool) -> typer.Exit:
    if as_json:
        typer.echo(json.dumps({"sound": None, "could_not_check": says}))
    else:
        typer.echo(f"It could not be checked. {says}", err=True)
    return typer.Exit(COULD_NOT_CHECK)


def what_holds(found: Verification) -> str:
    """What a check found that found no flaw, in a sentence."""
    if not found.length:
        return f"The ledger holds no entry yet, and its head says so; head {found.head}."
    entries = "1 entry is" if found.length == 1 else f"{found.length:,} entries are"
    match found.artifacts:
        case 0:
            artifacts = "no artifact is pointed to"
        case 1:
            artifacts = "the 1 artifact pointed to is what was stored"
        case many:
            artifacts = f"all {many:,} artifacts they point to are what was stored"
    gone = "".join(
        f"\nArtifact {one.artifact} was erased on {instant_words(one.at)} by {one.by}, as entry {one.number:,} says."
        for one in found.erased
    )
    rows = sum(found.tables.rows.values()) if found.tables else 0
    held = "1 row of the tables says" if rows == 1 else f"{rows:,} rows of the tables say"
    return f"{entries} unchanged and in order, {artifacts}, and {held} what they say; head {found.head}.{gone}"


def _error(flaw: Flaw) -> IntegrityError:
    match flaw.step:
        case Step.ORDER | Step.CHAIN | Step.CONTENT:
            where = f"entry {flaw.number:,} of the ledger"
        case Step.HEAD:
            where = "the head of the ledger"
        case Step.ARTIFACTS:
            where = f"entry {flaw.number:,} of the ledger, artifact {flaw.artifact}"
        case Step.TABLES:
            where = "the tables"
    return IntegrityError(
        flaw.reason, where=where, next_step="Compare it with a backup, and find out who could write there."
    )
