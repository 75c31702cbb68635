"""One batch of notices, from its first send until each notice is given or no contact is left to try."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts import SEND_BATCH
    from cases.messages import BatchOutcome, SendBatch


@workflow.defn(name="notice-batch")
class NoticeBatchWorkflow:
    """Sends at most 200 notices that share a clause and a due instant."""

    @workflow.run
    async def run(self, message: SendBatch) -> BatchOutcome:
        """Give every notice of the batch; the mail server being down only makes it wait."""
        return await SEND_BATCH(message, summary="give the batch's notices")
