"""The watchdog: every few minutes it looks for what the clocks should have seen to and have not."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.contracts import ONE_SWEEP, WatchdogContract
    from cases.messages import Sweep, Swept
    from models.errors import ConfigurationError


@workflow.defn(name="watchdog")
class WatchdogWorkflow:
    """One sweep; a schedule starts it again and again."""

    @workflow.run
    async def run(self, message: Sweep) -> Swept:
        """Sweep once; what could not be done is left to the next sweep."""
        return await workflow.execute_activity_method(
            WatchdogContract.sweep,
            message.model_copy(update={"last": _last() or message.last}),
            **ONE_SWEEP,
            summary="look for what was overlooked",
        )


def _last() -> Swept | None:
    """What the schedule's sweep before this one found; None where there was none."""
    try:
        return workflow.get_last_completion_result(Swept)
    except (ApplicationError, ConfigurationError):
        # Somebody from outside ended that one, or a key is missing that came after a copy of the keyring which took its
        # place: no sweep may fail by that.
        workflow.logger.warning("what the last sweep found cannot be read")
        return None
