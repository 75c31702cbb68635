"""``duenotice ledger``: check that the evidence is what it was when it was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter

from ledger.verify import Flaw, Step, Verification, verify_all
from ledger.verify_bundle import Checkpoint, Unreadable, kept_heads
from models.errors import IntegrityError, InvalidInput
from models.phrases import counted, instant_words
from starter.cli.console import open_installation
from starter.cli.progress import counting
from starter.printable import say


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Check the evidence.")
    group.callback()(_group)
    group.command("verify")(verify)
    app.add_typer(group, name="ledger")


def _group() -> None:
    """Check the evidence."""


def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
    head: Annotated[
        list[Path] | None,
        typer.Option(help="A file with heads that you kept, as from the foot of a notice; may be given again."),
    ] = None,
) -> None:
    """Check every entry of the ledger, its head, every artifact that entries point to, and every signed head.

    It says what holds, or names the first record that is not what it was, and ends with exit code 6.

    By itself it cannot show that the newest entries were removed by somebody who set everything else here back as well,
    nor that all entries were written anew. Heads that were kept elsewhere (--head) show that.
    """
    kept = [(one.size, one.root) for file in head or () for one in _kept(file)]
    _, database = open_installation()
    with database.reading() as session, counting() as watch:
        found = verify_all(session, watch, kept_heads=kept)
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
    heads = f"; so is what each of {counted(found.heads, 'signed or kept head')} covers" if found.heads else ""
    return f"{entries} unchanged and in order, and {artifacts}{heads}; head {found.head}.{gone}"


def _kept(file: Path) -> tuple[Checkpoint, ...]:
    try:
        return kept_heads(file)
    except Unreadable as error:
        raise InvalidInput(str(error), where="--head") from None


def _error(flaw: Flaw) -> IntegrityError:
    match flaw.step:
        case Step.ORDER | Step.CHAIN | Step.CONTENT:
            where = f"entry {flaw.number:,} of the ledger"
        case Step.HEAD:
            where = "the head of the ledger"
        case Step.ARTIFACTS:
            where = f"entry {flaw.number:,} of the ledger, artifact {flaw.artifact}"
        case Step.SIGNED_HEADS:
            where = f"the head of {flaw.number:,} entries"
    return IntegrityError(
        flaw.reason, where=where, next_step="Compare it with a backup, and find out who could write there."
    )
