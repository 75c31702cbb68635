"""The watchdog: every few minutes it looks for what the clocks should have seen to and have not."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts import ONE_SWEEP, WatchdogContract
    from cases.messages import Sweep, Swept


@workflow.defn(name="watchdog")
class WatchdogWorkflow:
    """One sweep; a schedule starts it again and again."""

    @workflow.run
    async def run(self, message: Sweep) -> Swept:
        """Sweep once; what could not be done is left to the next sweep."""
        return await workflow.execute_activity_method(
            WatchdogContract.sweep, message, **ONE_SWEEP, summary="look for what was overlooked"
        )
