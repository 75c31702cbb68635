"""``duenotice mail bounces``: take in what came back about notices, now, from the mailbox or from a file."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from models.errors import ConfigurationError, InvalidInput
from models.phrases import counted
from records.bounces import Fate
from starter.bounce_ways import imap_server, read_mailbox_once
from starter.bounces import BounceIntake
from starter.cli.console import connected_resources
from starter.printable import say

_SAID = {
    Fate.RECORDED: "recorded",
    Fate.KNOWN: "known before",
    Fate.FOREIGN: "about no delivery of this installation",
}


def bounces(
    file: Annotated[
        Path | None, typer.Option("--file", help="Take in this one message (.eml), instead of the mailbox.")
    ] = None,
) -> None:
    """Take in what came back: each report is recorded once, however often it is given."""
    say(asyncio.run(_of_file(_read(file)) if file else _of_mailbox()))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"The file cannot be read: {error.strerror}.", where=str(file)) from None


async def _of_file(raw: bytes) -> str:
    taken = await BounceIntake(await connected_resources()).take_mail(raw, "file")
    if taken.foreign:
        return "This came back to no return path of this installation; nothing was recorded."
    fates = Counter(taken.fates)
    return "; ".join(f"{counted(fates[fate], 'report')} {said}" for fate, said in _SAID.items() if fates[fate]) + "."


async def _of_mailbox() -> str:
    resources = await connected_resources()
    server = imap_server(resources.settings)
    if server is None:
        raise ConfigurationError(
            "No mailbox is named that notices return to.",
            where="DUENOTICE_BOUNCES__IMAP_HOST",
            next_step="Name it, or give a message with --file.",
        )
    done, left = await read_mailbox_once(BounceIntake(resources), server)
    waits = f"; {counted(left, 'message')} left for the next time" if left else ""
    return f"{counted(done, 'message')} taken from the mailbox{waits}."
