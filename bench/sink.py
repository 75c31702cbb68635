"""A mail server that takes everything and keeps nothing, or pushes back: what measurements send to.

Postfix's ``smtp-sink`` is used where it is installed and nothing has to be pushed back.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import subprocess
import time
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from bench.support import free_port

_MESSAGE_ID = re.compile(rb"^Message-ID: (<[^>]+>)", re.MULTILINE)
_END = b"\r\n.\r\n"
_WAIT_SECONDS = 10

NAME = "sink"
"""What the process of a server is called, so that its work is not counted as the engine's."""


@dataclass(frozen=True)
class Pushback:
    """How a server pushes back: so many seconds before each answer, and one recipient in so many deferred once."""

    seconds: float = 0.02
    deferred_once: int = 20


@dataclass
class Sink:
    """A server that is up, or has been.

    Attributes:
        name: which one it is.
        port: where it listens.
        taken: the Message-IDs that it took, each as often as it did; None where it does not tell.
        deferred: how many recipients it deferred.
    """

    name: str
    port: int
    taken: list[str] | None = None
    deferred: int = 0


@contextmanager
def sink(pushback: Pushback | None = None) -> Iterator[Sink]:
    """Run a server in a process of its own until the body ends; only then is it known what it took."""
    program = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin:/usr/local/bin:/usr/lib/postfix/sbin")
    if program and pushback is None:
        yield from _postfix(program)
    else:
        yield from _own(pushback)


def _postfix(program: str) -> Iterator[Sink]:
    port = free_port()
    process = subprocess.Popen([program, "-u", "nobody", "-m", "200", f"127.0.0.1:{port}", "200"], cwd=Path("/"))
    try:
        until = time.monotonic() + _WAIT_SECONDS
        while not _answers(port):
            assert time.monotonic() < until, "smtp-sink does not answer"
            time.sleep(0.05)
        yield Sink("Postfix's smtp-sink", port)
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _own(pushback: Pushback | None) -> Iterator[Sink]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, pushback), name=NAME)
    process.start()
    found = Sink("the sink of this bench", ours.recv())
    try:
        yield found
    finally:
        ours.send(None)
        found.taken, found.deferred = ours.recv()
        process.join()


def _serve(control: Connection, pushback: Pushback | None) -> None:
    async def run() -> None:
        kept = _Kept([], set())
        server = await asyncio.get_running_loop().create_server(lambda: _Session(pushback, kept), "127.0.0.1", 0)
        control.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(control.poll, None)
        control.send((kept.taken, len(kept.deferred)))

    asyncio.run(run())


@dataclass
class _Kept:
    """What all sessions of a server know together."""

    taken: list[str]
    deferred: set[bytes]


class _Session(asyncio.Protocol):
    """One client's conversation (RFC 5321), commands in groups included (RFC 2920)."""

    def __init__(self, pushback: Pushback | None, kept: _Kept) -> None:
        self._pushback = pushback
        self._kept = kept
        self._unread = b""
        self._in_content = False
        self._recipients = 0
        self._answers: deque[tuple[float, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._answer(b"220 localhost ESMTP")

    def data_received(self, data: bytes) -> None:
        """Take what came, command by command, and contents whole."""
        self._unread += data
        while True:
            if self._in_content:
                end = self._unread.find(_END)
                if end < 0:
                    return
                self._take(self._unread[:end])
                self._unread = self._unread[end + len(_END) :]
            else:
                line, found, rest = self._unread.partition(b"\r\n")
                if not found:
                    return
                self._unread = rest
                self._obey(line)

    def _obey(self, line: bytes) -> None:
        match line[:4].upper():
            case b"EHLO":
                self._answer(b"250-localhost\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
            case b"MAIL" | b"RSET":
                self._recipients = 0
                self._answer(b"250 2.0.0 Ok")
            case b"RCPT":
                if self._is_put_off(line):
                    self._answer(b"451 4.2.1 Try again later")
                else:
                    self._recipients += 1
                    self._answer(b"250 2.1.5 Ok")
            case b"DATA" if self._recipients:
                self._in_content = True
                self._unread = b"\r\n" + self._unread
                self._answer(b"354 Go ahead")
            case b"DATA":
                self._answer(b"503 5.5.1 No recipient")
            case b"QUIT":
                self._answer(b"221 2.0.0 Bye")
            case _:
                self._answer(b"250 2.0.0 Ok")

    def _is_put_off(self, line: bytes) -> bool:
        """Whether a recipient is deferred now: one in so many, when it is named for the first time."""
        if self._pushback is None or zlib.crc32(line) % self._pushback.deferred_once or line in self._kept.deferred:
            return False
        self._kept.deferred.add(line)
        return True

    def _take(self, content: bytes) -> None:
        self._in_content = False
        found = _MESSAGE_ID.search(content)
        self._kept.taken.append(found[1].decode() if found else "")
        self._answer(b"250 2.0.0 Ok: taken")

    def _answer(self, answer: bytes) -> None:
        """Answer, each time as late as asked; what waits longer does not overtake."""
        if self._pushback is None:
            self._transport.write(answer + b"\r\n")
            return
        earliest = max(self._loop.time(), self._answers[-1][0] if self._answers else 0.0)
        self._answers.append((earliest + self._pushback.seconds, answer))
        if self._timer is None:
            self._later()

    def _later(self) -> None:
        self._timer = self._loop.call_at(self._answers[0][0], self._answer_first)

    def _answer_first(self) -> None:
        _, answer = self._answers.popleft()
        self._timer = None
        self._transport.write(answer + b"\r\n")
        if self._answers:
            self._later()
