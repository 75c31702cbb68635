"""What every way in shares: settings, keyring, database, clauses, and a client of the Temporal server."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlmodel import select
from temporalio.client import Client
from temporalio.runtime import Runtime

from config.converter import data_converter
from config.database import Database
from config.keyring import Keyring
from config.logging import get_logger
from config.object_store import check_store, open_store
from config.seals import seal_case_keys_anew
from config.settings import Limits, Settings, temporal_connection, temporal_refused
from mail.default_texts import check_default_texts
from models.errors import ConfigurationError, IntegrityError, Unavailable
from models.tables import KeyCheck
from starter.templates import check_own_templates
from starter.writing import templates_of
from terms.catalogue import Catalogue, load_catalogue
from terms.internal import NO_LEAD_TIMES, LeadTimes, read_lead_times

OWN_CONNECTIONS = 16
"""How many connections to the database there are for whatever is not a stranger's."""

CONNECT_PATIENCE = 8.0
"""Within how many seconds a Temporal server has to answer who connects; the client itself would wait half a minute."""


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
    """Open the installation's database and bring its tables up to date.

    Raises:
        ConfigurationError: it was sealed under another keyring, its tables are of a later version, or production was
            given a key that others know, or would connect to PostgreSQL as somebody who can change the ledger.
        Unavailable: it does not answer.
    """
    if settings.environment == "production":
        keyring.refuse_known_keys()
    database = Database(
        settings.database_url.get_secret_value(),
        keyring,
        open_store(settings.artifacts),
        connections=connections_of(settings.limits),
    )
    database.migrate()
    if settings.environment == "production":
        _refuse_excess(database)
    _check_keyring(database, keyring)
    return database


def connections_of(limits: Limits) -> int:
    """How many connections to the database a process may open: one for each stranger at work, and some beside those."""
    return limits.requests_at_once + OWN_CONNECTIONS


def settle() -> None:
    """Tell Python's garbage collector that what is there by now stays: call it once a process has started.

    What is loaded at a start is a million objects. Each full collection looks through all that is not set apart, which
    takes a third of a second in which no thread runs, and strangers can have one made every three seconds.
    """
    gc.collect()
    gc.freeze()


def _refuse_excess(database: Database) -> None:
    """Refuse to work as a role that can change the ledger: a fault of this program, or who takes it over, could too."""
    if excess := database.excess_rights():
        raise ConfigurationError(
            f"The role {excess.role} {excess.could}, so that whoever takes the engine over could change the evidence.",
            where="DUENOTICE_DATABASE_URL",
            next_step="Let it connect as a role that owns nothing: `duenotice migrate` makes one and gives it its "
            "rights, with the owner's address in DUENOTICE_OWNER_DATABASE_URL.",
        )


def _check_keyring(database: Database, keyring: Keyring) -> None:
    """Refuse a keyring that does not open what is stored, before anything is sealed under it besides.

    The word is sealed again under each newer key, so that a copy of the keyring from before a rotation is refused too;
    and the keys of cases with it.
    """
    with database.reading() as session:
        key_id = session.exec(select(KeyCheck.key_id)).first()
        if key_id and key_id not in keyring.key_ids:
            raise other_keyring(key_id)
        if key_id:
            try:
                session.get_one(KeyCheck, 1)  # a key of the same name with another secret does not open it
            except IntegrityError as error:
                raise ConfigurationError(
                    f"The key {key_id} of this keyring does not open what is stored: it is another one of that name.",
                    where="DUENOTICE_KEYRING",
                    next_step="Put the keyring that was used back from its copy. Nothing was changed. If it is that "
                    "one, somebody changed the database.",
                ) from error
    if key_id != keyring.sealing_key_id:
        with database.writing() as session:
            session.merge(KeyCheck(id=1, key_id=keyring.sealing_key_id, word="duenotice"))
            seal_case_keys_anew(session)


def other_keyring(key_id: str) -> ConfigurationError:
    """What is said where a database was sealed under a key that is not at hand."""
    return ConfigurationError(
        f"What is stored was sealed under the key {key_id}, which is not in the keyring.",
        where="DUENOTICE_KEYRING",
        next_step="Put the keyring that holds it back from its copy. Nothing was changed.",
    )


def check_artifacts(database: Database) -> None:
    """See whether the store of artifacts, where there is one, can be used; that it is away for now stops no start.

    What is due goes out all the same: artifacts are in the database first.

    Raises:
        IntegrityError: it gives other bytes than were put there.
    """
    if database.objects is None:
        return
    try:
        check_store(database.objects)
    except Unavailable as error:
        get_logger("artifacts").error("the store of artifacts cannot be used", says=str(error), code=error.code)


async def connect(settings: Settings, *, address: str | None = None, runtime: Runtime | None = None) -> Resources:
    """Open the database, load the keyring and the clauses, and connect to Temporal.

    Args:
        settings: the installation's settings.
        address: where Temporal is, if the environment does not say (``host:port``).
        runtime: what counts what Temporal's SDK does, where somebody reads that.

    Raises:
        ConfigurationError: the keyring, the clauses or a template of the organisation's own cannot be used, or notices
            lack a default text in production.
        InternalDatesError: the file of internal due dates cannot be used.
        Unavailable: the database or Temporal does not answer.
    """
    keyring, catalogue = Keyring.load(settings.keyring), load_catalogue()
    if settings.environment == "production":
        check_default_texts(templates_of(settings).default_texts, catalogue, utc_now().date())
    check_own_templates(settings, catalogue)
    leads = lead_times(settings, catalogue)
    database = open_database(settings, keyring)
    await asyncio.to_thread(check_artifacts, database)
    client = await connect_client(settings, keyring, address, runtime)
    return Resources(settings, keyring, database, catalogue, client, leads)


async def connect_client(
    settings: Settings,
    keyring: Keyring,
    address: str | None = None,
    runtime: Runtime | None = None,
    *,
    lazy: bool = False,
) -> Client:
    """Connect to Temporal with the encrypting data converter; one that is ``lazy`` connects once it is used.

    A server is never guessed: the one at Temporal's usual port may keep another installation's cases.

    Raises:
        Unavailable: none is named, or it does not answer.
    """
    connection = temporal_connection(settings)
    if address:
        connection.setdefault("target_host", address)
    where = connection.get("target_host")
    if where is None:
        raise _unreached("No engine runs here, and no Temporal server is named.", str(settings.home))
    try:
        async with asyncio.timeout(CONNECT_PATIENCE):
            return await Client.connect(
                **connection, data_converter=data_converter(keyring), runtime=runtime, lazy=lazy
            )
    except ValueError as error:
        raise temporal_refused(error) from None
    except (RuntimeError, TimeoutError) as error:
        raise _unreached("The Temporal server does not answer.", where) from error


def _unreached(what: str, where: str) -> Unavailable:
    return Unavailable(
        what,
        where=where,
        next_step="Start everything with `make run`, or set TEMPORAL_ADDRESS to a server that is up.",
    )
