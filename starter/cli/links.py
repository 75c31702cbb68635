"""``duenotice links``: replace the links that an LEA has in a case, or take them back."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.text import Text

from config.keyring import Keyring
from records.links import notice_under, revoke_links
from starter.cli.console import console, find_case, open_installation
from starter.command_line import actor
from starter.link_mails import replace_and_mail_links
from starter.local.running import as_running
from starter.resources import utc_now

CaseName = Annotated[str, typer.Argument(help="The case: its id or its short reference.")]
Reference = Annotated[str, typer.Argument(help="The reference of the LEA's agreement.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept as evidence.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="The links in notices: replace them, or take them back.")
    group.command()(replace)
    group.command()(revoke)
    app.add_typer(group, name="links")


def replace(case: CaseName, agreement: Reference, reason: Reason) -> None:
    """End the links that an LEA has in a case, and mail new ones to whoever was told.

    The page of a notice's link mails them to another contact.
    """
    settings, database = open_installation()
    case_id = find_case(database, case)
    replacing = replace_and_mail_links(
        database,
        as_running(settings),
        Keyring.load(settings.keyring),
        case_id,
        notice_under(database, case_id, agreement),
        None,
        reason,
        actor=actor(),
        now=utc_now(),
    )
    address = asyncio.run(replacing)
    console.print(Text(f"The earlier links open nothing any more. New ones were mailed to {address}."))


def revoke(case: CaseName, agreement: Reference, reason: Reason) -> None:
    """End the links that an LEA has in a case, without giving it others."""
    _, database = open_installation()
    case_id = find_case(database, case)
    notice_id = notice_under(database, case_id, agreement)
    revoke_links(database, case_id, notice_id, reason, actor=actor(), now=utc_now())
    console.print(Text("The links open nothing any more."))
