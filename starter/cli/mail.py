"""``duenotice mail``: whether notices will leave, arrive and be believed, before one has to; and what came back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from config.keyring import Keyring
from config.settings import Settings
from mail.domain_check import Records, check_address, check_domain
from mail.facts import checked_address
from mail.findings import Finding, Level
from mail.handover import Accepted, OutcomeUnknown
from mail.relay_check import check_relay
from mail.smtp_connection import introduce
from models.errors import ConfigurationError, Unavailable
from starter.cli.bounces import bounces
from starter.cli.console import command_settings, console
from starter.command_line import actor
from starter.mail_tests import send_mail_test
from starter.printable import say
from starter.resources import open_database, utc_now
from starter.writing import sender_domain, signing_keys, smtp_server

_COLOURS = {Level.GOOD: "green", Level.NOTE: "yellow", Level.PROBLEM: "bold red"}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Check how mail leaves, and take in what comes back.")
    group.command("check")(check)
    group.command("bounces")(bounces)
    app.add_typer(group, name="mail")


def check(
    to: Annotated[str | None, typer.Option("--to", help="Send a test mail there as well.")] = None,
    selector: Annotated[
        list[str] | None, typer.Option("--selector", help="Where the mail server's DKIM key is; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
    resolver: Annotated[str | None, typer.Option("--resolver", hidden=True, help="HOST:PORT of a DNS server.")] = None,
) -> None:
    """Say what the mail server offers and what the DNS says for the sender's domain, and what to do about it.

    It ends with exit code 0 where nothing has to be put right, 4 where something has, and 5 where the mail server or
    the DNS does not answer.
    """
    settings = command_settings()
    if to is not None:
        checked_address(to, where="to")
    if settings.smtp.host is None:
        raise ConfigurationError(
            "No mail server is set: mail is kept in a folder of this machine.",
            where="DUENOTICE_SMTP__HOST",
            next_step="Set it to the mail server that notices are to go out by.",
        )
    found, is_away = asyncio.run(_look(settings, _records(resolver), selector or [], to))
    is_sound = not is_away and all(one.level is not Level.PROBLEM for one in found)
    if as_json:
        say(json.dumps({"sound": is_sound, "findings": [asdict(one) for one in found]}))
    else:
        _show(found)
    if not is_sound:
        raise typer.Exit(Unavailable.exit_code if is_away else ConfigurationError.exit_code)


def _records(resolver: str | None) -> Records:
    host, _, port = (resolver or "").rpartition(":")
    return Records((host, int(port)) if resolver else None)


def _show(found: Sequence[Finding]) -> None:
    for one in found:
        level = (f"{one.level.value:8}", _COLOURS[one.level])
        console.print(Text.assemble(level, f"{one.about:13}"), end="")
        console.print(f"{one.says} {one.do or ''}".rstrip(), markup=False, soft_wrap=True)


async def _look(
    settings: Settings, records: Records, selectors: Sequence[str], to: str | None
) -> tuple[list[Finding], bool]:
    """What was found, and whether mail server or DNS did not answer; one that does not keeps nothing else back."""
    looks = {"server": _relay(settings, records), "DNS": _domain(settings, records, selectors)}
    if to is not None:
        looks["test mail"] = _test(settings, to)
    found: list[Finding] = []
    is_away = False
    for about, look in looks.items():
        try:
            found += await look
        except (Unavailable, OutcomeUnknown) as error:
            found.append(Finding(about, Level.PROBLEM, f"{error.where}: {error.message}", error.next_step))
            is_away = True
    return found, is_away


async def _relay(settings: Settings, records: Records) -> list[Finding]:
    server = smtp_server(settings)
    introduction = await introduce(server)
    pointer = await asyncio.to_thread(check_address, records, introduction.address)
    return [*check_relay(server, introduction, utc_now()), pointer]


async def _domain(settings: Settings, records: Records, selectors: Sequence[str]) -> list[Finding]:
    keys = signing_keys(settings)
    return await asyncio.to_thread(check_domain, records, sender_domain(settings), keys, selectors)


async def _test(settings: Settings, to: str) -> list[Finding]:
    keyring = Keyring.load(settings.keyring)
    database = open_database(settings, keyring)
    answer = await send_mail_test(database, settings, keyring, to, actor=actor(), now=utc_now())
    if isinstance(answer, Accepted):
        returns = "If it comes back, the page /mail says so." if settings.bounces.address else ""
        queued = f" as {answer.queue_id}" if answer.queue_id else ""
        return [
            Finding(
                "test mail",
                Level.GOOD,
                f"The mail server took it{queued}.",
                f"See that it arrives, and that Authentication-Results in its header says pass. {returns}".rstrip(),
            )
        ]
    says = f"The mail server refused it: {answer.code} {answer.text}"
    return [Finding("test mail", Level.PROBLEM, says, "Ask its operator why.")]
