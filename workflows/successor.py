"""A successor case: from the closing until every LEA was told and has answered, or its silence is noted."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cases.state import CaseInput, CaseSummary
    from cases.successor import SUCCESSOR
    from workflows.case import CaseWorkflow


@workflow.defn(name=SUCCESSOR.name)
class SuccessorWorkflow(CaseWorkflow):
    """One change of control at the provider."""

    kind = SUCCESSOR

    @workflow.init
    def __init__(self, message: CaseInput) -> None:
        """Start from what is known of the case."""
        super().__init__(message)

    @workflow.run
    async def run(self, message: CaseInput) -> CaseSummary:
        """Keep the case's clocks until it is over; answer how it stood at its end."""
        return await self.keep_clocks(message)
