"""The web server: its listener, and uvicorn with the limits of the settings."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import uvicorn
from anyio import to_thread
from starlette.types import ASGIApp

from config.logging import get_logger
from config.settings import Limits, Settings
from web.connections import LARGEST_HEADERS, Connections

_log = get_logger("web.serving")

OWN_THREADS = 24
"""How many threads there are besides those that strangers can be at work in."""

STOP_SECONDS = 15
"""How long one part of the engine may take to finish what it is doing."""

OTHER_FILES = 256
"""How many files and connections a process needs besides those of the web: databases, Temporal, mail, uploads."""

FEWEST = 32
"""How many connections there are in any case."""


class WebServer(uvicorn.Server):
    """A web server that leaves the signals to whoever started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; what is accepted by it sends small answers at once (``TCP_NODELAY`` is inherited).

    asyncio sets this only for sockets that name their protocol, which Python's ``create_server`` leaves out.

    Raises:
        OSError: the port is taken.
    """
    listener = socket.create_server((host, port))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def have_threads(limits: Limits) -> None:
    """Give the running loop more threads than strangers can be at work in, so that nobody else waits for one of theirs.

    anyio's own number is 40, asyncio's on two cores six; the settings may let in more strangers than that.
    """
    threads = limits.requests_at_once + OWN_THREADS
    to_thread.current_default_thread_limiter().total_tokens = threads
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads, thread_name_prefix="work"))


def web_server(app: ASGIApp, settings: Settings) -> WebServer:
    """The server for an application; serve it on ``listening`` sockets."""
    limits = _with_files(settings.limits)
    bounds = Connections(limits, proxies=bool(settings.trusted_proxies))
    return WebServer(
        uvicorn.Config(
            app,
            http=bounds.protocol(),
            ws="none",
            log_config=None,
            access_log=False,  # addresses hold tokens
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_keep_alive=limits.idle_seconds,
            timeout_graceful_shutdown=STOP_SECONDS,
            h11_max_incomplete_event_size=LARGEST_HEADERS,
        )
    )


def _with_files(limits: Limits) -> Limits:
    """The limits, for which this process may open enough files; lowered where the system does not let it.

    Where files run out, nothing can be accepted, read or mailed any more.
    """
    needed = limits.connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return limits
    soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft >= needed:
        return limits
    connections = max(soft - OTHER_FILES, FEWEST)
    _log.warning("fewer connections than the settings allow, since files are limited", connections=connections)
    return limits.model_copy(update={"connections": connections, "strangers": min(limits.strangers, connections // 2)})
