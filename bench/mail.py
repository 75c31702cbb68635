"""How fast notices are composed and sent, beside a plain ``smtplib`` loop over one connection.

Run ``python -m bench.mail [COUNT]`` from the project's root. Both send the same notices to a local catcher that runs
in a process of its own; every message must have been kept.
"""

from __future__ import annotations

import asyncio
import smtplib
import sys
import time
from collections.abc import Callable, Iterator
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


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
