"""The web's own server: what it listens on, how many files it may open, and whom it believes about addresses."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from config.settings import Limits, Settings, check_proxies
from models.errors import ConfigurationError
from starter.local.up import run_local, run_web
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


@pytest.mark.parametrize("run", [run_local, run_web])
def test_production_does_not_start_if_it_cannot_tell_strangers_apart(
    tmp_path: Path, run: Callable[[Settings], int]
) -> None:
    settings = Settings(home=tmp_path / "home").model_copy(update={"environment": "production"})
    with pytest.raises(ConfigurationError, match=r"^DUENOTICE_TRUSTED_PROXIES: Nobody said what stands before the web"):
        run(settings)
    assert list(tmp_path.iterdir()) == [], "and makes nothing"


@pytest.mark.parametrize(
    "said", [{"trusted_proxies": ("10.0.0.5",)}, {"no_proxy_reason": "It ends TLS by itself, on a host of its own."}]
)
def test_production_takes_a_proxy_or_the_reason_why_there_is_none(said: dict[str, object]) -> None:
    check_proxies(Settings().model_copy(update={"environment": "production", **said}))


@pytest.mark.parametrize("proxies", [(), ("10.0.0.5",)])
def test_nobody_is_believed_but_the_proxies_that_are_named(proxies: tuple[str, ...]) -> None:
    config = web_server(_nothing, Settings().model_copy(update={"trusted_proxies": proxies})).config
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
