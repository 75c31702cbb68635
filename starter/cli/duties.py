"""``duenotice duties``: what is coming across all agreements, and why."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from models.errors import InvalidInput
from queries.agreement_clauses import ClauseView, read_clauses
from queries.upcoming import DAYS, MOST_DAYS, Coming, Looking, UpcomingView, read_upcoming
from starter.cli.console import console, open_installation
from starter.printable import say
from starter.resources import utc_now
from terms.catalogue import load_catalogue

SHOWN = 100
"""How many duties a page has."""


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="What is coming across all agreements.")
    group.callback()(lambda: None)  # or typer would take the only command for the group itself
    group.command("upcoming")(upcoming)
    app.add_typer(group, name="duties")


def upcoming(
    days: Annotated[int, typer.Option(min=0, max=MOST_DAYS, help="How many days ahead to look.")] = DAYS,
    agreement: Annotated[str, typer.Option(help="Only the agreement of this reference.")] = "",
    clause: Annotated[str, typer.Option(help="Only the clause of this id.")] = "",
    every: Annotated[
        bool, typer.Option("--all", help="Every clause of the agreement's terms: its next due date, or why none.")
    ] = False,
    why: Annotated[bool, typer.Option("--why", help="Say for each duty why it is due then.")] = False,
    after: Annotated[str, typer.Option(help="Begin after this place in the list, as the page before gives it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is coming, soonest first: open duties of cases, and due dates that have no case yet."""
    settings, database = open_installation()
    if every:
        if not agreement:
            raise InvalidInput(
                "--all is for one agreement.", where="--all", next_step="Name it with --agreement REFERENCE."
            )
        found = read_clauses(database, load_catalogue(), settings.defaults, settings.side, agreement, utc_now())
        views = tuple(view for view in found if not clause or view.clause == clause)
        _print_json([view.model_dump(mode="json") for view in views]) if as_json else _print_clauses(views)
        return
    which = Coming(days=days, agreement=agreement, clause=clause, after=after)
    looking = Looking(load_catalogue(), settings.side, timedelta(days=settings.standing_lead_days))
    duties, following = read_upcoming(database, looking, which, utc_now(), limit=SHOWN)
    if as_json:
        _print_json({"items": [duty.model_dump(mode="json") for duty in duties], "next": following})
        return
    if not duties:
        console.print(f"Nothing is due within {days} days. --days looks further ahead." if not after else "No more.")
        return
    _print_duties(duties, why=why)
    if following:
        console.print(f"There is more: --after {following}", soft_wrap=True)


def _print_json(given: object) -> None:
    say(json.dumps(given, indent=2))


def _print_duties(duties: tuple[UpcomingView, ...], *, why: bool) -> None:
    titles = ("due (LEA's time)", "LEA", "reference", "duty", "performed by", "responsible", "case")
    table = Table(*titles, box=None, pad_edge=False)
    for duty in duties:
        whose = duty.responsible or "organisation"
        what = Text(f"{duty.title} ({duty.citation})")
        cells = (Text(duty.lea_name), Text(duty.reference), what, duty.performed_by, whose, duty.case_reference or "–")
        due = f"{duty.due_local}\ninternally {duty.internal_local}" if duty.internal_local else duty.due_local
        table.add_row(due, *cells, style=_style(duty))
    console.print(table)
    if not why:
        return
    for duty in duties:
        console.print(Text(f"\n{duty.lea_name}, {duty.clause}, {duty.due_local}", style="bold"))
        for sentence in (*duty.why, duty.says):
            console.print(f"  {sentence}", markup=False)


def _style(duty: UpcomingView) -> str:
    if duty.overdue:
        return "red"
    return "yellow" if duty.past_internal else ""


def _print_clauses(views: tuple[ClauseView, ...]) -> None:
    for view in views:
        console.print(Text(f"{view.due_local or '–'}  {view.clause}: {view.title} ({view.citation})", style="bold"))
        console.print(Text(f"  {view.value}. {view.says}"), soft_wrap=True)
