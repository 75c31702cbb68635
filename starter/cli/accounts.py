"""``duenotice accounts``: who may sign in, what each may do, and where they are signed in."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from config.keyring import Keyring
from models.enums import Role
from records import accounts
from records.passwords import forget_sign_in
from records.sessions import SessionRules, list_sessions
from starter.cli.console import console, instant_text, open_installation, sign_in_link
from starter.command_line import actor
from starter.resources import utc_now

Name = Annotated[str, typer.Argument(help="The account's name.")]
RoleName = Annotated[Role, typer.Option("--role", help="What the account is for.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Who may sign in: add people, change their roles, disable them.")
    group.command("list")(list_)
    group.command()(add)
    group.command()(role)
    group.command()(disable)
    group.command()(enable)
    group.command()(forget)
    group.command()(sessions)
    app.add_typer(group, name="accounts")


def list_() -> None:
    """List everybody who can or could sign in."""
    _, database = open_installation()
    found = accounts.list_accounts(database)
    if not found:
        console.print("No account. The first start of `duenotice up` makes one, and so does `duenotice sign-in`.")
        return
    table = Table("name", "role", "e-mail", "signs in by", "made", "by", "disabled", box=None, pad_edge=False)
    for account in found:
        what = (account.role.value, Text(account.email or "–"), account.signs_in_by)
        made = (instant_text(account.made_at), Text(account.made_by))
        table.add_row(Text(account.name), *what, *made, instant_text(account.disabled_at))
    console.print(table)


def add(
    name: Name,
    role: RoleName = Role.OFFICER,
    email: Annotated[str | None, typer.Option(help="Where its person is written to.")] = None,
) -> None:
    """Add an account, and print the one-time link that signs its person in."""
    settings, database = open_installation()
    added = accounts.add_account(database, name, role, email=email, made_by=actor(), now=utc_now())
    console.print(Text(f"{added.name} is made, {accounts.with_article(added.role)}. The link works once, for a day:"))
    console.print(sign_in_link(settings, database, added.name), soft_wrap=True)


def role(name: Name, role: Annotated[Role, typer.Argument(help="What the account is for from now on.")]) -> None:
    """Change what an account is for."""
    _, database = open_installation()
    accounts.change_role(database, name, role, actor=actor(), now=utc_now())
    console.print(Text(f"{name} is {accounts.with_article(role)} from now on."))


def disable(name: Name) -> None:
    """Let nobody sign in to an account any more, and end its sessions; the account stays, since evidence names it."""
    _, database = open_installation()
    accounts.disable(database, name, actor=actor(), now=utc_now())
    console.print(Text(f"{name} is disabled and signed out everywhere."))


def enable(name: Name) -> None:
    """Let the person of a disabled account sign in again; `duenotice sign-in --as` prints a link."""
    _, database = open_installation()
    accounts.enable(database, name, actor=actor(), now=utc_now())
    console.print(Text(f"{name} can sign in again."))


def forget(name: Name) -> None:
    """Forget an account's password, codes, passkeys and identity at a provider, unlock it, and print a link."""
    settings, database = open_installation()
    forget_sign_in(database, name, actor=actor(), now=utc_now())
    console.print(Text(f"How {name} signed in is forgotten. The link works once, for a day:"))
    console.print(sign_in_link(settings, database, name), soft_wrap=True)


def sessions() -> None:
    """List who is signed in where; administrators end sessions on the page of accounts."""
    settings, database = open_installation()
    rules = SessionRules(
        timedelta(minutes=settings.session_idle_minutes),
        timedelta(hours=settings.session_hours),
        Keyring.load(settings.keyring).sealing_key_id,
    )
    found = list_sessions(database, rules, utc_now())
    if not found:
        console.print("Nobody is signed in.")
        return
    table = Table("name", "signed in by", "since", "last used", "browser", box=None, pad_edge=False)
    for one in found:
        method = one.authenticated.value.replace("_", " ")
        table.add_row(Text(one.actor), method, instant_text(one.began_at), instant_text(one.seen_at), Text(one.browser))
    console.print(table)
