"""``duenotice mail``: what an operator asks of the mail."""

from __future__ import annotations

import typer

from starter.cli.bounces import bounces


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="What comes back about notices.")
    group.callback()(_together)  # or typer would take the only command for the group itself
    group.command("bounces")(bounces)
    app.add_typer(group, name="mail")


def _together() -> None:
    """What an operator asks of the mail."""
