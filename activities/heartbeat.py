"""Heartbeats of work that waits for somebody else's server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio import activity

HEARTBEAT_INTERVAL = timedelta(seconds=5)
"""How often a heartbeat is given; well within ``contracts.HEARTBEAT_TIMEOUT``."""


@asynccontextmanager
async def beating(at_most: timedelta) -> AsyncIterator[None]:
    """Give heartbeats while the body waits, for no longer than what it waits for may take.

    Work that hangs beyond that falls silent, and another worker takes it over: a heartbeat says that the work lives,
    not only that its process does.
    """
    beats = asyncio.create_task(_beat(at_most))
    try:
        yield
    finally:
        beats.cancel()


async def _beat(at_most: timedelta) -> None:
    for _ in range(int(at_most / HEARTBEAT_INTERVAL)):
        activity.heartbeat()
        await asyncio.sleep(HEARTBEAT_INTERVAL.total_seconds())
