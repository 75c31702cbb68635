"""The workflow of a recall; its clock is that of every case."""

from __future__ import annotations

from temporalio import workflow

from cases.state import CaseInput, CaseSummary
from tests.support.recall.kind import RECALL
from workflows.case import CaseWorkflow


@workflow.defn(name=RECALL.name)
class RecallWorkflow(CaseWorkflow):
    """One recall of devices."""

    kind = RECALL

    @workflow.init
    def __init__(self, message: CaseInput) -> None:
        """Start from what is known of the case."""
        super().__init__(message)

    @workflow.run
    async def run(self, message: CaseInput) -> CaseSummary:
        """Keep the case's clocks until it is over; answer how it stood at its end."""
        return await self.keep_clocks(message)
