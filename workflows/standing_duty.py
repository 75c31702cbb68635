"""A case about one clause: from the fact that starts it, or an agreement's own date, until what it asks for is done."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cases.standing_duty import STANDING_DUTY
    from cases.state import CaseInput, CaseSummary
    from workflows.case import CaseWorkflow


@workflow.defn(name=STANDING_DUTY.name)
class StandingDutyWorkflow(CaseWorkflow):
    """One dated duty of one clause."""

    kind = STANDING_DUTY

    @workflow.init
    def __init__(self, message: CaseInput) -> None:
        """Start from what is known of the case."""
        super().__init__(message)

    @workflow.run
    async def run(self, message: CaseInput) -> CaseSummary:
        """Keep the case's clocks until it is over; answer how it stood at its end."""
        return await self.keep_clocks(message)
