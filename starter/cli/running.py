"""``duenotice up`` and what goes with it: the worker or the web alone, a fresh sign-in link, and the demonstration."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Annotated

import typer

from config.settings import load_settings
from people.accounts import first_administrator
from starter.cli.console import console, open_installation, sign_in_link
from starter.command_line import actor
from starter.resources import utc_now


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(up)
    app.command()(worker)
    app.command()(web)
    app.command("sign-in")(sign_in)
    app.command()(demo)


def up() -> int:
    """Run everything on this machine until Ctrl-C: Temporal, database, mail catcher, worker and web.

    All of it is kept in one folder (DUENOTICE_HOME), which nobody but this user can read; one that others could read is
    mended, or refused where it holds other things.
    """
    local = import_module("starter.local.up")
    code: int = local.run_local(load_settings())
    return code


def worker() -> None:
    """Run a worker alone, for a Temporal server that is already there, until SIGTERM."""
    asyncio.run(import_module("worker").run())


def web(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8700,
) -> int:
    """Run the web alone, for a Temporal server that is already there, until Ctrl-C or SIGTERM.

    Behind a proxy, name its address in DUENOTICE_TRUSTED_PROXIES, or all who come through it count as one. Production
    starts only where one is named, or DUENOTICE_NO_PROXY_REASON says why there is none. What people
    who are not signed in may take is bounded by DUENOTICE_LIMITS__…; docs/limits.md lists what.
    """
    code: int = import_module("starter.local.up").run_web(load_settings(), host, port)
    return code


def sign_in(
    name: Annotated[
        str, typer.Option("--as", help="The account that the link signs in; else the administrator's.")
    ] = "",
) -> None:
    """Print a fresh one-time sign-in link; evidence says that you made it."""
    settings, database = open_installation()
    account = name or first_administrator(database, made_by=actor(), now=utc_now())
    console.print(sign_in_link(settings, database, account), soft_wrap=True)


def demo() -> int:
    """Play a case of each kind in virtual time, without a browser: what was due, why, and when it was done."""
    code: int = asyncio.run(import_module("starter.rehearsals.demo").run())
    return code
