"""``duenotice up`` and what goes with it: the worker or the web alone, a fresh sign-in link, and the demonstration."""

from __future__ import annotations

import asyncio
import re
from importlib import import_module
from typing import Annotated

import typer

from config.settings import load_settings
from models.errors import InvalidInput
from records.sign_in import issue_token
from starter.cli.console import actor, console, open_installation
from starter.local.running import read_running
from starter.resources import utc_now


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(up)
    app.command()(worker)
    app.command()(web)
    app.command("sign-in")(sign_in)
    app.command()(demo)


def up() -> int:
    """Run everything on this machine until Ctrl-C: Temporal, database, mail catcher, worker and web."""
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
    """Run the web alone, for a Temporal server that is already there, until Ctrl-C or SIGTERM."""
    code: int = import_module("starter.local.up").run_web(load_settings(), host, port)
    return code


def sign_in(
    name: Annotated[
        str, typer.Option("--as", help="Whom the link is for, as evidence will name them; else this account.")
    ] = "",
) -> None:
    """Print a fresh one-time sign-in link, for oneself or for another officer."""
    person = _officer(name) if name else actor()
    settings, database = open_installation()
    running = read_running(settings.home)
    url = running.web_url if running else settings.public_url
    console.print(f"{url}/sign-in?token={issue_token(database, person, utc_now())}", soft_wrap=True)


def _officer(name: str) -> str:
    """The name of another officer; no address, since evidence holds it for good and shows it to auditors."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}", name):
        raise InvalidInput(
            "An officer's name here is letters, digits, dots and dashes, and no address.",
            where="--as",
            next_step="Write it as in robin.example.",
        )
    return name


def demo() -> int:
    """Take a suspected breach through to its notices, in virtual time, without a browser."""
    code: int = asyncio.run(import_module("starter.rehearsals.demo").run())
    return code
