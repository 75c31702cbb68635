"""Finding Temporal's command line, and what is said when its server does not start."""

from __future__ import annotations

import os
import socket
import sqlite3
import sysconfig
from pathlib import Path

import pytest

from models.errors import ConfigurationError, Unavailable
from starter.local.temporal_server import LOOPBACK, find_cli, stop_left_behind, temporal_server


def command(path: Path, script: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)
    return path


async def test_the_command_that_the_settings_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, on_path = command(tmp_path / "chosen" / "my-temporal"), command(tmp_path / "bin" / "temporal")
    monkeypatch.setenv("PATH", str(on_path.parent))
    assert await find_cli(chosen, tmp_path / "downloads") == chosen
    assert await find_cli(None, tmp_path / "downloads") == on_path


async def test_without_one_on_path_the_locked_package_gives_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await find_cli(None, tmp_path / "downloads") == Path(sysconfig.get_path("scripts")) / "temporal"


async def test_without_the_package_an_earlier_download_of_the_sdk_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))
    downloaded = command(tmp_path / "downloads" / "temporal-sdk-python-1.35.0")
    assert await find_cli(None, tmp_path / "downloads") == downloaded


async def test_a_chosen_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"DUENOTICE_TEMPORAL_CLI: There is no command at .*missing"):
        await find_cli(tmp_path / "missing", tmp_path)


async def test_a_database_of_another_version_is_explained_and_kept(tmp_path: Path) -> None:
    """What an older server left behind: tables that this one does not know what to do with."""
    with sqlite3.connect(tmp_path / "temporal.db") as database:
        database.execute("CREATE TABLE namespaces (id INTEGER)")
    (tmp_path / "temporal.version").write_text("0.9.9")
    cli = await find_cli(None, tmp_path)
    with pytest.raises(Unavailable) as refusal:
        async with temporal_server(cli, tmp_path, 0, 0):
            pass
    assert "last used by version 0.9.9" in str(refusal.value)
    assert "DUENOTICE_TEMPORAL_CLI" in str(refusal.value)
    assert (tmp_path / "temporal.version").read_text() == "0.9.9"


async def test_the_last_words_of_a_server_that_does_not_start_are_quoted(tmp_path: Path) -> None:
    failing = command(tmp_path / "temporal", "#!/bin/sh\necho 'Error: the disk is full' >&2\nexit 1\n")
    with pytest.raises(Unavailable, match="Error: the disk is full"):
        async with temporal_server(failing, tmp_path, 0, 0):
            pass


async def test_the_server_of_another_home_that_took_the_port_first_is_never_taken_for_ones_own(tmp_path: Path) -> None:
    """The fault that was seen: of two engines that started at once, one worked on the other's server."""
    cli, homes = await find_cli(None, tmp_path), (tmp_path / "one", tmp_path / "other")
    for home in homes:
        home.mkdir()
    with socket.create_server((LOOPBACK, 0)) as one, socket.create_server((LOOPBACK, 0)) as other:
        ports = one.getsockname()[1], other.getsockname()[1]
    async with temporal_server(cli, homes[0], *ports):
        with pytest.raises(Unavailable, match="did not start"):
            async with temporal_server(cli, homes[1], *ports):
                pass


async def test_a_database_from_before_servers_had_marks_is_gone_on_with(tmp_path: Path) -> None:
    cli = await find_cli(None, tmp_path)
    with socket.create_server((LOOPBACK, 0)) as one, socket.create_server((LOOPBACK, 0)) as other:
        ports = one.getsockname()[1], other.getsockname()[1]
    moved = tmp_path / "moved"
    (tmp_path / "home").mkdir()
    async with temporal_server(cli, tmp_path / "home", *ports):
        pass
    (tmp_path / "home").rename(moved)  # another folder is another mark
    async with temporal_server(cli, moved, *ports) as server:
        assert server.process.returncode is None


async def test_a_process_of_another_kind_is_never_stopped(tmp_path: Path) -> None:
    assert not await stop_left_behind(os.getpid(), tmp_path)
