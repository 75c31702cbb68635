"""``duenotice keyring``: make a keyring, and add a newer key to one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from config.keyring import Keyring
from config.settings import load_settings
from starter.printable import say


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(no_args_is_help=True, help="Make the keyring that seals personal data, and rotate its keys.")
    group.command()(create)
    group.command()(rotate)
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
