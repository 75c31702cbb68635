"""The signed heads of the ledger: again and again, over what is new in it."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts import ONE_SWEEP, HeadsContract
    from cases.messages import HeadsKept, KeepHeads


@workflow.defn(name="ledger-heads")
class HeadsWorkflow:
    """One turn; a schedule starts it again and again."""

    @workflow.run
    async def run(self, message: KeepHeads) -> HeadsKept:
        """Sign once; what could not be done is left to the next time."""
        return await workflow.execute_activity_method(
            HeadsContract.keep_heads, message, **ONE_SWEEP, summary="sign a head of the ledger"
        )
