"""``duenotice ledger``: check that the evidence, and what pages show, is what it was when it was written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import TypeAdapter
from rich.table import Table
from sqlalchemy.exc import DatabaseError

from ledger.checks import last_check
from ledger.entries import CaseRead
from ledger.findings import what_holds, what_is_wrong
from ledger.verify import Verification, verify_all
from ledger.verify_bundle import Checkpoint, Unreadable, kept_heads
from models.enums import Authentication, LedgerState, Reading
from models.errors import DuenoticeError, InvalidInput, Unavailable
from models.tables import LedgerCheck
from records.readings import note_reading
from starter.cli.console import connected_resources, console, find_case, instant_text, open_installation
from starter.cli.progress import counting
from starter.command_line import actor
from starter.printable import say
from starter.resources import utc_now
from starter.terminal import LATE

if TYPE_CHECKING:
    from starter.history.beside import EntriesView, HistoryView


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Check the evidence.")
    group.callback()(_group)
    group.command("verify")(verify)
    group.command("status")(status)
    group.command("history")(history)
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


def history(
    case: Annotated[str, typer.Argument(help="The case: its id or its short reference.")],
    only: Annotated[
        str | None,
        typer.Option(help="Only lines that stand so: “in both”, “in the history”, “in the ledger” or “differs”."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON, with every decoded value.")] = False,
) -> None:
    """Show what Temporal keeps of a case, decoded, beside the entries of the ledger, and say whether they agree.

    Acts are held against each other by their ids, batches by theirs, other entries by the step that writes them. What
    is past the time for which Temporal keeps a history is said, and counts as no difference. It ends with 0 where the
    two agree, with 1 where they differ, and with 2 where there is nothing to compare, or Temporal does not answer.
    """
    from starter.history.beside import Agreement, CaseHistory, read_beside, view_of  # with Temporal's client
    from starter.history.comparing import Standing

    wanted = next((standing for standing in Standing if standing.value == only), None)
    if only and wanted is None:
        raise InvalidInput(f"No line stands {only!r}.", where="--only", next_step=f"Say one of: {', '.join(Standing)}.")
    _, database = open_installation()
    case_id, way = find_case(database, case), Authentication.COMMAND_LINE
    reading = CaseRead(case_id=case_id, actor=actor(), at=utc_now(), what=Reading.HISTORY, authenticated=way)
    note_reading(database, reading)

    async def read() -> CaseHistory:
        return await read_beside(await connected_resources(), case_id, utc_now())

    try:
        found = asyncio.run(read())
    except Unavailable as error:
        raise _could_not(str(error), as_json) from error
    view = view_of(found, wanted, offset=0, limit=len(found.beside.rows))
    if as_json:
        say(view.model_dump_json())
    else:
        _print_history(view)
    match found.agreement:
        case Agreement.AGREE:
            raise typer.Exit(0)
        case Agreement.DIFFER:
            raise typer.Exit(NOT_INTACT)
        case Agreement.ONE_ALONE:
            raise typer.Exit(COULD_NOT_CHECK)


def _print_history(view: HistoryView) -> None:
    table = Table(box=None)
    for title in ("When", "Temporal's history", "The ledger", "Standing"):
        table.add_column(title)
    for line in view.items:
        moment = line.history
        until = f", until {instant_text(moment.until)}" if moment and moment.until else ""
        shown = moment is not None and moment.kind != "timer" and moment.outcome in ("under_way", "failed")
        state = f" ({moment.outcome.replace('_', ' ')})" if moment and shown else ""
        table.add_row(
            instant_text(line.at),
            f"{moment.says}{until}{state}" if moment else "–",
            "\n".join(map(_entries, line.ledger)) or "–",
            line.differs or line.standing,
            style=LATE if line.differs else "",
        )
    if view.items:
        console.print(table)
    console.print(view.says, soft_wrap=True)
    for note in view.notes:
        console.print(note, soft_wrap=True)


def _entries(group: EntriesView) -> str:
    numbers = f"no. {group.first}" if group.count == 1 else f"{group.count:,} × no. {group.first} to {group.last}"
    return f"{group.kind} {numbers}, {group.actor}"


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
