"""``duenotice ledger``: check that the evidence, and what pages show, is what it was when it was written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter
from sqlalchemy.exc import DatabaseError

from ledger.checks import last_check
from ledger.findings import what_holds, what_is_wrong
from ledger.verify import Verification, verify_all
from ledger.verify_bundle import Checkpoint, Unreadable, kept_heads
from models.enums import LedgerState
from models.errors import DuenoticeError, InvalidInput
from models.tables import LedgerCheck
from starter.cli.console import instant_text, open_installation
from starter.cli.progress import counting
from starter.printable import say


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Check the evidence.")
    group.callback()(_group)
    group.command("verify")(verify)
    group.command("status")(status)
    app.add_typer(group, name="ledger")


def _group() -> None:
    """Check the evidence."""


NOT_INTACT, COULD_NOT_CHECK = 1, 2
"""The exit codes of a check: what is kept is not what it was, or nobody can say."""


def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
    head: Annotated[
        list[Path] | None,
        typer.Option(help="A file with heads that you kept, as from the foot of a notice; may be given again."),
    ] = None,
) -> None:
    """Check every entry, its head, what entries point to, every signed head, and the tables against the entries.

    It says what holds, or names the first record that is not what it was; of a row in a table, what the table holds and
    what the entry says. It ends with 0 where all holds, with 1 where something does not, and with 2 where that could
    not be checked.

    By itself it cannot show that the newest entries were removed by somebody who set everything else here back as well,
    nor that all entries were written anew. Heads that were kept elsewhere (--head) show that.
    """
    try:
        found = _check(head or ())
    except DuenoticeError as error:
        raise _could_not(str(error), as_json) from error
    except DatabaseError as error:
        says = str(error.orig).strip().splitlines()[:1]
        raise _could_not(f"The database cannot be read: {says[0] if says else 'no reason given'}.", as_json) from error
    if as_json:
        say(json.dumps({"sound": found.sound} | TypeAdapter(Verification).dump_python(found, mode="json")))
    elif found.flaw:
        say(str(what_is_wrong(found.flaw)), err=True)
    else:
        say(what_holds(found))
    raise typer.Exit(0 if found.sound else NOT_INTACT)


def _check(heads: Sequence[Path]) -> Verification:
    kept = [(one.size, one.root) for file in heads for one in _kept(file)]
    _, database = open_installation()
    with database.reading() as session, counting() as watch:
        return verify_all(session, watch, kept_heads=kept)


def _kept(file: Path) -> tuple[Checkpoint, ...]:
    try:
        return kept_heads(file)
    except Unreadable as error:
        raise InvalidInput(str(error), where="--head") from None


def _could_not(says: str, as_json: bool) -> typer.Exit:
    if as_json:
        say(json.dumps({"sound": None, "could_not_check": says}))
    else:
        say(f"It could not be checked. {says}", err=True)
    return typer.Exit(COULD_NOT_CHECK)


def status(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Say what the last check found that the engine made by itself, and when; check nothing now.

    It ends as `verify` does: with 0, 1 or 2; with 2 also where there was no check yet.
    """
    _, database = open_installation()
    with database.reading() as session:
        found = last_check(session)
    if as_json:
        say(json.dumps(found.model_dump(mode="json", exclude={"id"}) if found else None))
    elif found is None:
        say("The ledger was not checked yet; the engine does so at each start.")
    else:
        say(f"Checked {instant_text(found.ended_at)}: {STATES[found.state]} {found.says}")
    raise typer.Exit(_exit_code(found))


STATES = {
    LedgerState.INTACT: "all of it is what it was.",
    LedgerState.NOT_INTACT: "it is not what it was.",
    LedgerState.NOT_CHECKED: "it could not be checked.",
}


def _exit_code(found: LedgerCheck | None) -> int:
    if found is None or found.state is LedgerState.NOT_CHECKED:
        return COULD_NOT_CHECK
    return 0 if found.state is LedgerState.INTACT else NOT_INTACT
