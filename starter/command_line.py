"""Who gives a command: the user of the operating system, whatever the environment says."""

from __future__ import annotations

import os
import pwd

from people.accounts import COMMAND_LINE


def actor() -> str:
    """Who gives the command, as evidence names them; no account has a name with a colon."""
    return f"{COMMAND_LINE}{user()}"


def user() -> str:
    """The user that the process runs as; its number where it has no name, as in some containers."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
