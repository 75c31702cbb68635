"""The case of an agreement that has ended: until its data is gone, and the last backup of it has expired."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from cases.end_of_agreement import END_OF_AGREEMENT
    from cases.state import CaseInput, CaseSummary
    from workflows.case import CaseWorkflow


@workflow.defn(name=END_OF_AGREEMENT.name)
class EndOfAgreementWorkflow(CaseWorkflow):
    """One agreement that has ended."""

    kind = END_OF_AGREEMENT

    @workflow.init
    def __init__(self, message: CaseInput) -> None:
        """Start from what is known of the case."""
        super().__init__(message)

    @workflow.run
    async def run(self, message: CaseInput) -> CaseSummary:
        """Keep the case's clocks until it is over; answer how it stood at its end."""
        return await self.keep_clocks(message)
