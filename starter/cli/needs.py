"""``duenotice needs-you``: what needs people, whose it is, and until when."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from rich.text import Text

from records.needs import Asking, NeedView, read_needs
from starter.cli.console import console, instant_text, open_installation
from starter.command_line import actor
from starter.local.running import as_running
from starter.resources import utc_now

SHOWN = 50
"""How many lines a page has."""

LAST_PAGE = 1_000_000


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("needs-you")(needs_you)


def needs_you(page: Annotated[int, typer.Option(min=1, max=LAST_PAGE, help="Which page of the list.")] = 1) -> None:
    """Show what needs people in all cases: what is overdue first, with whose it is and where it is done."""
    settings, database = open_installation()
    asking = Asking(actor(), soon=timedelta(hours=settings.leaves_soon_hours))
    offset = (page - 1) * SHOWN
    needs, total = read_needs(database, asking, utc_now(), offset=offset, limit=SHOWN)
    if not total:
        console.print("Nothing needs anybody now.")
        return
    for need in needs:
        console.print(_line(need), soft_wrap=True, style="red" if need.overdue else "")
        console.print(f"  {as_running(settings).public_url}{need.link}", soft_wrap=True)
    if total > SHOWN:
        console.print(f"{offset + 1:,} to {offset + len(needs):,} of {total:,}.", soft_wrap=True)


def _line(need: NeedView) -> Text:
    until = instant_text(need.until) if need.until else "at once"
    whose = " / ".join(name for name in (need.responsible, need.deputy) if name) or "organisation"
    leaves = f" If nobody acts, this goes out by itself {instant_text(need.leaves_at)}." if need.leaves_at else ""
    internal = f" (internally {instant_text(need.internal_at)})" if need.internal_at else ""
    return Text(f"{until}{internal}, case {need.case_reference or 'all'}, {whose}: {need.says}{leaves}")
