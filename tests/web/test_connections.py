"""Connections of strangers, over real sockets: slow, half-open, endless and too many ones end, and officers get in."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from config.keyring import Keyring
from config.logging import configure_logging
from tests.support.installation import ORIGIN, Installation, open_installation
from tests.support.patience import PATIENCE
from web import connections
from web.guard import MAX_ANSWER_BYTES
from web.serving import WebServer, listening, web_server

SOON = 0.3
"""What the limits of these tests give, in seconds."""

STRANGERS, OF_ONE_ADDRESS, ALL = 16, 8, 32


@dataclass(frozen=True)
class Served:
    """An installation that serves, with little patience."""

    installation: Installation
    port: int
    server: WebServer

    @property
    def open(self) -> int:
        """How many connections are open."""
        return len(self.server.server_state.connections)

    @asynccontextmanager
    async def connection(
        self, sends: bytes = b"", source: str = "127.0.0.1"
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))
        writer.write(sends)
        try:
            yield reader, writer
        finally:
            writer.close()

    @asynccontextmanager
    async def browser(self, cookies: httpx.Cookies | None = None) -> AsyncIterator[httpx.AsyncClient]:
        async with httpx.AsyncClient(base_url=f"{ORIGIN}:{self.port}", cookies=cookies, timeout=PATIENCE) as browser:
            yield browser


@pytest.fixture
async def served(
    temporal: Client, keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    monkeypatch.setattr(connections, "SWEEP_SECONDS", 0.05)
    monkeypatch.setattr(connections, "STALLED_SECONDS", SOON)
    monkeypatch.setattr(connections, "DRAIN_SECONDS", SOON)
    monkeypatch.setattr(connections, "CLOSING_SECONDS", SOON)
    resources = open_installation(tmp_path, keyring, temporal)
    limits = resources.settings.limits.model_copy(
        update={
            "connections": ALL,
            "strangers": STRANGERS,
            "address_connections": OF_ONE_ADDRESS,
            "header_seconds": SOON,
            "idle_seconds": SOON,
            "body_seconds": SOON,
        }
    )
    settings = resources.settings.model_copy(update={"limits": limits})
    installation = Installation(resources=type(resources)(**{**vars(resources), "settings": settings}))
    listener = listening("127.0.0.1", 0)
    server = web_server(installation.app, settings)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    yield Served(installation, listener.getsockname()[1], server)
    server.should_exit = True
    await running


HEAD = b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"


async def ended(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the connection ends, which it does soon."""
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize(
    ("sends", "hears"),
    [
        (b"", b""),
        (b"GET /sign-in HTTP/1.1\r\nHost: 127.0", b"HTTP/1.1 408 "),
        (b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /liv", b"HTTP/1.1 200 "),
    ],
    ids=["nothing", "half a header", "half a second header"],
)
async def test_a_header_has_to_come(served: Served, sends: bytes, hears: bytes) -> None:
    async with served.connection(sends) as (reader, _):
        assert (await ended(reader)).startswith(hears)


async def test_an_idle_connection_is_not_kept(served: Served) -> None:
    async with served.connection(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") as (reader, _):
        assert (await ended(reader)).endswith(b"\r\n\r\nok\n")


async def test_a_body_has_to_come_and_its_time_out_is_a_sentence(served: Served) -> None:
    async with served.connection(HEAD + b"Content-Length: 100\r\n\r\nname=") as (reader, _):
        said = await ended(reader)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"What you sent took too long to arrive, so nothing was done." in said


async def test_what_counts_is_the_bytes_that_come(served: Served) -> None:
    async with served.connection(HEAD + b"Transfer-Encoding: chunked\r\n\r\n") as (reader, writer):
        for _ in range(MAX_ANSWER_BYTES // 2**14 + 2):
            writer.write(b"4000\r\n" + b"x" * 2**14 + b"\r\n")
        said = await asyncio.wait_for(reader.readuntil(b"</html>"), PATIENCE)
        assert said.startswith(b"HTTP/1.1 413 ")
        assert b"This is larger than 64 KiB." in said
        assert await ended(reader) == b"", "what follows is not waited for without end"


@pytest.mark.parametrize("length", [b"0", b"5", b"100"])
async def test_what_names_a_length_beside_chunks_is_refused_and_its_connection_ends(
    served: Served, length: bytes
) -> None:
    """The fault that was seen: a length of 0 beside chunks let 299 MiB in, without an account."""
    both = b"Content-Length: " + length + b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    async with served.connection(HEAD + both + b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") as (reader, _):
        said = await ended(reader)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"It says in two ways where it ends." in said
    assert said.count(b"HTTP/1.1 ") == 1, "what follows is no request of its own"


async def test_headers_as_long_as_a_browser_s_are_taken_also_after_a_body_in_chunks(served: Served) -> None:
    """The fault that was seen: only clients with short headers got an answer, which no browser is."""
    get = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: " + b"text/html, " * 200 + b"*/*\r\n\r\n"
    async with served.connection(get) as (reader, _):
        assert (await ended(reader)).startswith(b"HTTP/1.1 200 ")
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nname=\r\n0\r\n\r\n"
    async with served.connection(chunked) as (reader, writer):
        await asyncio.wait_for(reader.readuntil(b"</html>"), PATIENCE)
        writer.write(get)
        assert b"HTTP/1.1 200 " in await ended(reader)


async def test_a_small_body_in_chunks_is_taken(served: Served) -> None:
    async with served.connection(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nname=\r\n0\r\n\r\n") as (reader, _):
        assert (await ended(reader)).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("path", ["/h/none", "/h/none.json", "/h/all/none", "/h/all/none.json", "/h/all/none/upload"])
async def test_whose_link_leads_nowhere_is_told_so_before_a_large_file_is_taken(served: Served, path: str) -> None:
    head = HEAD.replace(b"/sign-in", path.encode()) + b"Content-Length: 30000000\r\n\r\n"
    async with served.connection(head) as (reader, _):
        assert (await ended(reader)).startswith(b"HTTP/1.1 404 ")


async def test_headers_are_bounded(served: Served) -> None:
    async with served.connection(b"GET / HTTP/1.1\r\nX: " + b"x" * (connections.LARGEST_HEADERS + 1)) as (reader, _):
        assert (await ended(reader))[:13] in (b"HTTP/1.1 400 ", b"")


async def test_who_does_not_read_is_not_waited_for(served: Served) -> None:
    """What is written for them has to go somewhere: here into a window of a few kilobytes."""
    ask = b"GET /static/duenotice.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    reading = socket.socket()
    reading.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reading.setblocking(False)
    await asyncio.get_running_loop().sock_connect(reading, ("127.0.0.1", served.port))
    with reading:
        reading.send(ask * 100)
        async with asyncio.timeout(PATIENCE):
            for wanted in (1, 0):
                while served.open != wanted:  # noqa: ASYNC110 (the server's own list)
                    await asyncio.sleep(0.02)


async def test_a_body_cut_into_single_bytes_is_not_taken(served: Served) -> None:
    """The fault that was seen: 20 such connections kept an officer's page waiting for half a minute."""
    async with served.connection(HEAD + b"Transfer-Encoding: chunked\r\n\r\n") as (reader, writer):
        writer.write(b"1\r\nx\r\n" * 1000)
        assert await ended(reader) == b""


async def test_a_body_in_chunks_of_some_size_is_taken_to_its_end(served: Served) -> None:
    body = b"".join(b"10\r\n" + b"x" * 16 + b"\r\n" for _ in range(2000)) + b"0\r\n\r\n"
    async with served.connection(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body) as (reader, _):
        assert (await ended(reader)).startswith(b"HTTP/1.1 403 ")


async def test_requests_that_are_sent_ahead_are_few(served: Served) -> None:
    async with served.connection(b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 2000) as (reader, _):
        assert (await ended(reader)).count(b"HTTP/1.1 ") < 400


async def test_who_is_signed_in_gets_in_while_strangers_hold_all_they_may(served: Served) -> None:
    officer = await served.installation.officer()
    async with served.browser(officer.http.cookies) as known, AsyncExitStack() as stack:
        assert (await known.get("/agreements")).status_code == 200
        for number in range(ALL * 2):
            await stack.enter_async_context(served.connection(b"GET / HTTP", source=f"127.0.1.{number // 4}"))
        assert (await known.get("/agreements")).status_code == 200, "on the connection that was open"
        async with served.browser(officer.http.cookies) as anew:
            assert (await anew.get("/agreements")).status_code == 200, "and on a new one"
        async with served.browser() as stranger:
            assert (await stranger.get("/sign-in")).status_code == 200, "a stranger who speaks gets in as well"


async def test_one_address_holds_no_more_than_its_share(served: Served) -> None:
    async with AsyncExitStack() as stack:
        other, _ = await stack.enter_async_context(served.connection(source="127.0.0.7"))
        opened = [
            await stack.enter_async_context(served.connection(source="127.0.0.8")) for _ in range(OF_ONE_ADDRESS + 3)
        ]
        closed = [asyncio.ensure_future(ended(reader)) for reader, _ in opened[:3]]
        await asyncio.wait_for(asyncio.gather(*closed), PATIENCE)
        assert not other.at_eof(), "those of others stay"


async def test_a_flood_is_one_line_a_minute(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "disabled", False)  # as import-linter leaves it
    log = io.StringIO()
    before = logging.getLogger().handlers[:]
    configure_logging(served.installation.resources.settings, log)
    try:
        for _ in range(50):
            async with served.connection(b"what is this\r\n\r\n") as (reader, _):
                await ended(reader)
        async with AsyncExitStack() as stack:
            for number in range(ALL * 2):
                await stack.enter_async_context(served.connection(b"GET / HTTP", source=f"127.0.1.{number // 4}"))
        async with served.browser() as stranger:
            await stranger.get("/sign-in")
    finally:
        logging.getLogger().handlers[:] = before
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    events = [line["event"] for line in lines if line["level"] != "info"]
    assert sorted(events) == ["Invalid HTTP request received.", "connection closed to make room"]
