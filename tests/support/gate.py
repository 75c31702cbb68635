"""A gate at which every activity of a worker can be held, so that a test decides in which order they end."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import activity
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor


class Gate(ClientInterceptor, Interceptor):
    """Holds every activity of a worker, while it is closed, until it is let through."""

    def __init__(self) -> None:
        self.closed = False
        self.held: dict[tuple[str, str, str], asyncio.Event] = {}

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _AtTheGate(next, self)

    def let_through(self, key: tuple[str, str, str]) -> None:
        """Let one activity go on, named by its workflow, its type and its id."""
        self.held.pop(key).set()

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
        if self._gate.closed:
            assert info.workflow_id
            through = asyncio.Event()
            self._gate.held[info.workflow_id, info.activity_type, info.activity_id] = through
            await through.wait()
        return await super().execute_activity(input)
