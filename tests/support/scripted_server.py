"""A mail server that does exactly what a test tells it to, over a real socket, mistakes included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

HANG_UP = None
"""In place of an answer: close the connection."""

HEARTBEAT_TIMEOUT = ""
"""In place of an answer: say nothing, and nothing more, until the other side hangs up."""

CONTENT = "CONTENT"
"""The step after DATA's 354: the answer to the message itself."""

FULL = "FULL"
"""The step that RCPT is for a recipient whose mailbox is full."""

_USUAL = {
    "GREETING": "220 mail.test",
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
        offers: the extensions that it names in its answer to EHLO, whether it keeps them or not.
        forgets: whether it forgets what came together with a command, as one that does not keep PIPELINING.
        steps: every step reached, over all connections.
        commands: every command, as it came.
        messages: the messages received whole.
        taken: the messages that it said yes to, each with its recipient, as last named.
        arrived: set when a message has been received whole.
        full: the addresses whose mailboxes are full.
        turned_away: the messages received whole that it said no to.
        refusing: for a recipient's address, the answer to RCPT.
        held: for a recipient's address, what the answer to a message for it waits for.
        connections: how many connections were made.
    """

    script: dict[str, list[str | None]] = field(default_factory=dict)
    offers: tuple[str, ...] = ()
    forgets: bool = False
    steps: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    turned_away: list[bytes] = field(default_factory=list)
    refusing: dict[str, str] = field(default_factory=dict)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    full: set[str] = field(default_factory=set)
    connections: int = 0
    port: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def hang_up(self) -> None:
        """Close every connection, as a server does with idle ones."""
        for writer in self._writers:
            writer.close()
            with suppress(ConnectionError):  # the other side was quicker
                await writer.wait_closed()
        self._writers.clear()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        self._writers.append(writer)
        step, recipient = "GREETING", ""
        try:
            while (answer := self._answer(step)) is not HANG_UP:
                if step == CONTENT and recipient in self.held:
                    await self.held[recipient].wait()
                    if writer.is_closing():  # it hung up meanwhile
                        break
                if answer == HEARTBEAT_TIMEOUT:
                    await reader.read()
                    break
                writer.write(answer.encode() + b"\r\n")
                if step == CONTENT:
                    if answer.startswith("2"):
                        self.taken.append((recipient, self.messages[-1]))
                    else:
                        self.turned_away.append(self.messages[-1])
                if step == "QUIT":
                    break
                if answer.startswith("354"):
                    step = await self._content(reader)
                else:
                    step = await self._command(reader)
                    recipient = _address(self.commands[-1]) if step in ("RCPT", FULL) else recipient
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _answer(self, step: str) -> str | None:
        self.steps.append(step)
        planned = self.script.get(step)
        if planned:
            return planned.pop(0)
        if step == "EHLO":
            return "\r\n".join(["250-mail.test", *(f"250-{name}" for name in self.offers), "250 HELP"])
        return _USUAL.get(step, "500 5.5.2 What?")

    async def _command(self, reader: asyncio.StreamReader) -> str:
        line = (await reader.readuntil(b"\r\n")).decode(errors="replace")
        if self.forgets:
            reader._buffer.clear()  # type: ignore[attr-defined]
        self.commands.append(line.rstrip("\r\n"))
        step = line[:4].strip().upper()
        if step == "RCPT" and _address(line) in self.refusing:
            self.script.setdefault(step, []).insert(0, self.refusing[_address(line)])
        return FULL if step == "RCPT" and _address(line) in self.full else step

    async def _content(self, reader: asyncio.StreamReader) -> str:
        """Take what follows 354, up to a line with nothing but a dot: also where that is the first one."""
        content = b"\r\n"
        while not content.endswith(b"\r\n.\r\n"):
            content += await reader.readuntil(b".\r\n")
        self.messages.append(content[len(b"\r\n") : -len(b".\r\n")])
        self.arrived.set()
        return CONTENT


def _address(command: str) -> str:
    return command.partition("<")[2].partition(">")[0]


@asynccontextmanager
async def scripted_server(*offers: str, **script: Sequence[str | None]) -> AsyncIterator[ScriptedServer]:
    """Run a server that offers these extensions, with the given script, on a free loopback port."""
    scripted = ScriptedServer({step: list(answers) for step, answers in script.items()}, offers)
    server = await asyncio.start_server(scripted.converse, "127.0.0.1", 0)
    scripted.port = server.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        server.close()
        await scripted.hang_up()
        await server.wait_closed()
