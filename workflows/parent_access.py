"""A case of access to student data: from the LEA's request until it was answered, or the LEA took it back."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cases.parent_access import PARENT_ACCESS
    from cases.state import CaseInput, CaseSummary
    from workflows.case import CaseWorkflow


@workflow.defn(name=PARENT_ACCESS.name)
class ParentAccessWorkflow(CaseWorkflow):
    """One request of an LEA to view, copy, correct or move a student's data."""

    kind = PARENT_ACCESS

    @workflow.init
    def __init__(self, message: CaseInput) -> None:
        """Start from what is known of the case."""
        super().__init__(message)

    @workflow.run
    async def run(self, message: CaseInput) -> CaseSummary:
        """Keep the case's clocks until it is over; answer how it stood at its end."""
        return await self.keep_clocks(message)
