"""``duenotice accounts``: who may sign in, what each may do, and where they are signed in."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from config.keyring import Keyring
from models.enums import Role
from models.phrases import counted
from people import accounts, api_tokens
from people.api_tokens import GOOD_FOR, LONGEST
from people.passwords import forget_sign_in
from people.sessions import SessionRules, list_sessions
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
    group.command("make-token")(make_token)
    group.command("tokens")(tokens)
    group.command("end-token")(end_token)
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
    """Add an account, and print the one-time link that signs its person in; of a program, which has none, its token."""
    settings, database = open_installation()
    added = accounts.add_account(database, name, role, email=email, made_by=actor(), now=utc_now())
    says = f"{added.name} is made, {accounts.with_article(added.role)}."
    if role is Role.PROGRAM:
        console.print(Text(says))
        make_token(added.name)
        return
    console.print(Text(f"{says} The link works once, for a day:"))
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


def make_token(
    name: Name,
    days: Annotated[int, typer.Option(help="For how many days it is good.")] = GOOD_FOR.days,
) -> None:
    """Make a token by which a program asks the JSON interface in an account's name, and print it this once.

    Only programs, which report, and auditors, who read, have tokens. docs/api.md says how one is used.
    """
    settings, database = open_installation()
    good_for = timedelta(days=min(max(days, 0), LONGEST.days + 1))
    token = api_tokens.make_token(
        database, Keyring.load(settings.keyring), name, made_by=actor(), now=utc_now(), good_for=good_for
    )
    console.print(Text(f"The token of {name}, good for {counted(days, 'day')}; it is kept nowhere, so keep it now:"))
    console.print(token, soft_wrap=True)


def tokens() -> None:
    """List the tokens that are good."""
    _, database = open_installation()
    found = api_tokens.list_tokens(database, utc_now())
    if not found:
        console.print("There is no token. `duenotice accounts make-token` makes one.")
        return
    table = Table("token", "account", "role", "made", "by", "good until", "last used", box=None, pad_edge=False)
    for one in found:
        made = (instant_text(one.made_at), Text(one.made_by))
        lasts = (instant_text(one.expires_at), instant_text(one.used_at))
        table.add_row(str(one.id), Text(one.account), one.role.value, *made, *lasts)
    console.print(table)


def end_token(token: Annotated[UUID, typer.Argument(help="The token's id, as `tokens` lists it.")]) -> None:
    """Have a token be good no more."""
    _, database = open_installation()
    api_tokens.end_token(database, token, actor=actor(), now=utc_now())
    console.print("The token is good no more.")
