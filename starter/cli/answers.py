"""``duenotice answers``: what the LEAs of a case have answered to their notices."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from models.phrases import counted
from records.answers import AnswerView, read_answers
from starter.cli.console import console, find_case, instant_text, open_installation


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(answers)


def answers(case: Annotated[str, typer.Argument(help="The case: its id or its short reference.")]) -> None:
    """Show what the LEAs of a case answered: acknowledgements, questions with our answers, and contacts they named."""
    _, database = open_installation()
    found = read_answers(database, find_case(database, case))
    console.print(f"{found.acknowledged:,} of {counted(found.given, 'given notice')} acknowledged.")
    _show("Questions", found.questions)
    _show("Renewals that they expect", found.facts)
    _show("Other contacts named", found.contacts)
    if found.unacknowledged:
        table = Table("not acknowledged", "agreement", "notice", "given", "reminders", box=None, pad_edge=False)
        for item in found.unacknowledged:
            given = (instant_text(item.given_at), str(item.reminders))
            table.add_row(Text(item.lea_name), item.agreement_reference, item.clause_title, *given)
        console.print(table)


def _show(heading: str, given: tuple[AnswerView, ...]) -> None:
    if not given:
        return
    console.print(Text(heading, style="bold"))
    for answer in given:
        state = f"done {instant_text(answer.seen_at)}" if answer.seen_at else "open"
        address = f" <{answer.email}>" if answer.email else ""
        who = f"{answer.lea_name}, {answer.name}{address}"
        console.print(Text(f"  {who}, {instant_text(answer.given_at)}, {state}, {answer.id}"))
        if answer.text:
            console.print(Text(answer.text, style="dim"))
        for reply in answer.replies:
            console.print(Text(f"  {reply.replied_by}, {instant_text(reply.replied_at)}, letter {reply.status}"))
            console.print(Text(reply.text, style="dim"))
