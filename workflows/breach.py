"""A breach case: from the first suspicion until no duty is open and every LEA has been told everything."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cases.breach import BREACH
    from cases.state import CaseInput, CaseSummary
    from workflows.case import CaseWorkflow


@workflow.defn(name=BREACH.name)
class BreachWorkflow(CaseWorkflow):
    """One suspected or confirmed breach of student data."""

    kind = BREACH

    @workflow.init
    def __init__(self, message: CaseInput) -> None:
        """Start from what is known of the case."""
        super().__init__(message)

    @workflow.run
    async def run(self, message: CaseInput) -> CaseSummary:
        """Keep the case's clocks until it is over; answer how it stood at its end."""
        return await self.keep_clocks(message)
