"""``duenotice keyring``: make a keyring, add a newer key to one, and open all that is sealed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from config.keyring import Keyring
from config.seals import not_opening
from config.settings import load_settings
from models.errors import IntegrityError
from models.phrases import counted
from starter.cli.console import open_installation
from starter.printable import say


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Make the keyring that seals personal data, rotate its keys, and check what they seal.",
    )
    group.command()(create)
    group.command()(rotate)
    group.command()(check)
    app.add_typer(group, name="keyring")


def create(
    file: Annotated[Path | None, typer.Argument(help="Where to; else where DUENOTICE_KEYRING says.")] = None,
) -> None:
    """Make a keyring with one key, readable by you alone; one that is there is never overwritten.

    Keep a copy of it in a safe place: what it seals cannot be read without it.
    """
    path = file or load_settings().keyring
    keyring = Keyring.create(path)
    say(f"Key {keyring.sealing_key_id} is in {path}. Keep a copy: what it seals cannot be read without it.")


def rotate(
    file: Annotated[Path | None, typer.Argument(help="The keyring; else the one DUENOTICE_KEYRING names.")] = None,
) -> None:
    """Add a newer key, which seals from now on; the older ones go on opening what they sealed."""
    path = file or load_settings().keyring
    keyring = Keyring.rotate(path)
    say(f"Key {keyring.sealing_key_id} seals from now on; {len(keyring.key_ids) - 1} older ones still open.")


def check() -> None:
    """Open everything that is sealed in the database, and name what does not open where it stands; exit code 6 then.

    Each value is sealed for one row of one column: what somebody changed, or moved there from elsewhere, does not open.
    """
    _, database = open_installation()
    found = 0
    with database.reading() as session:
        for error in not_opening(session):
            say(f"{error.where} does not open.", err=True)
            found += 1
    if found:
        raise IntegrityError(
            f"{counted(found, 'value was', 'values were')} changed, or moved from another place in the database.",
            next_step="Restore them from a backup, and find out who could write to the database.",
        )
    say("Everything that is sealed opens where it stands.")
