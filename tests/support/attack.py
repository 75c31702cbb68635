"""Strangers who mean ill, in a process of their own: slow connections, and a body without end. On loopback alone.

``python -m tests.support.attack PORT`` holds 500 slow connections and sends a gibibyte of body in chunks, names no
length or a false one. It goes on until its input ends, and all of that was sent, and prints what it did as JSON.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass

SLOW = 500
SENDERS = 8
GIBIBYTE = 2**30
LONGEST_SECONDS = 300
"""After how long everything ends, whatever becomes of whoever started it."""

ADDRESSES = 50
CHUNK = 2**16
HEAD = b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
SLOW_STARTS = (b"GET /sign-in HTTP/1.1\r\nX: ", HEAD + b"Content-Length: 60000\r\n\r\n", b"")
"""Half a header, half a body, and nothing at all."""


@dataclass
class Done:
    """What was done: connections made and closed by the other side, and bytes sent."""

    connections: int = 0
    closed: int = 0
    bytes: int = 0


async def connect(port: int, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection from one of many addresses."""
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.2.{1 + number % ADDRESSES}", 0))


async def slow(port: int, number: int, done: Done) -> None:
    """Hold a connection by a byte every other second; take another once it is closed."""
    while True:
        try:
            reader, writer = await connect(port, number)
            done.connections += 1
            writer.write(SLOW_STARTS[number % len(SLOW_STARTS)])
            while not reader.at_eof():
                with suppress(TimeoutError):
                    async with asyncio.timeout(2):
                        await reader.read(4096)
                if SLOW_STARTS[number % len(SLOW_STARTS)]:
                    writer.write(b"x")
                    await writer.drain()
        except OSError:
            pass
        done.closed += 1
        await asyncio.sleep(0.2)


async def endless(port: int, number: int, done: Done) -> None:
    """Send chunks until a gibibyte has been sent by all; take another connection once one is closed."""
    chunk = f"{CHUNK:x}\r\n".encode() + b"x" * CHUNK + b"\r\n"
    length = (b"", b"Content-Length: 0\r\n")[number % 2]
    while done.bytes < GIBIBYTE:
        with suppress(OSError):
            reader, writer = await connect(port, number)
            done.connections += 1
            writer.write(HEAD + length + b"Transfer-Encoding: chunked\r\n\r\n")
            while done.bytes < GIBIBYTE and not reader.at_eof():
                writer.write(chunk)
                await writer.drain()
                done.bytes += CHUNK
            writer.close()
        done.closed += 1


async def attack(port: int) -> dict[str, Done]:
    """Do all of it, and stop."""
    done = {"slow": Done(), "endless": Done()}
    tasks = [asyncio.create_task(slow(port, number, done["slow"])) for number in range(SLOW)]
    tasks += [asyncio.create_task(endless(port, number, done["endless"])) for number in range(SENDERS)]
    print("begun", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    while done["endless"].bytes < GIBIBYTE:  # noqa: ASYNC110 (it ends by itself)
        await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=5)
    return done


if __name__ == "__main__":
    signal.alarm(LONGEST_SECONDS)
    print(json.dumps({name: asdict(done) for name, done in asyncio.run(attack(int(sys.argv[1]))).items()}))
