"""``duenotice calendars import``: load an LEA's school calendar, so that school days can be counted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.phrases import counted, day_words
from starter.cli.terms import read_bytes
from starter.printable import say
from terms.calendars import parse_calendar

calendars_app = typer.Typer(help="School calendars of the LEAs.", no_args_is_help=True)


@calendars_app.callback()
def _calendars() -> None:
    """Keep ``import`` a command of its own, though it is the only one."""


@calendars_app.command("import")
def import_calendar(
    file: Annotated[Path, typer.Argument(help="School calendar, .ics or .csv (columns first,last,kind).")],
    agreement: Annotated[str, typer.Option("--agreement", help="Reference of the LEA's agreement.")],
) -> None:
    """Load the school calendar of one LEA; the newest one counts."""
    from agreements.terms import store_calendar  # with the database, only once the file is sound
    from starter.cli.console import open_installation
    from starter.command_line import actor
    from starter.resources import utc_now

    content = read_bytes(file)
    calendar = parse_calendar(content, file.name)
    _, database = open_installation()
    lea = store_calendar(database, agreement, calendar, content, actor=actor(), now=utc_now())
    say(
        f"{lea}: school from {day_words(calendar.first_day)} to {day_words(calendar.last_day)}, "
        f"closed on {counted(len(calendar.closed_days), 'day')}."
    )


def register(app: typer.Typer) -> None:
    """Add ``calendars`` to the command line."""
    app.add_typer(calendars_app, name="calendars")
