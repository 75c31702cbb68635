"""The ledger, checked by itself, again and again."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts import ONE_CHECK, ONE_TELLING, LedgerContract
    from cases.messages import CheckLedger, LedgerChecked, TellOfLedger


@workflow.defn(name="ledger-check")
class LedgerCheckWorkflow:
    """One check; a schedule starts it again and again, and each start of the engine does."""

    @workflow.run
    async def run(self, message: CheckLedger) -> LedgerChecked:
        """Check once, and tell people where something is amiss; that is tried until somebody could be told."""
        found = await workflow.execute_activity_method(
            LedgerContract.check_ledger, message, **ONE_CHECK, summary="check the ledger"
        )
        if not found.sound:
            await workflow.execute_activity_method(
                LedgerContract.tell_of_ledger, TellOfLedger(), **ONE_TELLING, summary="tell people of it"
            )
        return found
