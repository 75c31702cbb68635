"""One batch of notices: each is given, put off, or has no contact left to try."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts import ONE_BATCH, NoticeContract
    from cases.messages import BatchOutcome, SendBatch


@workflow.defn(name="notice-batch")
class NoticeBatchWorkflow:
    """Sends at most 500 notices that share a clause and a due instant."""

    @workflow.run
    async def run(self, message: SendBatch) -> BatchOutcome:
        """Give every notice of the batch that can be given; the mail server being down only makes it wait."""
        return await workflow.execute_activity_method(
            NoticeContract.send_batch, message, **ONE_BATCH, summary="give the batch's notices"
        )
