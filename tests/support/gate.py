"""A gate at which the activities of a worker can be held, so that a test decides in which order they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker

from config.keyring import Keyring
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import Resources
from tests.support.patience import PATIENCE
from worker import build_worker


@asynccontextmanager
async def held_engine(home: Path, keyring: Keyring) -> AsyncIterator[tuple[VirtualEngine, Gate]]:
    """An engine with a gate, which is open; what is held at the end is let through."""
    gate = Gate()

    def worker(resources: Resources) -> Worker:
        config = resources.client.config()
        config["interceptors"] = [*config["interceptors"], gate]
        return build_worker(replace(resources, client=Client(**config)))

    async with virtual_engine(home, keyring=keyring, worker=worker) as engine:
        yield engine, gate
        gate.lift()


class Gate(ClientInterceptor, Interceptor):
    """Holds every activity of a worker, or those of one type, while it is closed, until it is let through."""

    def __init__(self) -> None:
        self.closed = False
        self.only: str | None = None
        self.held: dict[tuple[str, str, str], asyncio.Event] = {}

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _AtTheGate(next, self)

    def let_through(self, key: tuple[str, str, str]) -> None:
        """Let one activity go on, named by its workflow, its type and its id."""
        self.held.pop(key).set()

    async def next_held(self, activity_type: str) -> tuple[str, str, str]:
        """Wait until an activity of a type is held, and name it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for key in self.held:
                    if key[1] == activity_type:
                        return key
                await asyncio.sleep(0.02)

    def lift(self) -> None:
        """Hold nothing any more."""
        self.closed = False
        for key in list(self.held):
            self.let_through(key)


class _AtTheGate(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, gate: Gate) -> None:
        super().__init__(next)
        self._gate = gate

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        if self._gate.closed and self._gate.only in (None, info.activity_type):
            assert info.workflow_id
            through = asyncio.Event()
            self._gate.held[info.workflow_id, info.activity_type, info.activity_id] = through
            await through.wait()
        return await super().execute_activity(input)
