"""What is running in a home folder: so that one machine has one engine, and commands find it.

The running engine holds a lock on ``running.lock``, which the operating system lets go of whatever way the process
ends, and says in ``running.json`` where its parts are.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from config.private_files import private_home
from config.settings import Settings
from models.errors import Refused


class Running(BaseModel):
    """Where the parts of a running engine are; what concerns Temporal or the mail catcher is None where it has none."""

    model_config = ConfigDict(frozen=True)

    pid: int
    web_url: str
    temporal_address: str | None = None
    temporal_ui: str | None = None
    temporal_pid: int | None = None
    mail_port: int | None = None


def read_running(home: Path) -> Running | None:
    """What runs in ``home``, or None when nothing does."""
    last = last_running(home)
    return last if last and _is_alive(last.pid) else None


def as_running(settings: Settings) -> Settings:
    """The settings as the engine that runs in their home folder completed them: its own address and mail catcher."""
    running = read_running(settings.home)
    if running is None:
        return settings
    smtp = settings.smtp
    if smtp.host is None and running.mail_port:
        smtp = smtp.model_copy(update={"host": "127.0.0.1", "port": running.mail_port, "security": "none"})
    public_url = settings.public_url if "public_url" in settings.model_fields_set else running.web_url
    return settings.model_copy(update={"smtp": smtp, "public_url": public_url})


def last_running(home: Path) -> Running | None:
    """What ran last in ``home`` and did not stop in order, or still runs; None when there is no such thing."""
    try:
        return Running.model_validate_json(_record(home).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def record_running(home: Path, running: Running) -> None:
    """Say what runs in ``home``; a reader sees the old record or the new, never half of one."""
    unfinished = home / ".running.json.part"
    unfinished.write_text(running.model_dump_json(indent=2) + "\n", encoding="utf-8")
    os.replace(unfinished, _record(home))


@contextmanager
def claim(home: Path) -> Iterator[bool]:
    """Hold ``home`` for this process, making it if need be; the record is removed in the end.

    It gives whether other users could read it before; now nobody else can.

    Raises:
        ConfigurationError: it is no folder for an installation alone.
        Refused: another process holds it.
    """
    mended = private_home(home)
    with (home / "running.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _already_running(home) from None
        try:
            yield mended
        finally:
            _record(home).unlink(missing_ok=True)


def _already_running(home: Path) -> Refused:
    running = last_running(home)
    return Refused(
        f"Duenotice is already running here, at {running.web_url} (process {running.pid})."
        if running
        else "Duenotice is already starting here.",
        where=str(home),
        next_step="Use that one (`duenotice sign-in` prints a fresh link), or stop it with Ctrl-C where it runs.",
    )


def _record(home: Path) -> Path:
    return home / "running.json"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
