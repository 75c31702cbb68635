"""Asking the same of many, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


async def each(
    asked: Iterable[Asked], ask: Callable[[Asked], Awaitable[Answer]], at_once: int
) -> list[tuple[Asked, Answer]]:
    """The answer of each, ``at_once`` asked at a time, in the order given."""
    places = asyncio.Semaphore(at_once)

    async def one(item: Asked) -> tuple[Asked, Answer]:
        async with places:
            return item, await ask(item)

    return await asyncio.gather(*(one(item) for item in asked))
