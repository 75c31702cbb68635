"""A sweep of the watchdog in virtual time."""

from __future__ import annotations

from uuid import uuid4

from cases.messages import Sweep, Swept
from models import identifiers
from starter.rehearsals.virtual_time import VirtualEngine
from workflows.watchdog import WatchdogWorkflow

AT_ONCE = Sweep(grace_minutes=0)


async def sweep(engine: VirtualEngine, message: Sweep = AT_ONCE) -> Swept:
    """Let the watchdog look once, at whatever happened up to now."""
    return await engine.resources.client.execute_workflow(
        WatchdogWorkflow.run, message, id=f"sweep:{uuid4()}", task_queue=identifiers.TASK_QUEUE
    )
