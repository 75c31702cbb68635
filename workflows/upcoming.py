"""What is coming by the agreements' own dates: derived anew, again and again."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts import ONE_SWEEP, UpcomingContract
    from cases.messages import Renewed, RenewUpcoming


@workflow.defn(name="upcoming")
class UpcomingWorkflow:
    """One renewal; a schedule starts it again and again."""

    @workflow.run
    async def run(self, message: RenewUpcoming) -> Renewed:
        """Renew once; what could not be done is left to the next time."""
        return await workflow.execute_activity_method(
            UpcomingContract.renew_upcoming, message, **ONE_SWEEP, summary="derive what is coming"
        )
