"""Files that nobody but the user under whom the engine runs can read, whatever the folder's mode or the umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from models.errors import ConfigurationError

OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""Everything that anybody but the owner may do."""

OURS = ("running.lock", "keyring.json", "duenotice.sqlite3", "temporal.db")
"""By one of these a folder is known as the home of an installation, in which nothing else belongs."""


def keep_files_private() -> None:
    """Have every file that this process makes from now on belong to its user alone, and those of what it starts."""
    os.umask(OTHERS)


def private_home(home: Path) -> bool:
    """Make the home of an installation if need be, and take from others what they may do there.

    Returns:
        Whether others could do something before.

    Raises:
        ConfigurationError: the folder belongs to somebody else, or others use it for things of their own.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=stat.S_IRWXU)
        found = home.stat()
        within = {path.name for path in home.iterdir()}
    except OSError as error:
        raise _refused(home, f"cannot be used ({error.strerror})") from None
    if found.st_uid != os.getuid():
        raise _refused(home, "belongs to another user, who can read and change what is kept there")
    if not found.st_mode & OTHERS:
        return False
    if within and within.isdisjoint(OURS):
        raise _refused(home, "holds other things, and other users may read it")
    for path in (home, *_all_in(home)):
        take_from_others(path)
    return True


def private_file(path: Path) -> None:
    """Make a file that is to be written, if there is none; nobody but its owner may read it."""
    os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC, mode=stat.S_IRUSR | stat.S_IWUSR))
    take_from_others(path)


def take_from_others(path: Path) -> None:
    """Take from others what they may do with a file or folder of ours; what is gone by now needs nothing."""
    with suppress(FileNotFoundError):
        found = path.stat()
        if found.st_uid == os.getuid() and found.st_mode & OTHERS:
            path.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)


def _all_in(folder: Path) -> Iterator[Path]:
    """What lies in a folder, however deep; links are not followed."""
    for path in folder.iterdir():
        if not path.is_symlink():
            yield path
            if path.is_dir():
                yield from _all_in(path)


def _refused(home: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The folder {home} {why}.",
        where="DUENOTICE_HOME",
        next_step="Name a folder of this user's own; one that does not exist yet is made for nobody else to read.",
    )
