"""`duenotice up`: ports that are taken, a home that is taken, and servers that are there already."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from models.search_attributes import REGISTRY
from starter.local.temporal_server import find_cli, temporal_server
from starter.local.up import SMTP_PORT, TEMPORAL_PORT, TEMPORAL_UI_PORT, WEB_PORT
from tests.support.local_engine import DUENOTICE, READY, processes_of, signed_in, started

pytestmark = pytest.mark.long


@contextmanager
def taken(*ports: int) -> Iterator[None]:
    """Listen on the ports; one that something else listens on is taken as well."""
    with ExitStack() as listening:
        for port in ports:
            with suppress(OSError):
                listening.enter_context(socket.create_server(("127.0.0.1", port)))
        yield


def test_a_taken_port_moves_to_a_free_one_and_says_so(home: Path) -> None:
    preferred = (WEB_PORT, TEMPORAL_PORT, TEMPORAL_UI_PORT, SMTP_PORT)
    with taken(*preferred), started(DUENOTICE, home) as engine, signed_in(engine) as browser:
        assert browser.get("/livez").text == "ok\n"
        for port in preferred:
            assert f"(port {port} is taken)" in engine.printed
        assert engine.stop() == 0


def test_a_second_start_in_the_same_home_says_where_the_first_is(home: Path) -> None:
    with started(DUENOTICE, home) as engine:
        web_url = engine.wait_for(r"Web +(\S+)")[1]
        with started(DUENOTICE, home) as second:
            assert second.ended() == 2
            assert f"already running here, at {web_url}" in second.printed
        # The second's end does not touch the first's record.
        assert json.loads((home / "running.json").read_text())["web_url"] == web_url


async def test_a_temporal_server_that_is_there_already_is_used(tmp_path: Path, home: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with free_ports(2) as (port, ui_port):
        pass
    async with temporal_server(await find_cli(None, tmp_path), other, port, ui_port) as server:
        with started(DUENOTICE, home, TEMPORAL_ADDRESS=server.address) as engine:
            await asyncio.to_thread(engine.wait_for, READY)
            assert f"{server.address}, as TEMPORAL_ADDRESS says" in engine.printed
            assert processes_of(home) == []
            client = await Client.connect(server.address)
            known = await client.operator_service.list_search_attributes(
                ListSearchAttributesRequest(namespace="default")
            )
            assert {key.name for key in REGISTRY} <= set(known.custom_attributes)
            assert await asyncio.to_thread(engine.stop) == 0


def test_the_web_alone_serves_beside_an_engine_that_runs(home: Path) -> None:
    with free_ports(1) as (port,):
        pass
    with started(DUENOTICE, home) as engine:
        engine.wait_for(READY)
        address = json.loads((home / "running.json").read_text())["temporal_address"]
        web = (*DUENOTICE[:-1], "web", "--port", str(port))
        with started(web, home, TEMPORAL_ADDRESS=address) as alone:
            alone.wait_for("Application startup complete")
            assert httpx.get(f"http://127.0.0.1:{port}/livez").text == "ok\n"
            with started(web, home, TEMPORAL_ADDRESS=address) as second:
                assert second.ended() == 5
                assert f"cannot listen on 127.0.0.1:{port}" in second.printed
            assert alone.stop(signal.SIGTERM) == 0
        assert engine.stop() == 0


def test_every_file_is_private_whatever_the_umask_and_the_folder_say(home: Path) -> None:
    """The fault that was seen: in a folder that existed, database, Temporal's file and mail could be read by all."""
    home.mkdir()
    home.chmod(0o755)
    with started(("sh", "-c", 'umask 000; exec "$@"', "sh", *DUENOTICE), home) as engine:
        engine.wait_for(f"Other users could read {home}; from now on only you can.")
        engine.wait_for(READY)
        kept = [home, *home.rglob("*")]
        names = {path.name for path in kept}
        assert names >= {"duenotice.sqlite3", "duenotice.sqlite3-wal", "temporal.db", "temporal.log", "mail"}
        assert [path for path in kept if path.lstat().st_mode & 0o077] == []
        assert engine.stop() == 0


def test_a_folder_of_other_things_that_others_read_is_no_home(home: Path) -> None:
    home.mkdir(mode=0o755)
    (home / "thesis.odt").write_text("")
    with started(DUENOTICE, home) as engine:
        assert engine.ended() == 4
        assert "holds other things, and other users may read it. Name a folder of this user's own" in engine.printed
    assert [path.name for path in home.iterdir()] == ["thesis.odt"]


def test_a_mail_server_that_is_named_is_used_instead_of_the_catcher(home: Path) -> None:
    with started(DUENOTICE, home, DUENOTICE_SMTP__HOST="mail.provider.example.org") as engine:
        engine.wait_for(re.escape("sent by mail.provider.example.org:587"))
        engine.wait_for(READY)
        assert not (home / "mail").exists()
        assert engine.stop() == 0


@contextmanager
def free_ports(count: int) -> Iterator[list[int]]:
    with ExitStack() as held:
        yield [held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(count)]
