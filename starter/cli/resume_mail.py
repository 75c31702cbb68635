"""``duenotice resume-mail``: let mail go on that was paused, since too many refusals were alike."""

from __future__ import annotations

import typer

from models.phrases import counted
from queries.mail import read_mail
from records.mail_state import resume
from starter.cli.console import console, open_installation
from starter.command_line import actor
from starter.resources import utc_now


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("resume-mail")(resume_mail)


def resume_mail() -> None:
    """Let mail go on that was paused, since too many refusals were alike: what waits leaves within a minute."""
    _, database = open_installation()
    waiting = read_mail(database).waiting
    with database.writing() as session:
        resume(session, actor(), utc_now())
    console.print(f"Mail goes on: {counted(waiting, 'notice waits', 'notices wait')} for it.")
