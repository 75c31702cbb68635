"""``duenotice ledger``: check that the evidence is what it was when it was written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ledger.verify import Flaw, Step, Verification, verify_all
from models.errors import IntegrityError
from models.phrases import instant_words
from starter.cli.console import open_installation
from starter.printable import say
from starter.terminal import Terminal


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Check the evidence.")
    group.callback()(_group)
    group.command("verify")(verify)
    app.add_typer(group, name="ledger")


def _group() -> None:
    """Check the evidence."""


def verify(as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False) -> None:
    """Check every entry of the ledger, its head, and every artifact that entries point to.

    It says what holds, or names the first record that is not what it was, and ends with exit code 6.

    It cannot show that the newest entries were removed by somebody who set the ledger's head back as well, nor that
    all entries were written anew from some entry on. Note the number of entries and the head elsewhere, and compare:
    the number never falls, and the head changes only as entries are added.
    """
    _, database = open_installation()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    console = Terminal(stderr=True)
    with (
        database.reading() as session,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
    ):

        def watch(things: Iterable[Any], called: str, total: int) -> Iterable[Any]:
            return bar.track(things, total=total, description=called)

        found = verify_all(session, watch)
    if as_json:
        say(json.dumps({"sound": found.sound} | TypeAdapter(Verification).dump_python(found, mode="json")))
        raise typer.Exit(0 if found.sound else IntegrityError.exit_code)
    if found.flaw:
        raise _error(found.flaw)
    say(what_holds(found))


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
    return f"{entries} unchanged and in order, and {artifacts}; head {found.head}.{gone}"


def _error(flaw: Flaw) -> IntegrityError:
    match flaw.step:
        case Step.ORDER | Step.CHAIN | Step.CONTENT:
            where = f"entry {flaw.number:,} of the ledger"
        case Step.HEAD:
            where = "the head of the ledger"
        case Step.ARTIFACTS:
            where = f"entry {flaw.number:,} of the ledger, artifact {flaw.artifact}"
    return IntegrityError(
        flaw.reason, where=where, next_step="Compare it with a backup, and find out who could write there."
    )
