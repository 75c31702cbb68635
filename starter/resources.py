"""What every way in shares: settings, keyring, database, clauses, and a client of the Temporal server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.client import Client

from config.converter import data_converter
from config.database import Database
from config.keyring import Keyring
from config.settings import Settings, temporal_connection
from mail.default_texts import check_default_texts, load_default_texts
from models.errors import Unavailable
from terms.catalogue import Catalogue, load_catalogue
from terms.internal import NO_LEAD_TIMES, LeadTimes, read_lead_times


@dataclass(frozen=True)
class Resources:
    """The parts of a running installation."""

    settings: Settings
    keyring: Keyring
    database: Database
    catalogue: Catalogue
    client: Client
    leads: LeadTimes = NO_LEAD_TIMES


def lead_times(settings: Settings, catalogue: Catalogue) -> LeadTimes:
    """How far ahead of their due instants the installation wants duties done; none where no file says so.

    Raises:
        InternalDatesError: the file cannot be used.
    """
    if settings.internal_due_dates is None:
        return NO_LEAD_TIMES
    return read_lead_times(settings.internal_due_dates, catalogue, settings.defaults, utc_now().date())


def utc_now() -> datetime:
    """The present instant in UTC."""
    return datetime.now(UTC)


def open_database(settings: Settings, keyring: Keyring) -> Database:
    """Open the installation's database and bring its tables up to date."""
    database = Database(settings.database_url.get_secret_value(), keyring)
    database.migrate()
    return database


async def connect(settings: Settings, *, address: str | None = None) -> Resources:
    """Open the database, load the keyring and the clauses, and connect to Temporal.

    Args:
        settings: the installation's settings.
        address: where Temporal is, if the environment does not say (``host:port``).

    Raises:
        ConfigurationError: the keyring or the clauses cannot be used, or notices lack a default text in production.
        InternalDatesError: the file of internal due dates cannot be used.
        Unavailable: the database or Temporal does not answer.
    """
    keyring, catalogue = Keyring.load(settings.keyring), load_catalogue()
    if settings.environment == "production":
        check_default_texts(load_default_texts(), catalogue, utc_now().date())
    leads = lead_times(settings, catalogue)
    database = open_database(settings, keyring)
    return Resources(settings, keyring, database, catalogue, await connect_client(settings, keyring, address), leads)


async def connect_client(settings: Settings, keyring: Keyring, address: str | None = None) -> Client:
    """Connect to Temporal with the encrypting data converter.

    A server is never guessed: the one at Temporal's usual port may keep another installation's cases.

    Raises:
        Unavailable: none is named, or it does not answer.
    """
    connection = temporal_connection(settings)
    if address:
        connection.setdefault("target_host", address)
    where = connection.get("target_host")
    if where is None:
        raise Unavailable(
            "No engine runs here, and no Temporal server is named.",
            where=str(settings.home),
            next_step="Start everything with `make run`, or set TEMPORAL_ADDRESS to a server that is up.",
        )
    try:
        return await Client.connect(**connection, data_converter=data_converter(keyring))
    except RuntimeError as error:
        raise Unavailable(
            "The Temporal server does not answer.",
            where=where,
            next_step="Start everything with `make run`, or set TEMPORAL_ADDRESS to a server that is up.",
        ) from error
