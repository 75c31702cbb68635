"""``duenotice legal-holds``: decisions that data has to be kept, which stop its disposal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from agreements.legal_holds import lift_legal_hold, place_legal_hold, read_legal_holds
from models.errors import NotFound
from models.phrases import counted
from starter.cli.console import console, instant_text, open_installation, with_case_service
from starter.command_line import actor
from starter.resources import utc_now

if TYPE_CHECKING:
    from starter.case_service import CaseService

Reason = Annotated[str, typer.Option(help="Why, in a sentence; it is kept as evidence.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Decisions that data has to be kept, which stop its disposal.")
    group.command("place")(place)
    group.command("lift")(lift)
    group.command("list")(list_)
    app.add_typer(group, name="legal-holds")


def place(
    reason: Reason,
    agreement: Annotated[str, typer.Option(help="The reference of one agreement; left out, it is for all.")] = "",
) -> None:
    """Keep the data of one agreement, or of all: holders that were asked to dispose of it are told to stop."""
    _, database = open_installation()
    hold, cases = place_legal_hold(database, agreement=agreement or None, reason=reason, actor=actor(), now=utc_now())
    console.print(f"Legal hold {hold} is in place, and concerns {counted(len(cases), 'open case')}.")
    _tell(cases)


def lift(hold: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")], reason: Reason) -> None:
    """End a legal hold: holders that were told to stop are asked again."""
    _, database = open_installation()
    lasting = [
        row.id for row in read_legal_holds(database) if not row.lifted_at and str(row.id).startswith(hold.lower())
    ]
    if len(lasting) != 1:
        says = "Several legal holds could be meant" if lasting else "No such legal hold lasts"
        raise NotFound(f"{says}.", next_step="`duenotice legal-holds list` lists them with their ids.")
    cases = lift_legal_hold(database, lasting[0], reason=reason, actor=actor(), now=utc_now())
    console.print(f"The legal hold is lifted, which concerns {counted(len(cases), 'open case')}.")
    _tell(cases)


def list_() -> None:
    """List the legal holds, those that last first."""
    _, database = open_installation()
    rows = read_legal_holds(database)
    if not rows:
        console.print("No legal hold.")
        return
    table = Table("id", "agreement", "placed", "lifted", "reason", box=None, pad_edge=False)
    for row in rows:
        placed, lifted = f"{row.placed_by}, {instant_text(row.placed_at)}", instant_text(row.lifted_at)
        table.add_row(str(row.id)[:8], row.reference or "all", placed, lifted, Text(row.reason))
    console.print(table)


def _tell(cases: Sequence[UUID]) -> None:
    """Tell the cases whose data is concerned; one that cannot be reached is told by the watchdog."""

    async def tell(service: CaseService) -> None:
        for case_id in cases:
            await service.look_again(case_id)

    if cases:
        with_case_service(tell)
