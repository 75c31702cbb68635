"""``duenotice costs``: record and list what a case costs where an agreement makes the provider bear it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from rich.table import Table
from rich.text import Text

from models.phrases import counted
from records.costs import money, read_costs, record_cost
from records.uploads import uploaded_file
from starter.cli.console import console, find_case, instant_text, open_installation
from starter.cli.terms import read_bytes
from starter.command_line import actor
from starter.resources import utc_now

CaseName = Annotated[str, typer.Argument(help="The case: its id or its short reference.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="What a case costs under agreements that make the provider pay.")
    group.command("add")(add)
    group.command("list")(list_)
    app.add_typer(group, name="costs")


def add(
    case: CaseName,
    amount: Annotated[str, typer.Argument(help="In US dollars, as 1250.00; -- -1250.00 takes one back.")],
    agreement: Annotated[str, typer.Option(help="The reference of the agreement that makes the provider pay.")],
    note: Annotated[str, typer.Option(help="What it was for.")],
    receipt: Annotated[Path | None, typer.Option(help="The receipt's file.")] = None,
) -> None:
    """Record one amount."""
    _, database = open_installation()
    record_cost(
        database,
        find_case(database, case),
        uuid4(),
        agreement=agreement,
        amount=amount,
        note=note,
        receipt=uploaded_file(receipt.name, read_bytes(receipt)) if receipt else None,
        actor=actor(),
        now=utc_now(),
    )
    console.print("The amount is recorded.")


def list_(case: CaseName) -> None:
    """List the amounts of a case with their totals."""
    _, database = open_installation()
    costs = read_costs(database, find_case(database, case))
    for says in costs.says:
        console.print(Text(says, style="dim"))
    if not costs.entries:
        bearing = counted(costs.bearing, "agreement makes", "agreements make")
        console.print(f"No amount. {bearing} the provider bear costs.")
        return
    table = Table("recorded", "LEA", "for", "receipt", box=None, pad_edge=False)
    table.add_column("amount", justify="right")
    for entry in costs.entries:
        receipt = "yes" if entry.has_receipt else "no"
        recorded = instant_text(entry.recorded_at)
        table.add_row(recorded, Text(entry.lea_name), Text(entry.note), receipt, money(entry.cents))
    for borne in costs.totals:
        table.add_row("", Text(borne.lea_name), "together", "", money(borne.cents))
    table.add_row("", "", "together", "", money(costs.total_cents))
    console.print(table)
