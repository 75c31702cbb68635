"""What commands share: opening the installation, reading what people type, and showing instants and tables."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from config.database import Database
from config.keyring import Keyring
from config.logging import configure_logging
from config.settings import Settings, load_settings
from models import identifiers
from models.errors import InvalidInput, NotFound
from models.phrases import instant_words
from people.sign_in import issue_token
from queries.case_lists import cases_between
from starter.command_line import actor
from starter.local.running import read_running
from starter.resources import Resources, connect, open_database, utc_now
from starter.terminal import wide_terminal

if TYPE_CHECKING:
    from starter.case_service import CaseService
    from starter.many_openings import ManyOpenings

Answer = TypeVar("Answer")

console = wide_terminal()


def command_settings() -> Settings:
    """The settings, with a log that keeps quiet beside a command's own words unless it was asked to speak."""
    settings = load_settings()
    if "log_level" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_level": "warning"})
    configure_logging(settings)
    return settings


def open_installation() -> tuple[Settings, Database]:
    """The settings and the database, for commands that need no server."""
    settings = command_settings()
    return settings, open_database(settings, Keyring.load(settings.keyring))


def sign_in_link(settings: Settings, database: Database, account: str) -> str:
    """A fresh one-time link for an account, at the address at which the installation runs."""
    running = read_running(settings.home)
    token = issue_token(database, account, utc_now(), issued_by=actor())
    return f"{running.web_url if running else settings.public_url}/sign-in?token={token}"


def with_case_service(act: Callable[[CaseService], Awaitable[Answer]]) -> Answer:
    """Connect to the running engine and carry out one act."""

    from starter.case_service import CaseService  # with Temporal's client, which commands that read can do without

    async def connected() -> Answer:
        return await act(CaseService(await connected_resources()))

    return asyncio.run(connected())


def with_many_openings(act: Callable[[ManyOpenings], Awaitable[Answer]]) -> Answer:
    """Connect to the running engine, and check or open a file."""

    from starter.many_openings import ManyOpenings  # with Temporal's client

    async def connected() -> Answer:
        return await act(ManyOpenings(await connected_resources()))

    return asyncio.run(connected())


async def connected_resources() -> Resources:
    """The running engine's parts, with a client of its Temporal server."""
    settings = command_settings()
    running = read_running(settings.home)
    return await connect(settings, address=running.temporal_address if running else None)


def parse_instant(text: str, where: str) -> datetime:
    """An instant with its offset; ``now`` is the present one.

    Raises:
        InvalidInput: it is none, or has no offset.
    """
    if text == "now":
        return utc_now()
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{text} is not an instant.", where=where, next_step="Write it as 2026-03-07T22:15-05:00."
        ) from None
    if instant.tzinfo is None:
        raise InvalidInput(
            f"{text} has no zone, so it names no instant.", where=where, next_step="Write it as 2026-03-07T22:15-05:00."
        )
    return instant


def parse_date(text: str, where: str) -> date:
    """A day.

    Raises:
        InvalidInput: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text} is not a date.", where=where, next_step="Write it as 2026-03-07.") from None


def parse_when(text: str, where: str) -> dict[str, datetime | date]:
    """An instant, a day, or FIRST..LAST, by the names of an anchor's fields; nothing for ``unknown``.

    Raises:
        InvalidInput: it is none of them.
    """
    if text == "unknown":
        return {}
    first, separator, last = text.partition("..")
    try:
        if separator:
            return {"first_day": date.fromisoformat(first), "last_day": date.fromisoformat(last)}
        if len(text) == len("2026-03-07"):
            return {"first_day": date.fromisoformat(text)}
    except ValueError:
        raise InvalidInput(
            f"{text} is neither a date nor a range.",
            where=where,
            next_step="Write 2026-03-07, 2026-03-01..2026-03-07, an instant with its offset, or unknown.",
        ) from None
    return {"instant": parse_instant(text, where)}


def find_case(database: Database, name: str) -> UUID:
    """The case of this id or short reference.

    Raises:
        NotFound: there is none, or the reference could mean several.
    """
    ids = identifiers.ids_of_case(name)
    found = cases_between(database, *ids, limit=2) if ids else ()
    if len(found) != 1:
        says = "There is no case" if not found else "Several cases are called"
        raise NotFound(f"{says} {name}.", next_step="`show` lists the cases with their ids.")
    return found[0]


def instant_text(instant: datetime | None) -> str:
    """An instant by the clock of whoever sits at this terminal (``TZ``); a dash for none."""
    return instant_words(instant.astimezone()) if instant else "–"


def due_text(due_at: datetime | None, internal: datetime | None, zone: str | None = None) -> str:
    """A due instant, and on a line of its own the internal date, if there is one; in a zone, or by this terminal's."""
    due, ours = (local_text(at, zone) if zone else instant_text(at) for at in (due_at, internal))
    return f"{due}\ninternally {ours}" if internal else due


def local_text(instant: datetime | None, zone: str) -> str:
    """An instant as the LEA's wall clock shows it; a dash for none."""
    return instant_words(instant, zone) if instant else "–"
