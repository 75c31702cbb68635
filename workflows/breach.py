"""A breach case: from the first suspicion until no duty is open and every LEA has been told everything."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cases.messages import CaseSummary
    from cases.state import BreachInput
    from workflows.case import CaseWorkflow


@workflow.defn(name="breach")
class BreachWorkflow(CaseWorkflow):
    """One suspected or confirmed breach of student data."""

    @workflow.init
    def __init__(self, message: BreachInput) -> None:
        """Start from what is remembered of the case."""
        super().__init__(message)

    @workflow.run
    async def run(self, message: BreachInput) -> CaseSummary:
        """Keep the case's clocks until nothing is open; answer how it stood at its end."""
        return await self.keep_clocks(message)
