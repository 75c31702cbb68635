"""``duenotice letters``: list the letters that wait to be posted, and print them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from activities.postal_letters import bring_up_to_date
from config.database import Database
from config.keyring import Keyring
from config.private_files import private_file
from models.errors import NotFound, Unavailable
from models.phrases import counted
from queries.postal_letters import UNOPENED, EarlierLetterView, PostalLetterView, letters_posted, letters_to_post
from records.printing import print_letters
from starter.cli.console import console, find_case, instant_text, open_installation
from starter.command_line import actor
from starter.resources import utc_now
from starter.writing import notice_writer

Letters = Annotated[
    list[str] | None, typer.Argument(help="Letters: their ids, or the beginnings of them; without any, all.")
]
CaseName = Annotated[str | None, typer.Option("--case", help="Only those of one case: its id or its short reference.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Letters to post, where no e-mail reaches a contact.")
    group.command("list")(list_)
    group.command("print")(print_)
    app.add_typer(group, name="letters")


def list_(
    case: CaseName = None,
    posted: Annotated[bool, typer.Option("--posted", help="Those that somebody says were posted instead.")] = False,
) -> None:
    """List the letters that wait to be posted, the first due before the others.

    Once one is posted, record it by `duenotice KIND posted CASE SERVICE LETTER`, as `duenotice breach posted --help`
    says; `not-posted` takes that back.
    """
    _, database = open_installation()
    read = letters_posted if posted else letters_to_post
    found, _ = read(database, utc_now(), case_id=find_case(database, case) if case else None)
    if not found:
        console.print("No letter was posted." if posted else "No letter waits to be posted.")
    for letter in found:
        style = "red" if letter.overdue else ""
        console.print(_line(letter), soft_wrap=True, style=style)
        console.print(Text(f"  {_how(letter)}"), soft_wrap=True)
        for earlier in letter.earlier:
            console.print(Text(f"  {_earlier(earlier)}"), soft_wrap=True, style="yellow")


def print_(
    to: Annotated[Path, typer.Option("--to", help="The PDF to write.", show_default=False)],
    letters: Letters = None,
) -> None:
    """Write letters into one PDF, each followed by what belongs into its envelope; it is noted who was given them.

    What is known by now is what is printed: a letter that says less is written anew first.
    """
    settings, database = open_installation()
    named, now = [_named(database, name).id for name in letters or ()], utc_now()
    bring_up_to_date(database, notice_writer(settings, Keyring.load(settings.keyring)), named, now)
    with database.writing() as session:
        # Before it is committed: nobody was given what could not be written.
        _write(print_letters(session, named, actor=actor(), now=now), to)
    console.print(Text(f"Written to {to}. Fold on the marks, for No. 10 window envelopes."))


def _write(pdf: bytes, to: Path) -> None:
    try:
        private_file(to)
        to.write_bytes(pdf)
    except OSError as error:
        raise Unavailable(
            f"The letters cannot be written: {error.strerror}.", where=str(to), next_step="Name another file in --to."
        ) from None


def _named(database: Database, name: str) -> PostalLetterView:
    waiting, _ = letters_to_post(database, utc_now())
    found = [letter for letter in waiting if str(letter.id).startswith(name.lower())]
    if len(found) != 1:
        says = "Several letters could be meant." if found else "No such letter waits to be posted."
        raise NotFound(says, where="letter", next_step="`duenotice letters list` lists them with their ids.")
    return found[0]


def _line(letter: PostalLetterView) -> Text:
    until = instant_text(letter.due_at) if letter.due_at else "at once"
    return Text(
        f"{until}, case {letter.case_reference}, {letter.lea_name} ({letter.reference}): {letter.title}. "
        f"Letter {letter.id}{f' to {letter.contact_name}' if letter.contact_name else ''}."
    )


def _earlier(letter: EarlierLetterView) -> str:
    return (
        f"Do not post letter {letter.id}, printed by {letter.printed_by} {instant_text(letter.printed_at)}: this was "
        f"written anew {instant_text(letter.replaced_at)}, as {letter.why}. If it was posted already, record that."
    )


def _how(letter: PostalLetterView) -> str:
    if letter.unopened:
        return f"{UNOPENED} It is {letter.unopened}."
    if letter.mailed_at and letter.mailed_by:
        gives = f"gives the notice {instant_text(letter.effective_at)}" if letter.effective_at else "gives no notice"
        return f"{letter.mailed_by} says that it was posted {instant_text(letter.mailed_at)}; on that word it {gives}."
    printed = f" Printed by {letter.printed_by}." if letter.printed_by else ""
    enclosed = f" {counted(letter.enclosed, 'document')} to enclose." if letter.enclosed else ""
    return f"{letter.gives_notice}{enclosed}{printed}"
