"""How fast notices are composed and sent, beside a plain ``smtplib`` loop over one connection.

Run ``python -m bench.mail [COUNT]`` from the project's root. Both send the same notices to a local catcher that runs
in a process of its own; every message must have been kept. Where Postfix's ``smtp-sink`` is installed, the transport
alone is measured too: MAIL, RCPT and DATA in one write (RFC 2920) beside command by command.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.support import NOTICE, SENDER, addressed
from mail.catcher import start_catcher
from mail.compose import Addressing, compose
from mail.handover import Accepted, Envelope
from mail.smtp_server import Security, SmtpServer
from mail.transport import SmtpTransport

FROM = SENDER.email


def addressings(count: int) -> Iterator[Addressing]:
    """Return who ``count`` notices go to: one fictional district each."""
    yield from map(addressed, range(count))


def compose_only(count: int) -> None:
    """Compose without sending."""
    for addressing in addressings(count):
        compose(NOTICE, addressing)


def plain_loop(port: int, count: int) -> None:
    """Compose and send with ``smtplib``, one message after another."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost") as client:
        for addressing in addressings(count):
            client.sendmail(FROM, [addressing.to[0].email], compose(NOTICE, addressing).raw)


def transport(port: int, count: int, connections: int) -> None:
    """Compose and send as the engine does, over ``connections`` connections."""

    async def send_all() -> None:
        server = SmtpServer(
            host="127.0.0.1",
            port=port,
            security=Security.NONE,
            client_name="localhost",
            connections=connections,
        )
        waiting = addressings(count)

        async def send_some(smtp: SmtpTransport) -> None:
            for addressing in waiting:
                raw = compose(NOTICE, addressing).raw
                answer = await smtp.send(raw, Envelope(FROM, addressing.to[0].email))
                assert isinstance(answer, Accepted)

        async with SmtpTransport(server) as smtp:
            await asyncio.gather(*(send_some(smtp) for _ in range(connections)))

    asyncio.run(send_all())


def send_only(port: int, count: int, connections: int) -> None:
    """Send one notice, composed before, to many recipients."""
    raw = compose(NOTICE, addressed(0)).raw

    async def send_all() -> None:
        server = SmtpServer(
            host="127.0.0.1", port=port, security=Security.NONE, client_name="localhost", connections=connections
        )
        waiting = iter(range(count))

        async def send_some(smtp: SmtpTransport) -> None:
            for number in waiting:
                assert isinstance(await smtp.send(raw, Envelope(FROM, f"security@d{number}.test")), Accepted)

        async with SmtpTransport(server) as smtp:
            await asyncio.gather(*(send_some(smtp) for _ in range(connections)))

    asyncio.run(send_all())


@contextmanager
def sink(program: str, *options: str) -> Iterator[int]:
    """Run a mail server that takes everything and keeps nothing."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    user = ("-u", "nobody") if os.getuid() == 0 else ()
    with subprocess.Popen([program, *user, *options, f"127.0.0.1:{port}", "100"]) as process:
        while process.poll() is None:
            with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield port
        process.terminate()


def pipelining(count: int) -> None:
    """Measure what one write for three commands is worth."""
    program = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        print("no smtp-sink on this machine, so the transport is not measured alone")
        return
    with sink(program, "-p") as single, sink(program) as together:
        for connections in (1, 4, 8):
            one = rate(count, partial(send_only, single, count, connections))
            three = rate(count, partial(send_only, together, count, connections))
            print(f"transport alone, {connections} connections, command by command {one:8.0f} notices/s")
            print(f"{'in one write':>50} {three:8.0f} notices/s   {three / one:.2f}")


def rate(count: int, work: Callable[[], None]) -> float:
    """Return notices per second."""
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def catch(folder: Path, control: Connection) -> None:
    """Run a catcher until the other end closes (a process of its own)."""

    async def run() -> None:
        catcher = await start_catcher(folder)
        control.send(catcher.port)
        await asyncio.to_thread(control.poll, None)
        await catcher.stop()

    asyncio.run(run())


def main(count: int) -> None:
    """Measure, print, and check that nothing was lost."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    with TemporaryDirectory() as folder:
        process = context.Process(target=catch, args=(Path(folder), theirs))
        process.start()
        port = ours.recv()
        print(f"compose only                     {rate(count, partial(compose_only, count)):8.0f} notices/s")
        plain = rate(count, partial(plain_loop, port, count))
        print(f"compose + smtplib, 1 connection  {plain:8.0f} notices/s   1.00")
        for connections in (1, 2, 4, 8):
            measured = rate(count, partial(transport, port, count, connections))
            print(f"compose + transport, {connections} of them   {measured:8.0f} notices/s   {measured / plain:.2f}")
        ours.send(None)
        process.join()
        kept = len(list(Path(folder).glob("*.eml")))
        assert kept == 5 * count, f"{kept} messages were kept of {5 * count}"
    pipelining(count)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
