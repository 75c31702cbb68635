"""``duenotice status``: whether every part of the engine is in order."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from config.database import Database
from config.keyring import Keyring
from config.object_store import open_store
from config.settings import Settings
from models.errors import InvalidInput, Unavailable
from starter.cli.console import command_settings, console
from starter.health import NAMES, WORKER, Check, Health, HealthCheck
from starter.local.running import read_running
from starter.printable import say
from starter.resources import connect_client
from starter.terminal import LATE


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("status")(status)


def status(
    worker: Annotated[
        bool, typer.Option("--worker", help="Only say whether the worker on this machine asks for work.")
    ] = False,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help=f"A part that does not count: {', '.join(NAMES)}.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Say how each part of the engine is, as `/readyz` does: database, Temporal, worker, ledger, mail, clocks.

    It ends with exit code 0 where every part is in order, else with 5. Nothing is changed.
    """
    if unknown := [name for name in exclude or () if name not in NAMES]:
        raise InvalidInput(
            f"There is no part called {unknown[0]}.", where="--exclude", next_step=f"There are {', '.join(NAMES)}."
        )
    settings = command_settings()
    health = asyncio.run(_look(settings))
    checks = (_here(health),) if worker else health.checks
    ready = all(check.ok for check in checks if check.name not in (exclude or ()))
    if as_json:
        say(json.dumps({"ready": ready, "checks": [asdict(check) for check in checks]}))
    else:
        for check in checks:
            word, style = ("ok", "green") if check.ok else ("amiss", LATE)
            console.print(Text.assemble((f"{word:7}", style), f"{check.name:12}{check.says}"), soft_wrap=True)
        if not worker and settings.alert_urls is None:
            says = "They go by mail alone, so that mail is down reaches nobody: set DUENOTICE_ALERT_URLS."
            console.print(Text.assemble((f"{'note':7}", "yellow"), f"{'alarms':12}{says}"), soft_wrap=True)
    if not ready:
        raise typer.Exit(Unavailable.exit_code)


async def _look(settings: Settings) -> Health:
    keyring = Keyring.load(settings.keyring)
    database = Database(settings.database_url.get_secret_value(), keyring, open_store(settings.artifacts))
    running = read_running(settings.home)
    client = await connect_client(settings, keyring, running.temporal_address if running else None, lazy=True)
    try:
        return await HealthCheck(
            database, client, settings.watchdog_minutes, checkpoint_minutes=settings.checkpoint_minutes
        ).look()
    finally:
        database.close()


def _here(health: Health) -> Check:
    """Whether a worker of this machine asks for work; Temporal knows each by its process and its machine."""
    machine = f"@{socket.gethostname()}"
    if health.pollers and all(any(who.endswith(machine) for who in asking) for asking in health.pollers.values()):
        return Check(WORKER, True, "The worker on this machine asks for work.")
    found = health.of(WORKER)
    return found if not found.ok else Check(WORKER, False, "No worker on this machine asks for work.")
