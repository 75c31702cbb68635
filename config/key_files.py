"""Files that hold keys: readable by their owner only, replaced whole, and on the disk itself before they count."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import ConfigurationError, Refused


def read_private(path: Path, what: str, *, make: str) -> str:
    """Read a file of keys.

    Args:
        path: the file.
        what: what it is, as in a sentence: ``the keyring``.
        make: what to do where there is none.

    Raises:
        ConfigurationError: the file is missing, unreadable, or open to every user of the machine.
    """
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
