"""A disposition case: from the directive until every holder has confirmed and the last backup has expired."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cases.disposition import DISPOSITION
    from cases.state import CaseInput, CaseSummary
    from workflows.case import CaseWorkflow


@workflow.defn(name=DISPOSITION.name)
class DispositionWorkflow(CaseWorkflow):
    """One directive for the disposition of student data."""

    kind = DISPOSITION

    @workflow.init
    def __init__(self, message: CaseInput) -> None:
        """Start from what is known of the case."""
        super().__init__(message)

    @workflow.run
    async def run(self, message: CaseInput) -> CaseSummary:
        """Keep the case's clocks until it is over; answer how it stood at its end."""
        return await self.keep_clocks(message)
