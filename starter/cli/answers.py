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
    settings, database = open_installation()
    found = read_answers(database, find_case(database, case))
    console.print(f"{found.acknowledged:,} of {counted(found.given, 'given notice')} acknowledged.")
    if found.offering:
        console.print(
            f"Of {counted(found.offering, 'notice that asks', 'notices that ask')} for a decision: "
            f"{found.no_objections:,} no objection, {len(found.exercised):,} ended the agreement, of {found.silent:,} "
            "silence was noted, which is nobody's consent. It is noted "
            f"{counted(settings.defaults.answer_days, 'day')} after the notice, by default: no clause gives that time.",
            soft_wrap=True,
        )
    _show("Agreements ended", found.exercised)
    _show("Questions", found.questions)
    _show("Renewals that they expect", found.facts)
    _show("Other contacts named", found.contacts)
    if found.unacknowledged:
        table = Table("not acknowledged", "agreement", "notice", "given", "reminders", box=None, pad_edge=False)
        for item in found.unacknowledged:
            given = (instant_text(item.given_at), str(item.reminders))
            noted = f", silence noted {instant_text(item.silent_at)}" if item.silent_at else ""
            table.add_row(Text(item.lea_name), item.agreement_reference, f"{item.clause_title}{noted}", *given)
        console.print(table)


def _show(heading: str, given: tuple[AnswerView, ...]) -> None:
    if not given:
        return
    console.print(Text(heading, style="bold"))
    for answer in given:
        state = f"done {instant_text(answer.seen_at)}" if answer.seen_at else "open"
        address = f" <{answer.email}>" if answer.email else ""
        who = f"{answer.lea_name}, {answer.name}{address}"
        if answer.recorded_by:
            who = f"{answer.lea_name}, as {answer.recorded_by} heard and recorded it"
        console.print(Text(f"  {who}, {instant_text(answer.given_at)}, {state}, {answer.id}"))
        if answer.ground:
            console.print(Text(f"  {answer.ground}"))
        if answer.text:
            console.print(Text(answer.text, style="dim"))
        for reply in answer.replies:
            console.print(Text(f"  {reply.replied_by}, {instant_text(reply.replied_at)}, letter {reply.status}"))
            console.print(Text(reply.text, style="dim"))
