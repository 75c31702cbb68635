"""A mail server that does exactly what a test tells it to, over a real socket, mistakes included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

HANG_UP = None
"""In place of an answer: close the connection."""

HEARTBEAT_TIMEOUT = ""
"""In place of an answer: say nothing."""

CONTENT = "CONTENT"
"""The step after DATA's 354: the answer to the message itself."""

FULL = "FULL"
"""The step that RCPT is for a recipient whose mailbox is full."""

_USUAL = {
    "GREETING": "220 mail.test",
    "EHLO": "250 mail.test",
    "MAIL": "250 2.1.0 Ok",
    "RCPT": "250 2.1.5 Ok",
    FULL: "452 4.2.2 Mailbox full",
    "DATA": "354 Go ahead",
    CONTENT: "250 2.0.0 Queued",
    "RSET": "250 Ok",
    "QUIT": "221 Bye",
}


@dataclass
class ScriptedServer:
    """What the server answers at each step, in turn; where the script ends, the usual answer.

    Attributes:
        script: for a step, the answers to give the first, second, … time it is reached.
        steps: every step reached, over all connections.
        messages: the messages received whole.
        turned_away: those of them that it said it does not take.
        arrived: set when a message has been received whole.
        full: the addresses whose mailboxes are full.
        refusing: the answers to RCPT for the addresses that are refused.
        slow: the addresses whose messages are answered so many seconds late; None is never.
        connections: how many connections were made.
    """

    script: dict[str, list[str | None]] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    turned_away: list[bytes] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    full: set[str] = field(default_factory=set)
    refusing: dict[str, str] = field(default_factory=dict)
    slow: dict[str, float | None] = field(default_factory=dict)
    connections: int = 0
    port: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def hang_up(self) -> None:
        """Close every connection, as a server does with idle ones."""
        self._hung_up.set()
        self._hung_up = asyncio.Event()
        for writer in self._writers:
            writer.close()
            await writer.wait_closed()
        self._writers.clear()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        self._writers.append(writer)
        step = "GREETING"
        recipients: dict[str, str] = {}
        try:
            while (answer := self._answer(step)) is not HANG_UP:
                if step == CONTENT and answer.startswith(("4", "5")):
                    self.turned_away.append(self.messages[-1])
                if answer is not HEARTBEAT_TIMEOUT:
                    writer.write(answer.encode() + b"\r\n")
                if step == "QUIT":
                    break
                step = await (self._content(reader) if answer.startswith("354") else self._command(reader, recipients))
                if step == CONTENT and recipients["to"] in self.slow:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._hung_up.wait(), self.slow[recipients["to"]])
                        break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _answer(self, step: str) -> str | None:
        self.steps.append(step)
        planned = self.script.get(step)
        return planned.pop(0) if planned else _USUAL[step]

    async def _command(self, reader: asyncio.StreamReader, recipients: dict[str, str]) -> str:
        line = (await reader.readuntil(b"\r\n")).decode()
        step = line[:4].strip().upper()
        if step != "RCPT":
            return step
        recipients["to"] = address = line.partition("<")[2].partition(">")[0]
        if address in self.refusing:
            self.script.setdefault(step, []).insert(0, self.refusing[address])
        return FULL if address in self.full else step

    async def _content(self, reader: asyncio.StreamReader) -> str:
        self.messages.append((await reader.readuntil(b"\r\n.\r\n"))[: -len(b".\r\n")])
        self.arrived.set()
        return CONTENT


@asynccontextmanager
async def scripted_server(**script: Sequence[str | None]) -> AsyncIterator[ScriptedServer]:
    """Run a server with the given script on a free loopback port."""
    scripted = ScriptedServer({step: list(answers) for step, answers in script.items()})
    server = await asyncio.start_server(scripted.converse, "127.0.0.1", 0)
    scripted.port = server.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        server.close()
        await scripted.hang_up()
        await server.wait_closed()
