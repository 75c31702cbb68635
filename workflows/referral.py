"""A referral case: from a request that reached the provider until the LEA is told, or the request is closed."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cases.referral import REFERRAL
    from cases.state import CaseInput, CaseSummary
    from workflows.case import CaseWorkflow


@workflow.defn(name=REFERRAL.name)
class ReferralWorkflow(CaseWorkflow):
    """One request that a parent or student sent to the provider."""

    kind = REFERRAL

    @workflow.init
    def __init__(self, message: CaseInput) -> None:
        """Start from what is known of the case."""
        super().__init__(message)

    @workflow.run
    async def run(self, message: CaseInput) -> CaseSummary:
        """Keep the case's clocks until it is over; answer how it stood at its end."""
        return await self.keep_clocks(message)
