"""``duenotice migrate``: make and change the tables as their owner, and give the engine's role what it needs."""

from __future__ import annotations

import typer
from sqlalchemy import make_url

from config.database import Database
from config.keyring import Keyring
from models.errors import ConfigurationError
from starter.cli.console import command_settings
from starter.printable import say


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("migrate")(migrate)


def migrate() -> None:
    """Bring the tables up to date, and on PostgreSQL give the engine's role the rights that it needs, and no more.

    On PostgreSQL DUENOTICE_OWNER_DATABASE_URL says as whom: the role that owns the tables. The role that
    DUENOTICE_DATABASE_URL names is made if it is missing, with the password that stands there, which takes an owner
    that may make roles. It may then read entries of the ledger and add some, and neither change nor remove one. Run
    this before each start of a new version; nothing else needs the owner's address.
    """
    settings = command_settings()
    keyring = Keyring.load(settings.keyring)
    engine = make_url(settings.database_url.get_secret_value())
    if engine.get_backend_name() != "postgresql":
        _migrated(settings.database_url.get_secret_value(), keyring).close()
        say("The tables are up to date. SQLite knows no roles: whoever may write the file may change it.")
        return
    if settings.owner_database_url is None:
        raise ConfigurationError(
            "Nothing says as whom the tables are made.",
            where="DUENOTICE_OWNER_DATABASE_URL",
            next_step="Set it to the address of the role that owns them, postgresql://owner:password@host/name.",
        )
    owner = make_url(settings.owner_database_url.get_secret_value())
    if not engine.username or (owner.username, owner.host, owner.database) == (
        engine.username,
        engine.host,
        engine.database,
    ):
        raise ConfigurationError(
            "The engine would connect as the owner of the tables, and could change the ledger.",
            where="DUENOTICE_DATABASE_URL",
            next_step="Name another role there; it is made if it is missing.",
        )
    database = _migrated(settings.owner_database_url.get_secret_value(), keyring)
    made = database.give_rights(engine.username, engine.password)
    database.close()
    say(
        f"The tables are up to date. The role {engine.username} {'was made, and ' if made else ''}"
        "may read the ledger and add to it, and neither change nor remove an entry."
    )


def _migrated(url: str, keyring: Keyring) -> Database:
    database = Database(url, keyring)
    database.migrate()
    return database
