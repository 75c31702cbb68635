"""The web's own server: what it listens on, how many files it may open, and whom it believes about addresses."""

from __future__ import annotations

import asyncio
import resource
import socket

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from config.settings import Limits, Settings
from web import serving
from web.serving import OTHER_FILES, web_server


class Files:
    """How many files the process may open, as a system of one's choice says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> None:
        self.soft, self.hard = soft, hard
        monkeypatch.setattr(resource, "getrlimit", lambda _: (self.soft, self.hard))
        monkeypatch.setattr(resource, "setrlimit", lambda _, limits: self._set(limits))

    def _set(self, limits: tuple[int, int]) -> None:
        self.soft, self.hard = limits


LIMITS = Limits(connections=512, strangers=256)


def test_as_many_files_may_be_opened_as_there_are_connections_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(monkeypatch, 256, resource.RLIM_INFINITY)
    assert serving._with_files(LIMITS) == LIMITS
    assert files.soft == 512 + OTHER_FILES


def test_where_the_system_allows_fewer_files_there_are_fewer_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault that was seen: without files nothing is accepted, read or mailed, and each try wrote a line."""
    Files(monkeypatch, 256, 456)
    with capture_logs() as lines:
        lowered = serving._with_files(LIMITS)
    assert (lowered.connections, lowered.strangers) == (200, 100)
    assert [line["event"] for line in lines] == ["fewer connections than the settings allow, since files are limited"]


def test_what_is_accepted_answers_at_once() -> None:
    """The fault that was seen: an answer on a kept connection took 44 ms, as small ones waited for each other."""
    with serving.listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def _nothing(*_: object) -> None:
    """An application that is never asked."""


@pytest.mark.parametrize("proxies", [(), ("10.0.0.5",)])
def test_production_says_if_it_cannot_tell_strangers_apart(proxies: tuple[str, ...]) -> None:
    settings = Settings().model_copy(update={"environment": "production", "trusted_proxies": proxies})
    with capture_logs() as lines:
        config = web_server(_nothing, settings).config
    assert bool(lines) is not bool(proxies)
    assert (config.proxy_headers, config.forwarded_allow_ips) == (bool(proxies), list(proxies))


@pytest.mark.parametrize(
    ("proxies", "comes_from"), [((), "127.0.0.1"), (("127.0.0.1",), "203.0.113.9"), (("10.0.0.5",), "127.0.0.1")]
)
async def test_a_proxy_s_word_on_addresses_is_taken_if_it_is_named(proxies: tuple[str, ...], comes_from: str) -> None:
    """Only what the named proxy itself added counts: whatever stands before it, a stranger may have written."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await PlainTextResponse(scope["client"][0])(scope, receive, send)

    settings = Settings().model_copy(update={"trusted_proxies": proxies})
    listener = serving.listening("127.0.0.1", 0)
    server = web_server(app, settings)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    async with httpx.AsyncClient() as asking:
        answer = await asking.get(
            f"http://127.0.0.1:{listener.getsockname()[1]}", headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
        )
    assert answer.text == comes_from
    server.should_exit = True
    await running
