"""Files that hold keys: readable by their owner only, replaced whole, and on the disk itself before they count."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from models.errors import ConfigurationError, InvalidInput, Refused

Content = TypeVar("Content", bound=BaseModel)


def read_keys(path: Path, content: type[Content], what: str, *, make: str, restore: str) -> Content:
    """Read a file of keys.

    Args:
        path: the file.
        content: what stands in it.
        what: what it is, as in a sentence: ``the keyring``.
        make: what to do where there is none.
        restore: what to do where it is unsound.

    Raises:
        ConfigurationError: the file is missing, unreadable, unsound, or open to every user of the machine.
    """
    text = _read_private(path, what, make)
    try:
        return content.model_validate_json(text)
    except ValidationError as error:
        # Only the first problem's place and kind: pydantic's own text would quote the secrets.
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise ConfigurationError(
            f"This is not a sound {what}: {place}: {first['msg']}.", where=str(path), next_step=restore
        ) from None


def read_secret(path: Path, what: str) -> str:
    """Read a file that holds one secret, such as a password, without the blanks around it.

    Raises:
        ConfigurationError: the file is missing, empty, unreadable, or open to every user of the machine.
    """
    secret = _read_private(path, what, "Make it, readable by this user alone.").strip()
    if not secret:
        raise ConfigurationError(f"The file of the {what} is empty.", where=str(path))
    return secret


def _read_private(path: Path, what: str, make: str) -> str:
    try:
        mode, text = path.stat().st_mode, path.read_text()
    except FileNotFoundError:
        raise ConfigurationError(f"There is no {what}.", where=str(path), next_step=make) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The {what} cannot be read ({type(error).__name__}).", where=str(path)) from None
    if stat.S_IMODE(mode) & stat.S_IRWXO:
        raise ConfigurationError(
            f"Every user of this machine may read or change the {what}.",
            where=str(path),
            next_step=f"Run: chmod 600 {path}",
        )
    return text


@contextmanager
def replacement(path: Path, what: str) -> Iterator[Path]:
    """Give the name of a file beside ``path`` that only one process can hold, and remove it afterwards."""
    if not path.name:
        raise InvalidInput(f"No file for the {what} is named.", next_step="Name one.")
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise Refused(
            f"Somebody else is writing the {what} at this moment.",
            where=str(temporary),
            next_step="Try again; if nobody is, remove that file.",
        ) from None
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def write_durably(path: Path, text: str) -> None:
    """Write to the disk itself: a key lost in a power cut loses everything that was done with it since."""
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
