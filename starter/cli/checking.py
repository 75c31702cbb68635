"""*Check your answers* on the command line: what would follow is shown, and then asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.text import Text

from models.errors import DoubtfulDates
from models.phrases import counted
from starter.cli.console import console, local_text
from starter.terminal import LATE

if TYPE_CHECKING:  # with Temporal's client and the writing of notices, which commands that read can do without
    from queries.consequences import Consequences, ForeseenDuties
    from queries.previews import LetterPreview
    from starter.case_service import Checked

YES = typer.Option("--yes", help="Record it without asking, as scripts do.")
DATES_CONFIRMED = typer.Option(
    "--dates-confirmed", help="The dates that hardly can be meant are meant; it is kept as evidence that you said so."
)

_ASKS_TO_SEND = "Nothing is recorded yet, and nothing has been sent. Send this letter?"

_CHANGES = {
    "starts": ("starts", "start"),
    "moves": ("moves", "move"),
    "waits": ("waits for a fact that is not known", "wait for a fact that is not known"),
    "ends": ("is no longer owed", "are no longer owed"),
}
"""What becomes of one duty, and of several."""


def ask(checked: Checked, *, yes: bool, dates_confirmed: bool) -> None:
    """Show what would follow, and ask whether to record it; ``yes`` does not stand for confirming doubtful dates.

    Raises:
        DoubtfulDates: a date is hardly meant, and that was not confirmed.
        typer.Exit: the answer is no.
    """
    if checked.doubts and not dates_confirmed:
        raise DoubtfulDates(checked.doubts)
    if checked.letter:
        _show_letter(checked.letter)
    else:
        _show(checked.foreseen)
    if not yes and not typer.confirm(_ASKS_TO_SEND if checked.letter else "Nothing is recorded yet. Record it?"):
        console.print("Nothing was recorded.")
        raise typer.Exit(1)


def _show_letter(letter: LetterPreview) -> None:
    told = [("To", letter.to), *(("Copy to", copy) for copy in letter.copies), ("Answers to", letter.answers_to)]
    for name, value in (*told, ("Subject", letter.subject)):
        console.print(f"{name}: {value}", markup=False, soft_wrap=True)
    console.print(f"\n{letter.text}", markup=False, soft_wrap=True)


def _show(foreseen: Consequences) -> None:
    for line in foreseen.duties:
        _show_line(line, at_once=foreseen.at_once)
    if not foreseen.duties:
        console.print("No clock starts or changes.")
    for one in foreseen.asked:
        says = f"Asked to dispose of the data as soon as this is recorded: {one.name} <{one.email}>"
        console.print(says, markup=False, soft_wrap=True)
    for title in foreseen.stopped:
        console.print(f"While it is open, this disposal stops, and its holders are told: {title}", markup=False)
    for sentence in foreseen.left_out:
        console.print(f"Left out: {sentence}", markup=False, soft_wrap=True)
    for given_up in foreseen.given_up:
        console.print(f"No longer waited for: {counted(given_up.duties, 'duty', 'duties')} under {given_up.clause}.")
    if foreseen.supplements:
        told = counted(
            foreseen.supplements.mailed, "district that was told before gets", "districts that were told before get"
        )
        console.print(f"{told} a supplement.")
    if foreseen.overdue:
        overdue = counted(foreseen.overdue, "duty", "duties")
        console.print(Text.assemble((f"{overdue} would be overdue already.", LATE), " Is a date mistyped?"))


def _show_line(line: ForeseenDuties, *, at_once: bool) -> None:
    due = f", due {local_text(line.due_at, line.time_zone)} ({line.time_zone})" if line.due_at else ""
    before = f", which was {local_text(line.due_before, line.time_zone)}" if line.due_before else ""
    if line.internal_due_at:
        due += f", internally {local_text(line.internal_due_at, line.time_zone)}"
    one, several = _CHANGES[line.change.value]
    duties, becomes = counted(line.duties, "duty", "duties"), one if line.duties == 1 else several
    overdue = (" OVERDUE", LATE) if line.overdue else ""
    console.print(Text.assemble(f"{duties} under {line.clause} {becomes}{due}{before}", overdue))
    if line.mailed:
        when = "at once" if at_once else f"when released, else at {local_text(line.leaves_at, line.time_zone)}"
        named = "; ".join(f"{one.lea_name}: {', '.join(one.ways)}" for one in line.told)
        more = f"; and {line.mailed - len(line.told):,} more" if line.mailed > len(line.told) else ""
        written_to = counted(line.mailed, "district is", "districts are")
        console.print(f"  {written_to} written to {when}: {named}{more}", markup=False, soft_wrap=True)
    for sentence in line.why:
        console.print(f"  {sentence}", markup=False, soft_wrap=True)
