"""The bodies of requests as they arrive: what counts is the bytes that come, and when, whatever the headers say."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from models.errors import DuenoticeError, InvalidInput

BYTES_A_SECOND = 16 * 2**10
"""What the slowest line brings that anything is awaited from."""


class Body:
    """What an application receives of one request, up to so many bytes and so long.

    Once more comes, or it takes longer, the application is told that whoever sends has gone away; ``refusal`` then says
    why, and is what has to be answered.

    Args:
        receive: what the server gives.
        limit: how many bytes are taken, at most.
        seconds: how long they may take, besides a second for each 16 KiB.
    """

    def __init__(self, receive: Receive, *, limit: int, seconds: float) -> None:
        self.refusal: tuple[DuenoticeError, HTTPStatus] | None = None
        self._receive = receive
        self._limit = limit
        self._seconds = seconds
        self._bytes = 0
        self._waited = 0.0
        self._whole = False
        self._taken: Message | None = None

    async def receive(self) -> Message:
        """The next part of the body, or that there is nobody any more."""
        if self._taken is not None:
            taken, self._taken = self._taken, None
            return taken
        if self.refusal:
            return {"type": "http.disconnect"}
        if self._whole:  # what follows is that the other side goes away, which may take as long as it likes
            return await self._receive()
        return self._checked(await self._next())

    async def take_whole(self) -> None:
        """Wait for all of it; the application then gets it in one piece.

        Raises:
            ClientDisconnect: who sends it has gone away, or is refused.
        """
        parts: list[bytes] = []
        while not self._whole:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
        self._taken = {"type": "http.request", "body": b"".join(parts), "more_body": False}

    async def _next(self) -> Message:
        """What comes next, within the time that is left; our own time between two parts does not count."""
        loop = asyncio.get_running_loop()
        began, left = loop.time(), self._seconds + self._bytes / BYTES_A_SECOND - self._waited
        try:
            async with asyncio.timeout(left):
                return await self._receive()
        except TimeoutError:
            self.refusal = (
                InvalidInput(
                    "What you sent took too long to arrive, so nothing was done.",
                    next_step="Try again, on a better line if you can.",
                ),
                HTTPStatus.REQUEST_TIMEOUT,
            )
            return {"type": "http.disconnect"}
        finally:
            self._waited += loop.time() - began

    def _checked(self, message: Message) -> Message:
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._bytes > self._limit:
                self.refusal = (too_large(self._limit), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                return {"type": "http.disconnect"}
        return message


def too_large(limit: int) -> InvalidInput:
    """What is said of more bytes than are taken."""
    return InvalidInput(f"This is larger than {limit // 2**10:,} KiB.", next_step="Send it in parts.")
