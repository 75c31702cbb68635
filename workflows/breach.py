"""A breach case: from the first suspicion until no duty is open.

The case is the one clock. It asks for its duties to be reckoned whenever a fact arrives, lets each batch of
notices go when an officer releases it or at the last safe moment before it is due, and ends when nothing is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from temporalio import workflow
from temporalio.exceptions import ApplicationError, ChildWorkflowError

with workflow.unsafe.imports_passed_through():
    from activities.signatures import CLOSE_CASE, OPEN_CASE, READ_STANDING, RECKON_DUTIES, RECORD_ANCHOR
    from models import identifiers
    from models.anchors import CONFIRMED, check_confirmation
    from models.errors import DuenoticeError, Refused
    from models.messages import (
        AnchorValue,
        BatchOutcome,
        BatchPlan,
        BreachInput,
        CaseStanding,
        CloseCase,
        ConfirmBreach,
        OpenCase,
        ReadStanding,
        ReckonDuties,
        RecordAnchor,
        ReleaseNotices,
        SendBatch,
    )
    from models.search_attributes import CASE_STATUS, NEXT_DUE, OPEN_DUTIES
    from models.words import CaseStatus
    from workflows.notice_batch import NoticeBatchWorkflow

WINDOW = 20
"""How many batches are sent at once; the others wait for a place."""

AFTER_A_LOST_BATCH = timedelta(minutes=1)
"""How long to wait before a batch whose workflow was ended from outside is sent again."""


@dataclass
class BreachState:
    """What the case knows between two events; everything else is in SQL."""

    anchors: dict[str, AnchorValue]
    waiting: dict[UUID, BatchPlan] = field(default_factory=dict)
    leaving: dict[UUID, BatchPlan] = field(default_factory=dict)
    released_by: str | None = None
    released: set[UUID] = field(default_factory=set)
    standing: CaseStanding = field(default_factory=CaseStanding)
    facts: int = 1
    reckoned: int = 0
    outcomes: int = 0
    outcomes_seen: int = 0


@workflow.defn(name="breach")
class BreachWorkflow:
    """One suspected or confirmed breach of student data, across every agreement it touches."""

    @workflow.init
    def __init__(self, message: BreachInput) -> None:
        """Start from the report's dated facts."""
        self._case_id = message.case_id
        self._policy = message.policy
        self._state = BreachState(anchors={anchor.name: anchor for anchor in message.anchors})
        self._window = asyncio.Semaphore(WINDOW)
        self._sends: set[asyncio.Task[None]] = set()
        self._opened = False

    @workflow.run
    async def run(self, message: BreachInput) -> CaseStanding:
        """Keep the case's clocks until no duty is open; answer how it stood at its end."""
        await OPEN_CASE(OpenCase(case_id=message.case_id), summary="pin the terms of the affected agreements")
        self._opened = True
        while not self._finished():
            await self._catch_up()
            self._let_go()
            await self._wait_for_the_next_event()
        self._state.standing = await CLOSE_CASE(CloseCase(case_id=self._case_id), summary="close the case")
        self._show_standing(CaseStatus.CLOSED)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._state.standing

    @workflow.update
    async def confirm(self, message: ConfirmBreach) -> CaseStanding:
        """Record the confirmation and start the clocks that run from it; answer once they run."""
        anchor = AnchorValue(name=CONFIRMED, instant=message.confirmed_at)
        self._state.anchors[CONFIRMED] = anchor
        await RECORD_ANCHOR(
            RecordAnchor(case_id=self._case_id, anchor=anchor, actor=message.actor), summary="record the confirmation"
        )
        return await self._reckon_with_new_facts()

    @confirm.validator
    def _may_confirm(self, message: ConfirmBreach) -> None:
        _refuse_unless(lambda: check_confirmation(self._state.anchors, message.confirmed_at, workflow.now()))

    @workflow.update
    async def release(self, message: ReleaseNotices) -> CaseStanding:
        """Let every waiting notice go at once, in the officer's name."""
        self._state.released_by = message.actor
        self._state.released.update(self._state.waiting)
        return self._state.standing

    @release.validator
    def _may_release(self, message: ReleaseNotices) -> None:
        if not self._state.waiting:
            raise _refusal(Refused("No notice of this case waits for release.", next_step="There is nothing to do."))

    @workflow.query
    def standing(self) -> CaseStanding:
        """How the case stood at its last reckoning."""
        return self._state.standing

    @workflow.query
    def is_busy(self) -> bool:
        """Whether the case is at work rather than waiting for a fact, an act or a due instant."""
        return not self._opened or bool(self._state.leaving) or self._is_behind() or self._anything_released()

    def _anything_released(self) -> bool:
        return not self._state.released.isdisjoint(self._state.waiting)

    def _finished(self) -> bool:
        state = self._state
        quiet = not (state.waiting or state.leaving or self._is_behind())
        return quiet and CONFIRMED in state.anchors and state.standing.open_duties == 0

    def _is_behind(self) -> bool:
        return self._state.reckoned < self._state.facts or self._state.outcomes_seen < self._state.outcomes

    async def _reckon_with_new_facts(self) -> CaseStanding:
        self._state.facts += 1
        wanted = self._state.facts
        await workflow.wait_condition(lambda: self._state.reckoned >= wanted)
        return self._state.standing

    async def _catch_up(self) -> None:
        state = self._state
        if state.reckoned < state.facts:
            facts = state.facts
            found = await RECKON_DUTIES(ReckonDuties(case_id=self._case_id), summary="reckon every duty")
            state.waiting = {plan.batch_id: plan for plan in found.batches if plan.batch_id not in state.leaving}
            state.standing, state.reckoned = found.standing, facts
        elif state.outcomes_seen < state.outcomes:
            outcomes = state.outcomes
            state.standing = await READ_STANDING(
                ReadStanding(case_id=self._case_id), summary="read how the case stands"
            )
            state.outcomes_seen = outcomes
        else:
            return
        self._show_standing(CaseStatus.OPEN)

    def _let_go(self) -> None:
        state = self._state
        for plan in sorted(state.waiting.values(), key=lambda plan: (plan.due_at, plan.batch_id)):
            released = plan.batch_id in state.released
            if released or workflow.now() >= self._leaves_at(plan):
                del state.waiting[plan.batch_id]
                state.leaving[plan.batch_id] = plan
                send = asyncio.create_task(self._send(plan, state.released_by if released else None))
                self._sends.add(send)
                send.add_done_callback(self._sends.discard)

    def _leaves_at(self, plan: BatchPlan) -> datetime:
        if self._policy.release == "immediate":
            return workflow.now()
        return plan.due_at - timedelta(minutes=self._policy.last_safe_minutes)

    async def _send(self, plan: BatchPlan, released_by: str | None) -> None:
        async with self._window:
            await self._send_until_done(plan, released_by)
        del self._state.leaving[plan.batch_id]
        self._state.outcomes += 1

    async def _send_until_done(self, plan: BatchPlan, released_by: str | None) -> BatchOutcome:
        while True:
            try:
                return await workflow.execute_child_workflow(
                    NoticeBatchWorkflow.run,
                    SendBatch(batch_id=plan.batch_id, released_by=released_by),
                    id=identifiers.batch_workflow_id(plan.batch_id),
                    static_summary=f"{plan.size} notices under {plan.clause}",
                )
            except ChildWorkflowError:
                workflow.logger.warning("a batch ended without an outcome; it is sent again")
                await workflow.sleep(AFTER_A_LOST_BATCH)

    async def _wait_for_the_next_event(self) -> None:
        if self._finished():
            return
        leaves = min((self._leaves_at(plan) for plan in self._state.waiting.values()), default=None)
        with suppress(asyncio.TimeoutError):
            await workflow.wait_condition(
                lambda: self._is_behind() or self._finished() or self._anything_released(),
                timeout=None if leaves is None else max(leaves - workflow.now(), timedelta()),
                timeout_summary="the last safe moment of the next notices",
            )

    def _show_standing(self, status: CaseStatus) -> None:
        standing = self._state.standing
        workflow.upsert_search_attributes(
            [
                CASE_STATUS.value_set(status.value),
                OPEN_DUTIES.value_set(standing.open_duties),
                NEXT_DUE.value_set(standing.next_due_at) if standing.next_due_at else NEXT_DUE.value_unset(),
            ]
        )
        due = standing.next_due_at.isoformat() if standing.next_due_at else "nothing dated"
        workflow.set_current_details(f"{standing.open_duties} duties open; next due: {due}.")


def _refusal(error: DuenoticeError) -> ApplicationError:
    return ApplicationError(str(error), type=error.code, non_retryable=True)


def _refuse_unless(check: Callable[[], None]) -> None:
    try:
        check()
    except DuenoticeError as error:
        raise _refusal(error) from error
