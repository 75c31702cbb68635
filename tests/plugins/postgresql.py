"""A throw-away PostgreSQL server on loopback, for tests of what has to hold on it too."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

TEST_DATABASE = "test_"
"""What the names of databases begin with that tests are given."""


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL, less the database's name, of a server on loopback that lives as long as the tests."""
    programs, account = _server_programs(), _account()
    if programs is None or account is None:
        pytest.skip("no PostgreSQL server programs on this machine")
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        os.chown(folder, account, -1)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()

        def run(*words: str) -> None:
            subprocess.run(words, cwd=folder, user=account, check=True, stdout=subprocess.DEVNULL, timeout=60)

        data = f"{folder}/data"
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        run(f"{programs}/initdb", "-D", data, "-U", "duenotice", "-A", "trust", "-E", "UTF8", "--no-sync")
        run(f"{programs}/pg_ctl", "-D", data, "-l", f"{folder}/log", "-w", "-o", options, "start")
        try:
            yield f"postgresql://duenotice@127.0.0.1:{port}"
        finally:
            run(f"{programs}/pg_ctl", "-D", data, "-m", "immediate", "stop")


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """Where an empty PostgreSQL database is."""
    name = f"{TEST_DATABASE}{uuid4().hex}"
    with psycopg.connect(f"{postgresql_server}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return f"{postgresql_server}/{name}"


def _server_programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``: on PATH, or where Debian keeps the newest."""
    on_path = shutil.which("pg_ctl")
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: float(path.parts[4]))
    found = [Path(on_path)] if on_path else kept[-1:]
    return found[0].parent if found else None


def _account() -> int | None:
    """The account to run the server under: this one, or ``postgres`` since PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return os.getuid()
    try:
        return pwd.getpwnam("postgres").pw_uid
    except KeyError:
        return None
